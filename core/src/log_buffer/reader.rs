//! Reading what is kept, as a stream.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::SystemTime;

use futures_util::stream;

use super::Shared;
use super::kept::{Kept, Record, index};
use crate::error::{Error, ErrorKind, Operation, Result};
use crate::logs::{LogCursor, LogItem, LogPiece, LogStream, LogStreamKind, LogStreams};
use crate::options::LogOptions;

/// How many records are taken at once, so that a reader holds little and the agent waits for no reader.
const BATCH: usize = 64;

const STREAMS: [LogStreamKind; 2] = [LogStreamKind::Stdout, LogStreamKind::Stderr];

/// A place in the output: the number of the next record, and how far each stream has been told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Place {
    log: u64,
    next: u64,
    told: [u64; 2],
}

impl Place {
    fn cursor(self) -> LogCursor {
        let Self { log, next, told } = self;
        LogCursor::new(format!("{log}.{next}.{}.{}", told[0], told[1]))
    }

    fn from_cursor(cursor: &LogCursor) -> Option<Self> {
        let mut numbers = cursor.as_str().split('.').map(str::parse);
        let place = Self {
            log: numbers.next()?.ok()?,
            next: numbers.next()?.ok()?,
            told: [numbers.next()?.ok()?, numbers.next()?.ok()?],
        };
        numbers.next().is_none().then_some(place)
    }
}

struct Reader {
    log: Arc<Shared>,
    place: Place,
    streams: LogStreams,
    since: Option<SystemTime>,
    until: Option<SystemTime>,
    /// The first record that is not told any more; `None` to go on until the agent has ended.
    end: Option<u64>,
    ready: VecDeque<LogItem>,
    done: bool,
}

pub(super) fn read(log: &Arc<Shared>, options: &LogOptions) -> Result<LogStream> {
    let start = match &options.after {
        Some(cursor) => Place::from_cursor(cursor)
            .filter(|place| place.log == log.number)
            .ok_or_else(|| {
                Error::new(
                    ErrorKind::InvalidSpec,
                    Operation::Logs,
                    "the cursor is none of this start's log",
                )
                .with_cure("read from the beginning, or name the start that the cursor is of")
            })?,
        None => Place {
            log: log.number,
            next: 0,
            told: [0; 2],
        },
    };
    let kept = log.kept();
    let mut reader = Reader {
        place: begin(&kept, start, options),
        streams: options.streams,
        since: options.since,
        until: options.until,
        end: (!options.follow).then_some(kept.next()),
        ready: VecDeque::new(),
        done: false,
        log: log.clone(),
    };
    drop(kept);
    reader.done = reader.streams_are_none();
    Ok(LogStream::new(stream::unfold(reader, |mut reader| async {
        let item = reader.next().await?;
        Some((Ok(item), reader))
    })))
}

/// Where reading begins: behind the cursor, and where the tail begins in each stream.
fn begin(kept: &Kept, mut place: Place, options: &LogOptions) -> Place {
    for stream in STREAMS {
        let told = &mut place.told[index(stream)];
        if let Some(lines) = options.tail {
            let counts = |record: &Record| options.until.is_none_or(|until| record.at <= until);
            *told = kept.tail(stream, lines, counts).max(*told);
        }
        // What made room before the time that is asked for is not missed.
        let oldest = kept.records.front();
        if options
            .since
            .is_some_and(|since| oldest.is_some_and(|oldest| oldest.at <= since))
        {
            *told = kept.begin(stream).max(*told);
        }
    }
    place
}

impl Reader {
    fn streams_are_none(&self) -> bool {
        STREAMS.iter().all(|stream| !self.streams.contains(*stream))
    }

    async fn next(&mut self) -> Option<LogItem> {
        loop {
            if let Some(item) = self.ready.pop_front() {
                return Some(item);
            }
            if self.done {
                return None;
            }
            let log = self.log.clone();
            let mut grown = std::pin::pin!(log.grown.notified());
            // Listening before looking: what is written between the two wakes us.
            grown.as_mut().enable();
            if self.take(&log.kept()) {
                match self.time_left() {
                    None => grown.await,
                    // The time that was asked for passes though nothing is written.
                    Some(left) => {
                        if tokio::time::timeout(left, grown).await.is_err() {
                            self.done = true;
                        }
                    }
                }
            }
        }
    }

    fn time_left(&self) -> Option<std::time::Duration> {
        let until = self.until?;
        Some(until.duration_since(SystemTime::now()).unwrap_or_default())
    }

    /// Takes what is there; true if there was nothing, and more may come.
    fn take(&mut self, kept: &Kept) -> bool {
        for stream in STREAMS {
            self.count_loss(stream, kept.begin(stream));
        }
        let mut taken = 0;
        for record in kept.from(self.place.next).take(BATCH) {
            if self.end.is_some_and(|end| record.number >= end) {
                break;
            }
            taken += 1;
            self.tell(record);
        }
        let at_end = self.end.is_some_and(|end| self.place.next >= end)
            || (kept.closed && self.place.next >= kept.next());
        self.done |= at_end;
        taken == 0 && !self.done
    }

    fn count_loss(&mut self, stream: LogStreamKind, begin: u64) {
        let told = &mut self.place.told[index(stream)];
        let lost = begin.saturating_sub(*told);
        *told = begin.max(*told);
        if lost > 0 && self.streams.contains(stream) {
            self.ready.push_back(LogItem::Lost {
                stream: Some(stream),
                bytes: Some(lost),
            });
        }
    }

    fn tell(&mut self, record: &Record) {
        let told = &mut self.place.told[index(record.stream)];
        let begin = told.saturating_sub(record.offset);
        *told = record.end().max(*told);
        self.place.next = record.number + 1;
        if self.until.is_some_and(|until| record.at > until) {
            // Records are in the order of their times.
            self.done = true;
            return;
        }
        let wanted = self.streams.contains(record.stream)
            && self.since.is_none_or(|since| record.at >= since);
        if let Ok(begin) = usize::try_from(begin)
            && begin < record.bytes.len()
            && wanted
        {
            self.ready.push_back(LogItem::Piece(LogPiece::new(
                record.stream,
                record.bytes.slice(begin..),
                Some(record.at),
                self.place.cursor(),
            )));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_read_back_from_its_cursor() {
        let place = Place {
            log: 3,
            next: 7,
            told: [123, 0],
        };
        assert_eq!(Place::from_cursor(&place.cursor()), Some(place));
        for bad in ["", "1", "1.2.3", "1.2.3.4.5", "a.b.c.d"] {
            assert_eq!(Place::from_cursor(&LogCursor::new(bad)), None, "{bad}");
        }
    }
}
