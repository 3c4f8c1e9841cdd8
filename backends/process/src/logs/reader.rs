//! Reads an agent's two logs as one stream, from any place, to their end or with what comes.

mod log;

use std::io;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use alveary_core::{
    AgentId, Error, ErrorKind, Incarnation, LogCursor, LogItem, LogOptions, LogPiece, LogStream,
    Operation, Result,
};
use futures_util::future::BoxFuture;
use tokio::sync::Notify;

use super::wake::Wakers;
use super::{LogFolder, Output, STREAMS};
use log::{Log, Read};

/// A follower that was not woken looks for itself.
const LOOK_AGAIN: Duration = Duration::from_millis(500);

/// Completes when nothing more will be written, and says where the output ends: `None` if that is where the
/// log ends now, since no later start is known.
pub(crate) type Over = BoxFuture<'static, Result<Option<[u64; 2]>>>;

/// Waits for that, as often as it is asked.
pub(crate) type WaitOver = Box<dyn Fn() -> Over + Send>;

/// Opens the logs of an agent for the output of one start of it.
///
/// Following ends when that start is over and all that it wrote has been read; what a later start writes is
/// not told, however soon it comes. If it cannot be found out whether it is over, the last item is the error.
/// A cursor of an earlier life of the id points at nothing that is kept: a loss of unknown size is told, and
/// reading begins where this output begins.
pub(crate) fn open(
    folder: &LogFolder,
    wakers: &Wakers,
    id: &AgentId,
    output: Output,
    options: &LogOptions,
    wait_over: WaitOver,
) -> Result<LogStream> {
    let place = match &options.after {
        None => None,
        Some(cursor) => Some(Place::from_cursor(cursor).ok_or_else(|| not_ours(id))?),
    };
    let resume = place.filter(|place| place.life == output.life);
    let mut logs = Vec::with_capacity(2);
    for (at, stream) in STREAMS.into_iter().enumerate() {
        let from = output.from[at].max(resume.map_or(0, |place| place.offsets[at]));
        let extent = (from, output.to.map(|to| to[at]));
        let log = Log::open(folder, id, stream, output.start.into(), extent, options)
            .map_err(|error| failed(id, error))?;
        logs.push(log);
    }
    let follows = options.follow && output.to.is_none();
    let wake = STREAMS.map(|stream| {
        // Without it the follower looks for itself.
        follows.then(|| wakers.follow(&folder.file(id, stream)).ok())?
    });
    let reader = Reader {
        id: id.clone(),
        life: output.life,
        logs,
        over: follows.then(&wait_over),
        wait_over,
        wake,
        until: options.until,
        lost_life: place.is_some() && resume.is_none(),
    };
    Ok(LogStream::new(futures_util::stream::try_unfold(
        Some(reader),
        |reader| async move {
            let Some(mut reader) = reader else {
                return Ok(None);
            };
            Ok(reader.next().await?.map(|item| (item, Some(reader))))
        },
    )))
}

fn not_ours(id: &AgentId) -> Error {
    Error::new(
        ErrorKind::InvalidSpec,
        Operation::Logs,
        "the cursor is not one of this backend's",
    )
    .with_agent(id)
    .with_cure("give back a cursor as it was given out, to the same backend")
}

/// What a cursor says: offsets in the two logs of one life of an id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Place {
    life: Incarnation,
    offsets: [u64; 2],
}

impl Place {
    fn cursor(self) -> LogCursor {
        let [out, err] = self.offsets;
        LogCursor::new(format!("{}:{out}+{err}", self.life))
    }

    fn from_cursor(cursor: &LogCursor) -> Option<Self> {
        let (life, offsets) = cursor.as_str().split_once(':')?;
        let (out, err) = offsets.split_once('+')?;
        Some(Self {
            life: life.parse().ok()?,
            offsets: [out.parse().ok()?, err.parse().ok()?],
        })
    }
}

fn failed(id: &AgentId, error: io::Error) -> Error {
    Error::new(
        ErrorKind::Engine,
        Operation::Logs,
        format!("its log cannot be read: {error}"),
    )
    .with_cure("see to the swarm's state folder, and read it again")
    .with_agent(id)
    .with_source(error)
}

struct Reader {
    id: AgentId,
    life: Incarnation,
    logs: Vec<Log>,
    /// While this start is followed and not known to be over.
    over: Option<Over>,
    wait_over: WaitOver,
    wake: [Option<Arc<Notify>>; 2],
    /// Nothing younger is wanted.
    until: Option<SystemTime>,
    /// Whether reading was to go on in an earlier life.
    lost_life: bool,
}

