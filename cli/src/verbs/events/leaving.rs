//! Agents that their engine has no more: on their way out, or lost.

use std::collections::VecDeque;
use std::time::{Duration, SystemTime};

use alveary::{Agent, AgentId};
use tokio::time::Instant;

/// How long an agent that is removed may be in the records after it is out of the engine: longer than the records are looked
/// at again after a loss, which is for the last time 1.3 s behind it.
const SOON: Duration = Duration::from_secs(2);

/// Whoever removes an agent takes it out of the engine first, and out of the records then. In between it looks like one that is
/// still to be started, which is news only where it stays so.
#[derive(Debug, Default)]
pub(super) struct Leaving(VecDeque<Left>);

/// An agent as it looks since then.
#[derive(Debug)]
pub(super) struct Left {
    pub(super) at: SystemTime,
    pub(super) agent: Agent,
    until: Instant,
}

impl Leaving {
    pub(super) fn add(&mut self, agent: Agent) {
        self.0.push_back(Left {
            at: SystemTime::now(),
            agent,
            until: Instant::now() + SOON,
        });
    }

    /// Takes this one out, if it is among them.
    pub(super) fn take(&mut self, id: &AgentId) -> Option<Left> {
        let at = self.0.iter().position(|left| left.agent.id() == id)?;
        self.0.remove(at)
    }

    /// Waits until one has stayed so, and takes it out. One that nobody waited for to the end stays in.
    pub(super) async fn stayed(&mut self) -> Left {
        loop {
            match self.0.front() {
                Some(first) => tokio::time::sleep_until(first.until).await,
                None => std::future::pending().await,
            }
            if let Some(first) = self.0.pop_front() {
                return first;
            }
        }
    }
}
