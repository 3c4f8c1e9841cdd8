//! A swarm's state as a stream for its users.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use alveary_core::{AgentId, Fetch};
use futures_core::Stream;
use futures_core::stream::BoxStream;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;

use super::agent::Agent;
use super::core::Core;

/// What happens in a swarm.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum SwarmEvent {
    /// Everything as it is now: whoever is not in it is not there. The first item is one; another follows
    /// whenever changes may have been missed.
    Snapshot(Vec<Agent>),
    /// One agent is now as told here.
    Changed(Box<Agent>),
    /// One agent is no more.
    Removed(AgentId),
    /// What agents are made of is on its way to their engine.
    Fetching(Fetch),
    /// The engine cannot be heard: all states are unknown until the next snapshot.
    Lost {
        /// What is the matter.
        why: String,
    },
}

/// A snapshot, then what changes, as long as the manager lives. A slow reader is never waited for: it is
/// given a new snapshot in place of what it has missed.
#[must_use = "a stream does nothing unless it is polled"]
pub struct Subscription(BoxStream<'static, SwarmEvent>);

impl Subscription {
    pub(super) fn new<B: ?Sized + Send + Sync + 'static>(core: &Arc<Core<B>>) -> Self {
        // Not the manager itself: a subscription that is forgotten keeps nothing alive.
        let core = Arc::downgrade(core);
        let stream = futures_util::stream::unfold(None, move |heard| {
            let core = core.clone();
            async move {
                let heard: Option<Receiver<SwarmEvent>> = heard;
                if let Some(mut news) = heard {
                    match news.recv().await {
                        Ok(event) => return Some((event, Some(news))),
                        Err(RecvError::Closed) => return None,
                        Err(RecvError::Lagged(_)) => {}
                    }
                }
                let (agents, news) = core.upgrade()?.table.subscribe();
                Some((SwarmEvent::Snapshot(agents), Some(news)))
            }
        });
        Self(Box::pin(stream))
    }
}

impl Stream for Subscription {
    type Item = SwarmEvent;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.as_mut().poll_next(cx)
    }
}

impl fmt::Debug for Subscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Subscription")
    }
}