impl Reader {
    async fn next(&mut self) -> Result<Option<LogItem>> {
        if std::mem::take(&mut self.lost_life) {
            let (stream, bytes) = (None, None);
            return Ok(Some(LogItem::Lost { stream, bytes }));
        }
        loop {
            match self.read().map_err(|error| failed(&self.id, error))? {
                Found::Item(item) => return Ok(Some(item)),
                Found::Overtaken => {
                    let to = (self.wait_over)().await?;
                    self.end(to).await?;
                }
                Found::Nothing if self.over.is_none() => return Ok(None),
                Found::Nothing => self.wait().await?,
            }
        }
    }

    /// The oldest piece that is there to be read.
    fn read(&mut self) -> io::Result<Found> {
        let mut oldest = None;
        for (number, log) in self.logs.iter_mut().enumerate() {
            if !log.wanted || !log.has_more()? {
                continue;
            }
            // What has no time yet has only just been written.
            let age = log.time_of_next().map_or((1, None), |at| (0, Some(at)));
            if oldest.is_none_or(|(oldest, _)| age < oldest) {
                oldest = Some((age, number));
            }
        }
        let Some((_, number)) = oldest else {
            return Ok(Found::Nothing);
        };
        let log = &mut self.logs[number];
        let (stream, at) = (log.stream, log.time_of_next());
        Ok(match log.take()? {
            Read::Nothing => Found::Nothing,
            Read::Overtaken => Found::Overtaken,
            Read::Lost(bytes) => Found::Item(LogItem::Lost {
                stream: Some(stream),
                bytes: Some(bytes),
            }),
            Read::Bytes(bytes) => {
                let place = Place {
                    life: self.life,
                    offsets: [self.logs[0].offset, self.logs[1].offset],
                };
                Found::Item(LogItem::Piece(LogPiece::new(
                    stream,
                    bytes,
                    at,
                    place.cursor(),
                )))
            }
        })
    }

    /// Waits for growth, or for the end; after the end the logs are read once more and that is all.
    async fn wait(&mut self) -> Result<()> {
        let Some(over) = &mut self.over else {
            return Ok(());
        };
        let woken = |wake: &Option<Arc<Notify>>| {
            let wake = wake.clone();
            async move {
                match wake {
                    Some(wake) => wake.notified().await,
                    None => std::future::pending().await,
                }
            }
        };
        let left = self.until.map(|until| {
            let left = until.duration_since(SystemTime::now());
            left.unwrap_or_default()
        });
        let ended = tokio::select! {
            to = over => Some(to?),
            () = woken(&self.wake[0]) => None,
            () = woken(&self.wake[1]) => None,
            () = tokio::time::sleep(left.map_or(LOOK_AGAIN, |left| left.min(LOOK_AGAIN))) => None,
        };
        if let Some(to) = ended {
            self.end(to).await?;
        }
        for log in &mut self.logs {
            log.refresh().map_err(|error| failed(&self.id, error))?;
        }
        if left.is_some_and(|left| left.is_zero()) {
            // The time that was asked for has passed, whether the agent has ended or not.
            self.over = None;
        }
        Ok(())
    }

    /// This start is over: nothing behind `to` is its output.
    async fn end(&mut self, mut to: Option<[u64; 2]>) -> Result<()> {
        self.over = None;
        if to.is_none() && !self.end_here(Log::end_here)? {
            // A later one may have come between the answer and this look.
            to = (self.wait_over)().await?;
            if to.is_none() {
                self.end_here(|log| log.end_here_surely().map(|()| true))?;
            }
        }
        for (log, to) in self.logs.iter_mut().zip(to.into_iter().flatten()) {
            log.end_at(to);
        }
        Ok(())
    }

    /// Whether all logs end as `end` says.
    fn end_here(&mut self, end: impl Fn(&mut Log) -> io::Result<bool>) -> Result<bool> {
        let mut is_sure = true;
        for log in &mut self.logs {
            is_sure &= end(log).map_err(|error| failed(&self.id, error))?;
        }
        Ok(is_sure)
    }
}

enum Found {
    Nothing,
    Overtaken,
    Item(LogItem),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_read_back_from_its_cursor() {
        let place = Place {
            life: Incarnation::random(),
            offsets: [u64::MAX, 7],
        };
        assert_eq!(Place::from_cursor(&place.cursor()), Some(place));
        for bad in ["", "7+8", "7:8+9", &format!("{}:7", place.life)] {
            assert_eq!(Place::from_cursor(&LogCursor::new(bad)), None, "{bad}");
        }
    }
}
