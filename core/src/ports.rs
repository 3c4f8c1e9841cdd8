//! Ports of agents that are published where others reach them.

use std::fmt;
use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

/// A port of an agent's container, and where it is reached.
///
/// ```
/// use alveary_core::{PortProtocol, PublishedPort};
///
/// let port = PublishedPort::new(80, PortProtocol::Tcp, ([127, 0, 0, 1], 49153).into());
/// assert_eq!(port.to_string(), "127.0.0.1:49153->80/tcp");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub struct PublishedPort {
    /// The port inside, at which the agent listens.
    pub container: u16,
    /// What is spoken there.
    pub protocol: PortProtocol,
    /// Where the engine's host takes it: an address of that host, or `0.0.0.0` and `[::]` for all that it has.
    pub host: SocketAddr,
}

impl PublishedPort {
    /// A port inside, and where it is reached.
    pub fn new(container: u16, protocol: PortProtocol, host: SocketAddr) -> Self {
        Self {
            container,
            protocol,
            host,
        }
    }
}

/// As Docker's program prints it.
impl fmt::Display for PublishedPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            container,
            protocol,
            host,
        } = self;
        write!(f, "{host}->{container}/{protocol}")
    }
}

/// What is spoken at a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum PortProtocol {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
    /// SCTP.
    Sctp,
}

impl PortProtocol {
    /// The protocol in one word, as it stands behind a port: `tcp`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
            Self::Sctp => "sctp",
        }
    }
}

impl fmt::Display for PortProtocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
