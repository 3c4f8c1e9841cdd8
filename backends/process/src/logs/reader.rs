//! Reads an agent's two logs as one stream, from any place, to their end or with what comes.

use std::fs::File;
use std::future::Future;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use alveary_core::{
    AgentId, Error, ErrorKind, LogCursor, LogItem, LogOptions, LogPiece, LogStream, LogStreamKind,
    Operation, Result,
};
use bytes::Bytes;
use tokio::sync::Notify;

use super::book::{self, Moment};
use super::wake::Wakers;
use super::{LogFolder, STREAMS};

/// The longest piece.
const PIECE: u64 = 64 * 1024;

/// A follower that was not woken looks for itself.
const LOOK_AGAIN: Duration = Duration::from_millis(500);

/// Completes when nothing more will be written.
pub(crate) type Ended = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Opens the logs of an agent, from where each of them stood when the start that is meant began to where it
/// stood when the next one did.
pub(crate) fn open(
    folder: &LogFolder,
    wakers: &Wakers,
    id: &AgentId,
    (from, to): ([u64; 2], [u64; 2]),
    options: &LogOptions,
    ended: Option<Ended>,
) -> Result<LogStream> {
    let resume = match &options.after {
        Some(cursor) => places(cursor).ok_or_else(|| {
            Error::new(
                ErrorKind::InvalidSpec,
                Operation::Logs,
                "the cursor is not one of this backend's",
            )
            .agent(id)
            .cure("give back a cursor as it was given out, to the same backend")
        })?,
        None => [0; 2],
    };
    let mut logs = Vec::with_capacity(2);
    for (at, stream) in STREAMS.into_iter().enumerate() {
        let log = Log::open(
            folder,
            id,
            stream,
            (from[at].max(resume[at]), to[at]),
            options,
        )
        .map_err(|error| failed(id, error))?;
        logs.push(log);
    }
    let follow = ended.map(|ended| Follow {
        ended,
        over: false,
        wake: STREAMS.map(|stream| wakers.follow(&folder.file(id, stream)).ok()),
    });
    let reader = Reader {
        id: id.clone(),
        logs,
        follow,
    };
    Ok(LogStream::new(futures_util::stream::try_unfold(
        reader,
        |mut reader| async move { Ok(reader.next().await?.map(|item| (item, reader))) },
    )))
}

fn failed(id: &AgentId, error: io::Error) -> Error {
    Error::new(
        ErrorKind::Engine,
        Operation::Logs,
        format!("its log cannot be read: {error}"),
    )
    .agent(id)
    .caused_by(error)
}

fn places(cursor: &LogCursor) -> Option<[u64; 2]> {
    let (out, err) = cursor.as_str().split_once('+')?;
    Some([out.parse().ok()?, err.parse().ok()?])
}

struct Reader {
    id: AgentId,
    logs: Vec<Log>,
    follow: Option<Follow>,
}

struct Follow {
    ended: Ended,
    over: bool,
    wake: [Option<Arc<Notify>>; 2],
}

struct Log {
    stream: LogStreamKind,
    wanted: bool,
    file: Option<File>,
    path: PathBuf,
    book: PathBuf,
    /// Where the next piece begins, in all that was ever written.
    offset: u64,
    /// Where the file's first byte stood when it was last looked at.
    base: u64,
    /// Nothing from here on is wanted.
    until: u64,
    moments: Vec<Moment>,
}

impl Reader {
    async fn next(&mut self) -> Result<Option<LogItem>> {
        loop {
            if let Some(item) = self.read().map_err(|error| failed(&self.id, error))? {
                return Ok(Some(item));
            }
            let Some(follow) = &mut self.follow else {
                return Ok(None);
            };
            if follow.over {
                return Ok(None);
            }
            follow.wait().await;
            for log in &mut self.logs {
                log.refresh().map_err(|error| failed(&self.id, error))?;
            }
        }
    }

    /// The oldest piece that is there to be read.
    fn read(&mut self) -> io::Result<Option<LogItem>> {
        let oldest = self
            .logs
            .iter()
            .enumerate()
            .filter(|(_, log)| log.wanted && log.has_more())
            // What has no time yet has only just been written.
            .min_by_key(|(_, log)| {
                book::time_of(&log.moments, log.offset).map_or((1, None), |at| (0, Some(at)))
            })
            .map(|(number, _)| number);
        let Some(number) = oldest else {
            return Ok(None);
        };
        let log = &mut self.logs[number];
        let at = book::time_of(&log.moments, log.offset);
        let read = log.take()?;
        let item = match read {
            Read::Nothing => return Ok(None),
            Read::Lost(bytes) => LogItem::Lost {
                stream: Some(log.stream),
                bytes: Some(bytes),
            },
            Read::Bytes(bytes) => {
                let stream = log.stream;
                let cursor =
                    LogCursor::new(format!("{}+{}", self.logs[0].offset, self.logs[1].offset));
                LogItem::Piece(LogPiece::new(stream, bytes, at, cursor))
            }
        };
        Ok(Some(item))
    }
}

impl Follow {
    /// Waits for growth or for the end; after the end the logs are read once more and that is all.
    async fn wait(&mut self) {
        let woken = |wake: &Option<Arc<Notify>>| {
            let wake = wake.clone();
            async move {
                match wake {
                    Some(wake) => wake.notified().await,
                    None => std::future::pending().await,
                }
            }
        };
        tokio::select! {
            () = &mut self.ended => self.over = true,
            () = woken(&self.wake[0]) => {}
            () = woken(&self.wake[1]) => {}
            () = tokio::time::sleep(LOOK_AGAIN) => {}
        }
    }
}

