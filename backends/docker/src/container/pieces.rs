//! Places in a container's log, by the times that the engine gives its entries: without gap or repetition
//! across readers, managers and ways to the engine.

use std::time::SystemTime;

use alveary_core::{LogCursor, LogOptions, LogPiece, LogStreamKind, LogStreams};
use jiff::{SignedDuration, Timestamp};

use crate::engine::{LogEntry, LogQuery, Ref};

/// Entries of the two streams may stand in the log in another order than their times say, by less than this.
const DISORDER: SignedDuration = SignedDuration::from_secs(60);

/// How far one stream was read: every entry before `at`, and the first `count` that bear that very time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Mark {
    at: Timestamp,
    count: u32,
}

/// How far both streams were read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Place {
    stdout: Mark,
    stderr: Mark,
}

impl Place {
    fn of(&mut self, stream: LogStreamKind) -> &mut Mark {
        match stream {
            LogStreamKind::Stderr => &mut self.stderr,
            _ => &mut self.stdout,
        }
    }

    fn advance(&mut self, entry: &LogEntry) {
        let mark = self.of(entry.stream);
        match entry.at.cmp(&mark.at) {
            std::cmp::Ordering::Greater => {
                *mark = Mark {
                    at: entry.at,
                    count: 1,
                };
            }
            std::cmp::Ordering::Equal => mark.count += 1,
            // The clock was set back: the place stays where time was furthest.
            std::cmp::Ordering::Less => {}
        }
        // A stream that is silent need not be read from its beginning for that.
        let furthest = self.stdout.at.max(self.stderr.at);
        if let Ok(surely_read) = furthest.checked_sub(DISORDER) {
            for mark in [&mut self.stdout, &mut self.stderr] {
                if mark.at < surely_read {
                    *mark = Mark {
                        at: surely_read,
                        count: 0,
                    };
                }
            }
        }
    }

    /// From where the engine has to read for nothing to be missed.
    fn since(&self, streams: LogStreams) -> Option<Timestamp> {
        let at = match streams {
            LogStreams::Stdout => self.stdout.at,
            LogStreams::Stderr => self.stderr.at,
            _ => self.stdout.at.min(self.stderr.at),
        };
        (at > Timestamp::UNIX_EPOCH).then_some(at)
    }

    fn cursor(&self, container: &Ref) -> LogCursor {
        let mark = |mark: Mark| format!("{}.{}", mark.at.as_nanosecond(), mark.count);
        let id: String = container.as_str().chars().take(12).collect();
        LogCursor::new(format!("{id}:{}:{}", mark(self.stdout), mark(self.stderr)))
    }

    /// `None` for a cursor that is none of this container's.
    pub(super) fn from_cursor(cursor: &LogCursor, container: &Ref) -> Option<Self> {
        let mark = |text: &str| {
            let (at, count) = text.split_once('.')?;
            Some(Mark {
                at: Timestamp::from_nanosecond(at.parse().ok()?).ok()?,
                count: count.parse().ok()?,
            })
        };
        let mut parts = cursor.as_str().split(':');
        let id = parts.next().filter(|id| id.len() == 12)?;
        let place = Self {
            stdout: mark(parts.next()?)?,
            stderr: mark(parts.next()?)?,
        };
        (container.as_str().starts_with(id) && parts.next().is_none()).then_some(place)
    }
}

/// Reads entries into pieces: leaves out what was read before and what is not asked for.
#[derive(Debug)]
pub(super) struct Reading {
    container: Ref,
    streams: LogStreams,
    since: Option<Timestamp>,
    until: Option<Timestamp>,
    /// Where this pass over the log began, and how many entries of just that time it has met.
    from: Place,
    met: [u32; 2],
    place: Place,
    /// Whether the engine drops the line break of a line that it kept in parts.
    mends: bool,
    /// The time of the last entry of each stream that has no line break at its end.
    open: [Option<Timestamp>; 2],
}

/// What becomes of an entry.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Taken {
    Piece(LogPiece),
    /// It was read before, or is not asked for.
    Nothing,
}

fn moment(time: Option<SystemTime>) -> Option<Timestamp> {
    time.and_then(|time| Timestamp::try_from(time).ok())
}

impl Reading {
    pub(super) fn new(container: Ref, options: &LogOptions, from: Place, mends: bool) -> Self {
        Self {
            container,
            streams: options.streams,
            since: moment(options.since),
            until: moment(options.until),
            from,
            met: [0; 2],
            place: from,
            mends,
            open: [None; 2],
        }
    }

    /// The log is read anew, from the place that was reached.
    pub(super) fn again(&mut self) {
        self.from = self.place;
        self.met = [0; 2];
        self.open = [None; 2];
    }

    pub(super) fn query(&self, follow: bool) -> LogQuery {
        LogQuery {
            follow,
            since: self.from.since(self.streams).max(self.since),
            stdout: self.streams.contains(LogStreamKind::Stdout),
            stderr: self.streams.contains(LogStreamKind::Stderr),
        }
    }

    /// The parts of a long line bear one time. Where an entry of another time follows one without a line
    /// break, there was one.
    fn mend(&mut self, entry: &mut LogEntry) {
        let open = &mut self.open[usize::from(entry.stream == LogStreamKind::Stderr)];
        if open.is_some_and(|at| at != entry.at) {
            let mended: Vec<u8> = [b"\n", &entry.bytes[..]].concat();
            entry.bytes = mended.into();
        }
        *open = (entry.bytes.last() != Some(&b'\n')).then_some(entry.at);
    }

