//! Signals that end nothing by themselves.

use async_trait::async_trait;

use crate::error::Result;
use crate::id::{AgentId, Incarnation};
use crate::signal::Signal;

/// Sending signals that end nothing by themselves.
#[async_trait]
pub trait Signals: Send + Sync {
    /// Sends `signal` to the agent's main process. Where `incarnation` is given, to no later start.
    ///
    /// One that is [paused](crate::Pause) takes it when it goes on. `NotFound` for an unknown id, `Conflict`
    /// for an agent that does not run.
    async fn signal(
        &self,
        id: &AgentId,
        signal: Signal,
        incarnation: Option<Incarnation>,
    ) -> Result<()>;
}
