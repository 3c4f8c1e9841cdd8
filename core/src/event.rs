//! What happens to agents, as it happens.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::Stream;
use futures_core::stream::BoxStream;

use crate::error::Result;
use crate::id::{AgentId, Incarnation};
use crate::info::AgentInfo;

/// Something happened to an agent.
///
/// Events are hints: an engine may drop some silently, and transitions that follow each other fast may
/// arrive as one. Whoever needs the truth uses [`watch`](crate::AgentBackendExt::watch).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
#[expect(
    clippy::large_enum_variant,
    reason = "nearly all events are of the large variant"
)]
pub enum AgentEvent {
    /// The agent is now as told here.
    Changed(AgentInfo),
    /// The agent is no more in the engine's books.
    Removed {
        /// Who.
        id: AgentId,
        /// The start of it that was there last.
        incarnation: Incarnation,
    },
    /// What agents are made of is on its way to their engine. Of no state: `list` tells nothing of it.
    Fetching(Fetch),
    /// Events were lost: only a new `list` says how things stand.
    Lagged,
}

/// How far something has come that agents are made of and that has to be fetched first: an image.
///
/// Told once for however many agents wait for it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Fetch {
    /// What is fetched, as a spec names it.
    pub what: String,
    /// How far it has come.
    pub stage: FetchStage,
}

/// How far something has come that is fetched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum FetchStage {
    /// It is on its way.
    UnderWay {
        /// So much of it is here.
        done: u64,
        /// So much there is, where that is known yet.
        total: Option<u64>,
        /// What the two count.
        unit: FetchUnit,
    },
    /// All of it is here.
    Here,
    /// It does not come. Why is told to those who wait for it.
    GivenUp,
}

/// What is counted of something that is fetched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum FetchUnit {
    /// Bytes.
    Bytes,
    /// Parts of it, of unknown sizes: an image's layers.
    Parts,
}

impl Fetch {
    /// This has come so far.
    pub fn new(what: impl Into<String>, stage: FetchStage) -> Self {
        Self {
            what: what.into(),
            stage,
        }
    }
}

/// The events of a swarm, in the order in which they happened. Ends only when the engine is gone; the
/// last item is then the error.
#[must_use = "a stream does nothing unless it is polled"]
pub struct EventStream(BoxStream<'static, Result<AgentEvent>>);

impl EventStream {
    /// Takes what a backend's own stream gives.
    pub fn new(stream: impl Stream<Item = Result<AgentEvent>> + Send + 'static) -> Self {
        Self(Box::pin(stream))
    }
}

impl Stream for EventStream {
    type Item = Result<AgentEvent>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.as_mut().poll_next(cx)
    }
}

impl fmt::Debug for EventStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EventStream")
    }
}