    pub(super) fn take(&mut self, mut entry: LogEntry) -> Taken {
        if !self.streams.contains(entry.stream) {
            return Taken::Nothing;
        }
        if self.mends {
            self.mend(&mut entry);
        }
        let from = *self.from.of(entry.stream);
        if from.at > Timestamp::UNIX_EPOCH {
            let met = &mut self.met[usize::from(entry.stream == LogStreamKind::Stderr)];
            if entry.at == from.at && *met < from.count {
                *met += 1;
                return Taken::Nothing;
            }
            if entry.at < from.at {
                return Taken::Nothing;
            }
        }
        self.place.advance(&entry);
        let early = self.since.is_some_and(|since| entry.at < since);
        let late = self.until.is_some_and(|until| entry.at > until);
        if early || late {
            return Taken::Nothing;
        }
        Taken::Piece(LogPiece::new(
            entry.stream,
            entry.bytes,
            Some(entry.at.into()),
            self.place.cursor(&self.container),
        ))
    }

    /// Whether nothing more that is asked for can come.
    pub(super) fn is_over(&self) -> bool {
        self.until.is_some_and(|until| until < Timestamp::now())
    }
}

/// The last so many lines of each stream, in the order of the log.
#[derive(Debug, Default)]
pub(super) struct Tail {
    lines: [std::collections::VecDeque<Vec<(u64, LogPiece)>>; 2],
    open: [bool; 2],
    count: u64,
}

impl Tail {
    pub(super) fn add(&mut self, piece: LogPiece, keep: u64) {
        let stream = usize::from(piece.stream == LogStreamKind::Stderr);
        let lines = &mut self.lines[stream];
        let ends = piece.bytes.last() == Some(&b'\n');
        let numbered = (self.count, piece);
        self.count += 1;
        match lines.back_mut().filter(|_| self.open[stream]) {
            Some(line) => line.push(numbered),
            None => lines.push_back(vec![numbered]),
        }
        self.open[stream] = !ends;
        while lines.len() as u64 > keep {
            lines.pop_front();
        }
    }

    pub(super) fn into_pieces(self) -> impl Iterator<Item = LogPiece> {
        let mut all: Vec<_> = self.lines.into_iter().flatten().flatten().collect();
        all.sort_by_key(|(number, _)| *number);
        all.into_iter().map(|(_, piece)| piece)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    fn entry(stream: LogStreamKind, at: i64, text: &str) -> LogEntry {
        LogEntry {
            stream,
            at: Timestamp::from_second(1_000_000 + at).unwrap(),
            bytes: Bytes::copy_from_slice(text.as_bytes()),
        }
    }

    fn container() -> Ref {
        Ref::new("0123456789abcdef").unwrap()
    }

    fn log() -> Vec<LogEntry> {
        use LogStreamKind::{Stderr, Stdout};
        vec![
            entry(Stdout, 0, "a\n"),
            entry(Stdout, 0, "b\n"),
            // Its time is before that of the one above it.
            entry(Stderr, -1, "c\n"),
            entry(Stdout, 0, "d\n"),
            entry(Stderr, 2, "e\n"),
            entry(Stdout, 100, "f\n"),
        ]
    }

    fn read(from: Place, options: &LogOptions) -> Vec<LogPiece> {
        let mut reading = Reading::new(container(), options, from, false);
        let since = reading.query(false).since;
        log()
            .into_iter()
            .filter(|entry| since.is_none_or(|since| entry.at >= since))
            .filter_map(|entry| match reading.take(entry) {
                Taken::Piece(piece) => Some(piece),
                Taken::Nothing => None,
            })
            .collect()
    }

    #[test]
    fn behind_each_cursor_is_the_rest_of_the_log() {
        let all = read(Place::default(), &LogOptions::default());
        assert_eq!(all.len(), 6);
        for (at, piece) in all.iter().enumerate() {
            let place = Place::from_cursor(&piece.cursor, &container()).unwrap();
            let rest = read(place, &LogOptions::default());
            assert_eq!(rest, all[at + 1..], "behind {at}");
        }
    }

    #[test]
    fn a_cursor_of_another_container_is_refused() {
        let all = read(Place::default(), &LogOptions::default());
        let other = Ref::new("fedcba9876543210").unwrap();
        assert_eq!(Place::from_cursor(&all[0].cursor, &other), None);
        for text in [
            "",
            "0123456789ab",
            "0123456789ab:x:y",
            ":0.0:0.0",
            "0123456789ab:0.0:0.0:0.0",
        ] {
            assert_eq!(
                Place::from_cursor(&LogCursor::new(text), &container()),
                None
            );
        }
    }

    #[test]
    fn a_tail_counts_lines_and_not_entries() {
        use LogStreamKind::Stdout;
        let mut reading =
            Reading::new(container(), &LogOptions::default(), Place::default(), false);
        let mut tail = Tail::default();
        for part in ["1\n", "lo", "ng\n", "la", "st"] {
            if let Taken::Piece(piece) = reading.take(entry(Stdout, 1, part)) {
                tail.add(piece, 2);
            }
        }
        let text: Vec<u8> = tail
            .into_pieces()
            .flat_map(|piece| piece.bytes.to_vec())
            .collect();
        assert_eq!(text, b"long\nlast");
    }

    #[test]
    fn the_line_break_that_docker_20_drops_behind_a_long_line_is_put_back() {
        use LogStreamKind::Stdout;
        let options = LogOptions::default();
        let mut reading = Reading::new(container(), &options, Place::default(), true);
        let mut read = |at, text: &str| match reading.take(entry(Stdout, at, text)) {
            Taken::Piece(piece) => String::from_utf8_lossy(&piece.bytes).into_owned(),
            Taken::Nothing => String::new(),
        };
        let parts = [
            read(1, "long"),
            read(1, "er"),
            read(2, "next\n"),
            read(2, "last"),
        ];
        assert_eq!(parts, ["long", "er", "\nnext\n", "last"]);
    }
}