enum Read {
    Nothing,
    Lost(u64),
    Bytes(Bytes),
}

impl Log {
    fn open(
        folder: &LogFolder,
        id: &AgentId,
        stream: LogStreamKind,
        (from, to): (u64, u64),
        options: &LogOptions,
    ) -> io::Result<Self> {
        let mut log = Self {
            stream,
            wanted: options.streams.contains(stream),
            file: None,
            path: folder.file(id, stream),
            book: folder.book(id, stream),
            offset: from,
            base: 0,
            until: to,
            moments: Vec::new(),
        };
        log.refresh()?;
        log.base = book::read_extent(&log.book)?.base;
        if let Some(since) = options.since {
            log.offset = log.offset.max(book::offset_at(&log.moments, since));
        }
        if let Some(until) = options.until {
            log.until = to.min(end_at(&log.moments, until));
        } else if !options.follow {
            log.until = to.min(log.end()?);
        }
        if let Some(lines) = options.tail {
            log.offset = log.offset.max(log.start_of_last(lines)?);
        }
        Ok(log)
    }

    /// Looks again at what the book says, and for the file if it was not there.
    fn refresh(&mut self) -> io::Result<()> {
        (_, self.moments) = book::read(&self.book)?;
        if self.file.is_none() {
            match File::open(&self.path) {
                Ok(file) => self.file = Some(file),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn end(&self) -> io::Result<u64> {
        let Some(file) = &self.file else { return Ok(0) };
        Ok(book::read_extent(&self.book)?.base + file.metadata()?.len())
    }

    fn has_more(&self) -> bool {
        let has_more = |extent: book::Extent, len: u64| {
            extent.base != self.base || self.offset < extent.head || self.offset < extent.base + len
        };
        let Some(file) = &self.file else { return false };
        let look = || {
            Ok::<_, io::Error>(has_more(
                book::read_extent(&self.book)?,
                file.metadata()?.len(),
            ))
        };
        self.offset < self.until && look().unwrap_or(false)
    }

    fn take(&mut self) -> io::Result<Read> {
        let Some(file) = &self.file else {
            return Ok(Read::Nothing);
        };
        let before = book::read_extent(&self.book)?;
        if before.base != self.base {
            // It was cut off. What we had read of it is more than was known of it when that was noticed: what
            // has come since stands behind the head.
            self.base = before.base;
            self.offset = self.offset.min(before.head);
        }
        if self.offset < before.head {
            let lost = before.head.min(self.until) - self.offset;
            self.offset += lost;
            return Ok(Read::Lost(lost));
        }
        // A piece ends where the time changes, so that the two streams can be told in their order.
        let next_moment = self
            .moments
            .partition_point(|moment| moment.offset <= self.offset);
        let boundary = self
            .moments
            .get(next_moment)
            .map_or(u64::MAX, |moment| moment.offset);
        let most = PIECE
            .min(boundary - self.offset)
            .min(self.until - self.offset);
        let mut bytes = vec![0; usize::try_from(most).unwrap_or(usize::MAX)];
        let len = file.read_at(&mut bytes, self.offset - before.base)?;
        if len == 0 {
            return Ok(Read::Nothing);
        }
        bytes.truncate(len);
        // Had the head gone while we read, we should have read zeros that nobody wrote.
        let after = book::read_extent(&self.book)?;
        if after.base != before.base {
            // It was cut off this very moment: what was read may be of either time.
            return self.take();
        }
        if after.head > self.offset {
            let lost = after.head.min(self.offset + len as u64) - self.offset;
            self.offset += lost;
            return Ok(Read::Lost(lost));
        }
        self.offset += len as u64;
        Ok(Read::Bytes(bytes.into()))
    }

    /// Where the last so many lines begin. A line without its end counts as one.
    fn start_of_last(&self, lines: u64) -> io::Result<u64> {
        let end = self.end()?.min(self.until);
        let Some(file) = &self.file else {
            return Ok(end);
        };
        let extent = book::read_extent(&self.book)?;
        let mut wanted = lines;
        let mut at = end;
        let mut bytes = vec![0; 64 * 1024];
        while at > extent.head && wanted > 0 {
            let from = extent.head.max(at.saturating_sub(bytes.len() as u64));
            let chunk = &mut bytes[..usize::try_from(at - from).unwrap_or(usize::MAX)];
            file.read_exact_at(chunk, from - extent.base)?;
            for (number, &byte) in chunk.iter().enumerate().rev() {
                let place = from + number as u64;
                // The line break at the very end belongs to the last line.
                if byte == b'\n' && place + 1 != end {
                    wanted -= 1;
                    if wanted == 0 {
                        return Ok(place + 1);
                    }
                }
            }
            at = from;
        }
        Ok(if lines == 0 { end } else { extent.head })
    }
}

/// Up to where the log is not younger than `time`.
fn end_at(moments: &[Moment], time: SystemTime) -> u64 {
    let younger = moments.partition_point(|moment| moment.at <= time);
    younger
        .checked_sub(1)
        .and_then(|last| moments.get(last))
        .map_or(0, |moment| moment.offset)
}
