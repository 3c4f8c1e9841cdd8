//! The swarm around a coordinator, where there is one.

use std::fmt::Debug;

use alveary_core::AgentId;
use async_trait::async_trait;

/// Starts and stops agents for the original's `/swarm/spawn` and `/swarm/agents/{id}`.
///
/// A coordinator that runs alone has none, and says so to who asks.
#[async_trait]
pub trait Fleet: Debug + Send + Sync + 'static {
    /// Starts the agent that the swarm knows by this name; the error is a sentence for who asked.
    async fn spawn(&self, name: &str) -> Result<Spawned, String>;

    /// Stops an agent; whether it was there to be stopped. The error is a sentence for who asked.
    async fn stop(&self, id: &AgentId) -> Result<bool, String>;
}

/// An agent that was started.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Spawned {
    /// Who it is.
    pub agent_id: AgentId,
    /// What people call it.
    pub name: String,
    /// Its process, where it is one of this machine's.
    pub pid: Option<u32>,
    /// How it stands.
    pub status: String,
}

impl Spawned {
    /// An agent whose process is none of this machine's.
    pub fn new(agent_id: AgentId, name: impl Into<String>, status: impl Into<String>) -> Self {
        Self {
            agent_id,
            name: name.into(),
            pid: None,
            status: status.into(),
        }
    }

    /// Says which process of this machine it is.
    #[must_use]
    pub fn with_pid(mut self, pid: u32) -> Self {
        self.pid = Some(pid);
        self
    }
}
