//! An agent's output across its restarts, and that of several agents as one stream.

use alveary::{
    Agent, AgentId, Error, ErrorKind, Incarnation, LogItem, LogOptions, LogStream, SwarmEvent,
    SwarmManager,
};
use futures_util::stream::{LocalBoxStream, SelectAll};
use futures_util::{FutureExt, StreamExt};

/// What is heard of one agent among several.
#[derive(Debug)]
pub(crate) struct Heard {
    /// The agent's name.
    pub(crate) name: String,
    pub(crate) what: What,
}

/// Something that it wrote, or the end of it.
#[derive(Debug)]
pub(crate) enum What {
    Item(LogItem),
    /// The reading failed, and nothing more will be heard of it.
    Broken(Error),
    /// It has ended for good, and all that it wrote has been heard, up to this start of it.
    End(Option<Incarnation>),
}

/// The output of several agents as one stream, each followed across its restarts.
#[derive(Default)]
pub(crate) struct Following {
    streams: SelectAll<LocalBoxStream<'static, Heard>>,
    /// How many have more to say.
    open: usize,
}

impl std::fmt::Debug for Following {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Following")
            .field("open", &self.open)
            .finish_non_exhaustive()
    }
}

impl Following {
    /// Follows one agent more. `options` say where to begin.
    pub(crate) fn add(
        &mut self,
        swarm: &SwarmManager,
        id: AgentId,
        name: String,
        options: LogOptions,
    ) {
        let follower = Follower {
            swarm: swarm.clone(),
            id,
            options: options.with_follow(true),
            stream: None,
            followed: None,
        };
        let items = futures_util::stream::unfold(Some(follower), |follower| async move {
            let mut follower = follower?;
            match follower.next().await {
                Ok(Some(item)) => Some((What::Item(item), Some(follower))),
                Ok(None) => Some((What::End(follower.followed), None)),
                Err(error) => Some((What::Broken(error), None)),
            }
        });
        let heard = items.map(move |what| Heard {
            name: name.clone(),
            what,
        });
        self.streams.push(heard.boxed_local());
        self.open += 1;
    }

    /// Whether nobody is followed any more.
    pub(crate) fn is_empty(&self) -> bool {
        self.open == 0
    }

    /// What can be heard without waiting.
    pub(crate) fn at_once(&mut self) -> Option<Heard> {
        let heard = self.streams.next().now_or_never().flatten()?;
        Some(self.count(heard))
    }

    /// Waits for what is heard next. Where nobody is followed it waits for ever.
    pub(crate) async fn next(&mut self) -> Heard {
        match self.streams.next().await {
            Some(heard) => self.count(heard),
            None => std::future::pending().await,
        }
    }

    fn count(&mut self, heard: Heard) -> Heard {
        if !matches!(heard.what, What::Item(_)) {
            self.open -= 1;
        }
        heard
    }
}

/// One agent's output across its restarts.
struct Follower {
    swarm: SwarmManager,
    id: AgentId,
    /// Where to go on.
    options: LogOptions,
    stream: Option<LogStream>,
    /// The start of it that the stream began with.
    followed: Option<Incarnation>,
}

impl Follower {
    /// `None`: it has ended for good.
    async fn next(&mut self) -> Result<Option<LogItem>, Error> {
        loop {
            if self.stream.is_none() && !self.open().await? {
                return Ok(None);
            }
            let Some(stream) = &mut self.stream else {
                continue;
            };
            match stream.next().await {
                Some(Ok(item)) => {
                    if let LogItem::Piece(piece) = &item {
                        self.options.after = Some(piece.cursor.clone());
                    }
                    return Ok(Some(item));
                }
                Some(Err(error)) => return Err(error),
                None => self.stream = None,
            }
        }
    }

    /// Opens the output of the next start, when there is one. `false`: there will be none.
    async fn open(&mut self) -> Result<bool, Error> {
        let Some(next) = self.next_start().await? else {
            return Ok(false);
        };
        if self.followed.is_some() {
            // What was to be left out lies before what has been shown, and so does the place in the last start's log.
            self.options.tail = None;
            self.options.after = None;
        }
        self.followed = Some(next);
        match self.swarm.logs(&self.id, self.options.clone()).await {
            Ok(stream) => {
                self.stream = Some(stream);
                Ok(true)
            }
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Waits for a start that has not been followed. `None`: it has ended for good.
    async fn next_start(&self) -> Result<Option<Incarnation>, Error> {
        loop {
            let agent = match self.swarm.get(&self.id).await {
                Ok(agent) => agent,
                Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
                Err(error) => return Err(error),
            };
            if self.followed != Some(agent.info.incarnation) {
                return Ok(Some(agent.info.incarnation));
            }
            if agent.is_settled() {
                return Ok(None);
            }
            if agent.info.state.has_ended() {
                self.restarted().await;
            } else {
                // Its output has ended, and that it has itself is not known here yet.
                self.swarm.wait(&self.id).await?;
            }
        }
    }

    /// Waits until it has been started again, or will not be.
    async fn restarted(&self) {
        let over =
            |agent: &Agent| agent.is_settled() || Some(agent.info.incarnation) != self.followed;
        let mut events = self.swarm.subscribe().await;
        while let Some(event) = events.next().await {
            let over = match event {
                SwarmEvent::Snapshot(agents) => agents
                    .iter()
                    .find(|agent| *agent.id() == self.id)
                    .is_none_or(over),
                SwarmEvent::Changed(agent) => *agent.id() == self.id && over(&agent),
                SwarmEvent::Removed(id) => id == self.id,
                _ => false,
            };
            if over {
                return;
            }
        }
    }
}
