//! An agent's log as a stream: to its end, or on until the agent has ended, across whatever becomes of the
//! engine meanwhile.

use std::collections::VecDeque;
use std::time::Duration;

use alveary_core::{AgentId, Error, ErrorKind, LogItem, LogOptions, LogStream, Operation, Result};
use futures_core::stream::BoxStream;
use futures_util::{StreamExt, stream};
use tokio::time::{sleep, timeout};

use super::Containers;
use super::pieces::{Place, Reading, Tail, Taken};
use crate::classify::{Class, Trouble};
use crate::config::UNREADABLE;
use crate::engine::{Engine, LogEntry, Phase, Ref};

/// The longest pause before a log that broke off is asked for again.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// Of whom nothing was heard for so long it is looked whether it has ended: Podman now and then does not end the log
/// of one that ends while somebody begins to follow it. Each look is twice as long after the last.
const FIRST_SILENCE: Duration = Duration::from_secs(5);
const LONGEST_SILENCE: Duration = Duration::from_mins(1);

type Entries = BoxStream<'static, Result<LogEntry, Trouble>>;

impl<E: Engine> Containers<E> {
    pub(super) async fn log_stream(&self, id: &AgentId, options: LogOptions) -> Result<LogStream> {
        let agent = self.find(id, Operation::Logs).await?;
        if options
            .incarnation
            .is_some_and(|meant| meant != agent.marks.incarnation)
        {
            return Err(Error::new(
                ErrorKind::NotFound,
                Operation::Logs,
                "what an earlier start of it wrote went with its container",
            )
            .with_cure("leave the incarnation out to read what the latest start wrote"));
        }
        let driver = agent.container.log_driver.as_str();
        // Of others the engine itself says what it gives back.
        if UNREADABLE.contains(&driver) {
            let trouble = Trouble::new(Class::NoLogs, format!("its driver is `{driver}`"));
            return Err(trouble.error(Operation::Logs));
        }
        let container = agent.container.id.clone();
        let from = match &options.after {
            None => Place::default(),
            Some(cursor) => Place::from_cursor(cursor, &container).ok_or_else(|| {
                Error::new(
                    ErrorKind::InvalidSpec,
                    Operation::Logs,
                    "the cursor is none of this start's log",
                )
                .with_cure("read from the beginning, or name the start that the cursor is of")
            })?,
        };
        let learnt = self.learn().await;
        let facts = learnt.map_err(|trouble| trouble.error(Operation::Logs))?;
        let mends = driver == "local" && facts.drops_line_breaks();
        let reading = Reading::new(container.clone(), &options, from, mends);
        let mut follower = Follower {
            containers: self.clone(),
            container,
            reading,
            ready: VecDeque::new(),
            entries: None,
            last_pass: !options.follow,
            follows: options.follow,
            done: false,
            pause: Duration::from_millis(20),
            silence: FIRST_SILENCE,
        };
        match options.tail {
            // Nothing has so many lines.
            None | Some(u64::MAX) => follower.open().await?,
            Some(lines) => follower.read_tail(lines).await?,
        }
        Ok(LogStream::new(stream::unfold(
            follower,
            |mut follower| async {
                let item = follower.next().await?;
                Some((item, follower))
            },
        )))
    }
}

struct Follower<E> {
    containers: Containers<E>,
    container: Ref,
    reading: Reading,
    ready: VecDeque<LogItem>,
    entries: Option<Entries>,
    /// Nothing is written any more, or nothing later is wanted.
    last_pass: bool,
    /// Whether the last pass comes behind what was followed.
    follows: bool,
    done: bool,
    pause: Duration,
    /// How long nothing may be heard before it is looked at.
    silence: Duration,
}

impl<E: Engine> Follower<E> {
    async fn open(&mut self) -> Result<()> {
        let query = self.reading.query(!self.last_pass);
        let opened = self.containers.engine().logs(&self.container, query).await;
        match opened {
            Ok(entries) => {
                self.entries = Some(entries);
                Ok(())
            }
            Err(trouble) => Err(trouble.error(Operation::Logs)),
        }
    }

