//! Holding an agent still, and letting it go on.

use async_trait::async_trait;

use crate::error::Result;
use crate::id::{AgentId, Incarnation};

/// Holding an agent still, and letting it go on.
///
/// A paused agent is [`Running`](crate::AgentState::Running) with [`paused`](crate::AgentInfo::paused) set: it
/// keeps its memory and its connections, and none of its processes does anything. Events tell of both verbs.
///
/// Both are idempotent. `NotFound`: an unknown id. `Conflict`: it does not run, or the options name another
/// start. A [stop](crate::AgentBackend::stop) works as ever: it lets the agent go on once it has sent the stop
/// signal, so that the agent can handle it within the grace.
#[async_trait]
pub trait Pause: Send + Sync {
    /// Holds all processes of the agent still, those too that run beside it. `Ok` means that they are.
    ///
    /// `Conflict` also for one that is being stopped.
    async fn freeze(&self, id: &AgentId, options: PauseOptions) -> Result<()>;

    /// Lets them go on.
    async fn thaw(&self, id: &AgentId, options: PauseOptions) -> Result<()>;
}

/// How to pause, or to resume.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct PauseOptions {
    /// Means this start of the agent and no later one.
    pub incarnation: Option<Incarnation>,
}

impl PauseOptions {
    /// Means this start of the agent and no later one.
    #[must_use]
    pub fn with_incarnation(mut self, incarnation: Incarnation) -> Self {
        self.incarnation = Some(incarnation);
        self
    }
}
