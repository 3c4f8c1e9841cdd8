//! Looking at an agent from outside: whether it answers.

use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// By what one asks an agent whether it answers. Readiness asks until it does, liveness for as long as it runs.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Probe {
    /// Something accepts a TCP connection at this `host:port`.
    Tcp(String),
    /// Something answers `GET` at this `http://host:port/path` with a status from 200 to 399. The host is the one that
    /// asks, by whichever of its addresses; redirections are not followed, and nothing but the status is read.
    Http(String),
    /// This program, run in the agent's surroundings as [`Exec`](crate::Exec) does, ends with code 0.
    Command(Vec<String>),
}

/// Whether a running agent still answers, and what it takes to be sure that it does not.
///
/// It is looked at from when it is ready. After so many [`failures`](Self::failures) in a row it is stopped, as any stop
/// is, with its grace; whether it is then started again is its restart policy's to say, for which this is an end
/// otherwise than with code 0.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(try_from = "RawAlive", into = "RawAlive")]
#[non_exhaustive]
pub struct Alive {
    /// By what it is asked.
    pub probe: Probe,
    /// The pause between two looks, and before the first. Ten seconds unless said.
    pub interval: Duration,
    /// How long a look may take: one that takes longer has failed. Five seconds unless said.
    pub timeout: Duration,
    /// How many looks in a row fail before it counts as not alive. Three unless said.
    pub failures: u32,
}

const DEFAULT_INTERVAL: Duration = Duration::from_secs(10);
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(5);
const DEFAULT_FAILURES: u32 = 3;

impl Alive {
    /// Asks by this probe, every ten seconds, for five at the most; three failures in a row count.
    pub fn new(probe: Probe) -> Self {
        Self {
            probe,
            interval: DEFAULT_INTERVAL,
            timeout: DEFAULT_TIMEOUT,
            failures: DEFAULT_FAILURES,
        }
    }

    /// Sets the pause between two looks.
    #[must_use]
    pub fn interval(mut self, interval: Duration) -> Self {
        self.interval = interval;
        self
    }

    /// Sets how long a look may take.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Sets how many looks in a row fail before it counts as not alive.
    #[must_use]
    pub fn failures(mut self, failures: u32) -> Self {
        self.failures = failures;
        self
    }
}

impl From<Probe> for Alive {
    fn from(probe: Probe) -> Self {
        Self::new(probe)
    }
}

#[derive(Serialize, Deserialize, Default)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(
    feature = "schema",
    schemars(extend("not" = { "anyOf": [
        { "required": ["tcp", "http"] }, { "required": ["tcp", "command"] }, { "required": ["http", "command"] },
    ] }))
)]
#[serde(deny_unknown_fields, default)]
struct RawAlive {
    /// It is alive as long as something accepts connections at this `host:port`.
    #[serde(skip_serializing_if = "Option::is_none")]
    tcp: Option<String>,
    /// It is alive as long as this host answers at this `http://host:port/path` with a status from 200 to 399.
    #[serde(skip_serializing_if = "Option::is_none")]
    http: Option<String>,
    /// It is alive as long as this program, run beside it, ends with code 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    command: Option<Vec<String>>,
    /// The pause between two looks. `10s` unless said.
    #[cfg_attr(
        feature = "schema",
        schemars(with = "Option<crate::schema::TimeAboveZero>")
    )]
    #[serde(skip_serializing_if = "Option::is_none", with = "humantime_serde")]
    interval: Option<Duration>,
    /// How long a look may take. `5s` unless said.
    #[cfg_attr(
        feature = "schema",
        schemars(with = "Option<crate::schema::TimeAboveZero>")
    )]
    #[serde(skip_serializing_if = "Option::is_none", with = "humantime_serde")]
    timeout: Option<Duration>,
    /// How many looks in a row fail before it is stopped. 3 unless said.
    #[cfg_attr(feature = "schema", schemars(range(min = 1)))]
    #[serde(skip_serializing_if = "Option::is_none")]
    failures: Option<u32>,
}

impl TryFrom<RawAlive> for Alive {
    type Error = &'static str;

    fn try_from(raw: RawAlive) -> Result<Self, &'static str> {
        let probe = match (raw.tcp, raw.http, raw.command) {
            (Some(address), None, None) => Probe::Tcp(address),
            (None, Some(url), None) => Probe::Http(url),
            (None, None, Some(command)) => Probe::Command(command),
            _ => return Err("`alive` has exactly one of `tcp`, `http` and `command`"),
        };
        let alive = Self {
            probe,
            interval: raw.interval.unwrap_or(DEFAULT_INTERVAL),
            timeout: raw.timeout.unwrap_or(DEFAULT_TIMEOUT),
            failures: raw.failures.unwrap_or(DEFAULT_FAILURES),
        };
        if alive.interval.is_zero() || alive.timeout.is_zero() || alive.failures == 0 {
            return Err("`interval`, `timeout` and `failures` of `alive` are above zero");
        }
        Ok(alive)
    }
}