    /// What there is now is read to its end, and its last lines are kept; what follows is followed.
    async fn read_tail(&mut self, lines: u64) -> Result<()> {
        let query = self.reading.query(false);
        let mut entries = self
            .containers
            .engine()
            .logs(&self.container, query)
            .await
            .map_err(|trouble| trouble.error(Operation::Logs))?;
        let mut tail = Tail::default();
        while let Some(entry) = entries.next().await {
            let entry = entry.map_err(|trouble| trouble.error(Operation::Logs))?;
            if let Taken::Piece(piece) = self.reading.take(entry) {
                tail.add(piece, lines);
            }
        }
        self.ready.extend(tail.into_pieces().map(LogItem::Piece));
        if self.last_pass {
            self.done = true;
            return Ok(());
        }
        self.reading.again();
        self.open().await
    }

    async fn next(&mut self) -> Option<Result<LogItem>> {
        loop {
            if let Some(item) = self.ready.pop_front() {
                return Some(Ok(item));
            }
            if self.done {
                return None;
            }
            let told = match &mut self.entries {
                Some(entries) if self.last_pass => entries.next().await,
                Some(entries) => match timeout(self.silence, entries.next()).await {
                    Ok(told) => told,
                    Err(_) => {
                        self.look().await;
                        continue;
                    }
                },
                None => match self.open().await {
                    Ok(()) => continue,
                    Err(error) => {
                        if let Err(error) = self.broke_off(error).await {
                            return Some(Err(self.fail(error)));
                        }
                        continue;
                    }
                },
            };
            match told {
                Some(Ok(entry)) => {
                    self.pause = Duration::from_millis(20);
                    if let Taken::Piece(piece) = self.reading.take(entry) {
                        return Some(Ok(LogItem::Piece(piece)));
                    }
                }
                Some(Err(trouble)) if self.last_pass => {
                    // Podman breaks off what it reads of a container that is removed meanwhile.
                    if self.follows && self.is_removed().await {
                        return None;
                    }
                    return Some(Err(self.fail(trouble.error(Operation::Logs))));
                }
                None if self.last_pass => return None,
                Some(Err(trouble)) => {
                    if let Err(error) = self.broke_off(trouble.error(Operation::Logs)).await {
                        return Some(Err(self.fail(error)));
                    }
                }
                None => {
                    let ended = Trouble::new(Class::Lost, "the engine ended the log");
                    if let Err(error) = self.broke_off(ended.error(Operation::Logs)).await {
                        return Some(Err(self.fail(error)));
                    }
                }
            }
        }
    }

    /// Nothing was heard for a while. Whoever has ended says no more: what it has said is then read to its end.
    async fn look(&mut self) {
        self.silence = (self.silence * 2).min(LONGEST_SILENCE);
        let found = self.containers.engine().inspect(&self.container).await;
        if found.is_ok_and(|found| found.is_none_or(|found| found.phase == Phase::Ended)) {
            self.entries = None;
            self.reading.again();
            self.last_pass = true;
        }
    }

    async fn is_removed(&mut self) -> bool {
        let found = self.containers.engine().inspect(&self.container).await;
        matches!(found, Ok(None))
    }

    fn fail(&mut self, error: Error) -> Error {
        self.done = true;
        error
    }

    /// The log came to an end, or an end came to it: which of the two, the container tells. A last pass then
    /// reads what was written between the last word and the end.
    async fn broke_off(&mut self, error: Error) -> Result<()> {
        self.entries = None;
        self.reading.again();
        match self.containers.engine().inspect(&self.container).await {
            // It was removed: nothing is left to read.
            Ok(None) => self.done = true,
            Ok(Some(found)) if found.phase == Phase::Ended || self.reading.is_over() => {
                self.last_pass = true;
            }
            Ok(Some(_)) => self.take_breath().await,
            // Gone for now. What a caller is told of it is what it was told first.
            Err(trouble) if matches!(trouble.class, Class::Unreachable | Class::Lost) => {
                tracing::debug!(%error, "a log broke off, and is asked for again");
                self.take_breath().await;
            }
            Err(_) => return Err(error),
        }
        Ok(())
    }

    async fn take_breath(&mut self) {
        sleep(self.pause).await;
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
    }
}
