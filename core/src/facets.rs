//! What not every engine can do. A backend that has a facet returns it; one that has not returns `None`:
//! the capability and the implementation are one fact.

use async_trait::async_trait;

use crate::error::Result;
use crate::id::{AgentId, Incarnation};
use crate::signal::Signal;

/// Sending signals that end nothing by themselves.
#[async_trait]
pub trait Signals: Send + Sync {
    /// Sends `signal` to the agent's main process. Where `incarnation` is given, to no later start.
    ///
    /// `NotFound` for an unknown id, `Conflict` for an agent that does not run.
    async fn signal(
        &self,
        id: &AgentId,
        signal: Signal,
        incarnation: Option<Incarnation>,
    ) -> Result<()>;
}
