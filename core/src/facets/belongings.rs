//! What is a swarm's own beside its agents: networks and volumes.

use std::net::IpAddr;

use async_trait::async_trait;

use crate::error::{Error, Result};
use crate::spec::AgentSpec;
use crate::subnet::Subnet;

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

    /// The address of this host by which an agent of this spec reaches it: its network's gateway. A network that is the
    /// swarm's own is made if it is not there.
    ///
    /// Whoever listens there is reached by others, too: Linux answers at an address by whatever way a packet comes. Who
    /// comes from one of the [members](HostAddress::members) is of that network, or this host.
    ///
    /// An engine may have that address on the host only while a container is in the network. `Unsupported`: the
    /// agent reaches no address of this host, for want of a network or because the engine is elsewhere.
    async fn host_address(&self, spec: &AgentSpec) -> Result<HostAddress>;
}

/// This host in a network of containers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct HostAddress {
    /// By which the containers reach it.
    pub address: IpAddr,
    /// The addresses of that network, this host's among them.
    pub members: Subnet,
}

impl HostAddress {
    /// This host has this address in the network of these addresses.
    pub fn new(address: IpAddr, members: Subnet) -> Self {
        Self { address, members }
    }

    /// That by which containers reach this host which are in no network but its own.
    pub fn loopback() -> Self {
        let address = IpAddr::from([127, 0, 0, 1]);
        Self::new(address, Subnet::of(address))
    }
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
