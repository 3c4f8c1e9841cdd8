//! What is a swarm's own beside its agents: networks and volumes.

use std::net::IpAddr;

use async_trait::async_trait;

use crate::error::{Error, Result};
use crate::spec::AgentSpec;

/// Taking away the networks and volumes that were made for the swarm.
///
/// They are made by [`spawn`](crate::AgentBackend::spawn), before the first agent that uses them, from what the
/// [context](crate::ConnectContext::declared) of the backend declares. They are known by marks that they carry, and
/// not by that declaration: what an older one made is found too, and what is somebody else's is never touched.
#[async_trait]
pub trait Belongings: Send + Sync {
    /// Takes away what is the swarm's own and used by nobody. An error where the engine cannot be asked; what became
    /// of each is in the answer.
    async fn discard(&self, options: DiscardOptions) -> Result<Discarded>;

    /// The address of this host by which an agent of this spec reaches it: its network's gateway. Only the containers
    /// of that network, and this host, reach what listens there. A network that is the swarm's own is made if it is not there.
    ///
    /// An engine may have that address on the host only while a container is in the network. `Unsupported`: the
    /// agent reaches no address of this host, for want of a network or because the engine is elsewhere.
    async fn host_address(&self, spec: &AgentSpec) -> Result<IpAddr>;
}

/// How to take a swarm's belongings away.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct DiscardOptions {
    /// The volumes, too, with all that agents have written there.
    pub volumes: bool,
}

impl DiscardOptions {
    /// Takes the volumes, too, with all that agents have written there.
    #[must_use]
    pub fn with_volumes(mut self, volumes: bool) -> Self {
        self.volumes = volumes;
        self
    }
}

/// What became of a swarm's belongings, each by what it is and its name: `network demo_net`.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Discarded {
    /// Those that are gone.
    pub removed: Vec<String>,
    /// Those that stay, since nobody asked for their end.
    pub kept: Vec<String>,
    /// Those that could not be taken away, and why.
    pub left: Vec<(String, Error)>,
}
