//! How much the door lets in, and by which names it is called.

use std::net::IpAddr;
use std::num::NonZeroU32;
use std::time::Duration;

use alveary_core::Subnet;

/// The bounds of an HTTP server, and the names that it answers to.
///
/// The defaults suit a coordinator on loopback with a few hundred agents.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Guard {
    /// Names that a request's `Host` may bear besides those of loopback, the addresses listened on,
    /// `host.docker.internal` and `host.containers.internal`; without a port.
    pub hosts: Vec<String>,
    /// The most bytes that a body may have; a longer one is answered 413.
    pub body: usize,
    /// How long a client may take over the head of a request, and how long a connection may idle between two.
    pub header_time: Duration,
    /// How long a client may take over a body; after that it is answered 408.
    pub body_time: Duration,
    /// How long a client may take no byte of an answer before its connection is closed.
    pub write_time: Duration,
    /// The most connections at once, or three quarters of the files that this process may have open, if those are
    /// fewer; one more is answered 503 and closed. An agent of ours has up to seven.
    pub connections: usize,
    /// The most clients that follow events at once; one more is answered 503.
    pub event_clients: usize,
    /// How many requests a caller may make.
    pub rate: Rate,
    /// The longest that a question waits for something to happen; longer wishes are cut to it.
    pub longest_wait: Duration,
    /// Whether anybody without a token is served on addresses other than loopback.
    pub anybody_from_anywhere: bool,
    /// Where clients come from: a connection from anywhere else is closed unread. Empty: from wherever one can reach it.
    pub from: Vec<Subnet>,
    /// How long requests under way may take to end once the server is told to.
    pub drain: Duration,
}

/// How many requests a caller may make: an agent by its token, anybody else by the address it comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// The requests that come back each second.
    pub per_second: NonZeroU32,
    /// The most requests in one burst.
    pub burst: NonZeroU32,
}

impl Guard {
    /// Whether a client with this address is heard.
    pub(super) fn lets_in(&self, address: IpAddr) -> bool {
        self.from.is_empty() || self.from.iter().any(|subnet| subnet.contains(address))
    }
}

impl Default for Guard {
    fn default() -> Self {
        Self {
            hosts: Vec::new(),
            // The longest report, when each of its bytes is written as `\u0001`, and what is around it.
            body: 2 * 1024 * 1024,
            header_time: Duration::from_secs(15),
            body_time: Duration::from_secs(15),
            write_time: Duration::from_secs(30),
            connections: 4096,
            event_clients: 64,
            rate: Rate::default(),
            longest_wait: Duration::from_secs(30),
            anybody_from_anywhere: false,
            from: Vec::new(),
            drain: Duration::from_secs(5),
        }
    }
}

impl Default for Rate {
    fn default() -> Self {
        Self {
            per_second: NonZeroU32::MIN.saturating_add(1_999),
            burst: NonZeroU32::MIN.saturating_add(9_999),
        }
    }
}