impl From<Alive> for RawAlive {
    fn from(alive: Alive) -> Self {
        let mut raw = Self {
            interval: (alive.interval != DEFAULT_INTERVAL).then_some(alive.interval),
            timeout: (alive.timeout != DEFAULT_TIMEOUT).then_some(alive.timeout),
            failures: (alive.failures != DEFAULT_FAILURES).then_some(alive.failures),
            ..Self::default()
        };
        match alive.probe {
            Probe::Tcp(address) => raw.tcp = Some(address),
            Probe::Http(url) => raw.http = Some(url),
            Probe::Command(command) => raw.command = Some(command),
        }
        raw
    }
}

/// Where a probe over HTTP asks: the parts of `http://host[:port][/path]`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct HttpTarget {
    /// A name or an address, without the brackets of an IPv6 one.
    pub host: String,
    /// The port; 80 unless said.
    pub port: u16,
    /// The path, with what follows it; `/` unless said.
    pub path: String,
}

/// The text is nowhere that a probe over HTTP may ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidHttpTarget {
    /// It is no such URL.
    #[error("it is not of the form http://host:port/path")]
    Form,
    /// What serves a cloud's secrets, or is on the other side of one wire.
    #[error("a link-local address is not the agent's")]
    LinkLocal,
}

impl std::str::FromStr for HttpTarget {
    type Err = InvalidHttpTarget;

    fn from_str(url: &str) -> Result<Self, InvalidHttpTarget> {
        let rest = url.strip_prefix("http://").ok_or(InvalidHttpTarget::Form)?;
        let (authority, path) = match rest.find(['/', '?']) {
            Some(at) => rest.split_at(at),
            None => (rest, "/"),
        };
        let (host, port) = match authority.strip_prefix('[') {
            Some(inner) => {
                let (host, port) = inner.split_once(']').ok_or(InvalidHttpTarget::Form)?;
                let _: Ipv6Addr = host.parse().map_err(|_| InvalidHttpTarget::Form)?;
                (
                    host,
                    port.strip_prefix(':').or(port.is_empty().then_some("80")),
                )
            }
            None => match authority.split_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (authority, Some("80")),
            },
        };
        let port = port.and_then(|port| port.parse().ok());
        let plain = |c: char| c.is_ascii_graphic() && c != '#';
        let named = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':');
        let path = if path.starts_with('/') {
            path.to_owned()
        } else {
            format!("/{path}")
        };
        match port {
            Some(port)
                if !host.is_empty() && host.chars().all(named) && path.chars().all(plain) =>
            {
                if host.parse().is_ok_and(is_link_local) {
                    return Err(InvalidHttpTarget::LinkLocal);
                }
                Ok(Self {
                    host: host.to_owned(),
                    port,
                    path,
                })
            }
            _ => Err(InvalidHttpTarget::Form),
        }
    }
}

/// Whether an address is of a link alone, or a cloud's for its secrets: no probe asks there, whoever names it.
pub fn is_link_local(address: IpAddr) -> bool {
    const METADATA: Ipv6Addr = Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254);
    match address.to_canonical() {
        IpAddr::V4(address) => address.is_link_local(),
        IpAddr::V6(address) => address == METADATA || address.is_unicast_link_local(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_has_its_parts_and_nothing_else_is_one() {
        let target = |host: &str, port, path: &str| {
            Ok(HttpTarget {
                host: host.into(),
                port,
                path: path.into(),
            })
        };
        assert_eq!(
            "http://127.0.0.1:8000/up?x=1".parse(),
            target("127.0.0.1", 8000, "/up?x=1")
        );
        assert_eq!("http://localhost".parse(), target("localhost", 80, "/"));
        assert_eq!("http://[::1]:81?a".parse(), target("::1", 81, "/?a"));
        for bad in [
            "https://localhost/",
            "localhost:80",
            "http://",
            "http://:80/",
            "http://a b/",
            "http://a/ b",
            "http://me@localhost/",
            "http://localhost:99999/",
            "http://[::1/",
            "http://[::1]x/",
            "http://a/\r\nX: y",
        ] {
            assert_eq!(
                bad.parse::<HttpTarget>(),
                Err(InvalidHttpTarget::Form),
                "{bad}"
            );
        }
    }

    #[test]
    fn no_spelling_of_a_metadata_address_is_a_target() {
        for bad in [
            "http://169.254.169.254/latest",
            "http://169.254.0.1:80/",
            "http://[::ffff:169.254.169.254]/",
            "http://[::ffff:a9fe:a9fe]/",
            "http://[fd00:ec2::254]/",
            "http://[fe80::1]/",
        ] {
            assert_eq!(
                bad.parse::<HttpTarget>(),
                Err(InvalidHttpTarget::LinkLocal),
                "{bad}"
            );
        }
    }
}
