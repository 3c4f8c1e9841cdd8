//! The tables `[backends.docker-api]` and `[backends.docker-cli]`.

mod builders;
mod fidelity;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use alveary_core::ByteSize;
use serde::{Deserialize, Serialize};

pub(crate) use fidelity::UNREADABLE;

/// Both ways lead to the same agents.
pub(crate) const FAMILY: &str = "docker";

/// The settings that both ways to an engine share.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct Settings {
    /// The image of agents that name none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// Where the engine is: `unix:///run/docker.sock`, `tcp://host:2376`, `ssh://user@host`. Found as Docker's
    /// users expect unless said: `DOCKER_HOST`, `DOCKER_CONTEXT`, the current context, the usual sockets.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// The folder with `ca.pem`, `cert.pem` and `key.pem`, by which the connection to a `tcp://` engine is secured.
    /// What `DOCKER_TLS_VERIFY` and `DOCKER_CERT_PATH` say unless said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub certificates: Option<PathBuf>,
    /// The program, for `docker-cli` alone: `docker` unless said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub program: Option<String>,
    /// What the names of this swarm's containers begin with: one per swarm. `alveary-` and the swarm's name
    /// unless said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name_prefix: Option<String>,
    /// How the engine keeps what agents write.
    pub log: LogSettings,
    /// The most processes and threads of an agent whose `limits.nproc` says nothing: 1 or more.
    pub pids: u64,
    /// Paths of the host that agents may be given although they hand out the host itself: `/`, the engine's
    /// socket, and folders that hold it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub host_access: Vec<String>,
    /// How long the engine's answers are waited for.
    pub timeout: Timeouts,
    /// How many containers are started, ended or removed at once, at the most. As many as the engine can do
    /// with, which is found by how long it takes, and never more than 16.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at_once: Option<usize>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            image: None,
            host: None,
            certificates: None,
            program: None,
            name_prefix: None,
            log: LogSettings::default(),
            pids: 4096,
            host_access: Vec::new(),
            timeout: Timeouts::default(),
            at_once: None,
        }
    }
}

/// How the engine keeps what agents write.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct LogSettings {
    /// The engine's log driver; `local`, which keeps every byte, unless said. Podman has its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub driver: Option<String>,
    /// How large one of an agent's log files grows before the next is begun.
    pub size: ByteSize,
    /// How many of them are kept.
    pub files: u32,
    /// What waits in the engine's memory for its log to be written. An agent that writes faster for longer is
    /// not blocked: what does not fit is lost.
    pub buffer: ByteSize,
    /// Whether an agent waits instead where the engine cannot keep up: nothing is lost then.
    pub blocking: bool,
    /// Other options of the driver.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub options: BTreeMap<String, String>,
}

impl Default for LogSettings {
    fn default() -> Self {
        Self {
            driver: None,
            size: ByteSize::mib(16),
            files: 4,
            buffer: ByteSize::mib(16),
            blocking: false,
            options: BTreeMap::new(),
        }
    }
}

/// How long the engine's answers are waited for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct Timeouts {
    /// The making, and the starting, of a container.
    #[cfg_attr(feature = "schema", schemars(with = "alveary_core::schema::TimeText"))]
    #[serde(with = "humantime_serde")]
    pub start: Duration,
    /// A removal, and an end by force.
    #[cfg_attr(feature = "schema", schemars(with = "alveary_core::schema::TimeText"))]
    #[serde(with = "humantime_serde")]
    pub remove: Duration,
    /// Anything that is asked.
    #[cfg_attr(feature = "schema", schemars(with = "alveary_core::schema::TimeText"))]
    #[serde(with = "humantime_serde")]
    pub ask: Duration,
    /// An engine that fetches an image, and says nothing of it. It may take as long as it needs for as long as some of
    /// it comes. 10 minutes unless said; by the program, which says nothing while a layer comes, an hour.
    #[cfg_attr(
        feature = "schema",
        schemars(with = "Option<alveary_core::schema::TimeText>")
    )]
    #[serde(
        with = "humantime_serde::option",
        skip_serializing_if = "Option::is_none"
    )]
    pub pull: Option<Duration>,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            start: Duration::from_secs(15),
            remove: Duration::from_secs(10),
            ask: Duration::from_secs(5),
            pull: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_engine_has_as_long_as_the_original_gave_it() {
        let limits = Timeouts::default();
        let seconds = [limits.start, limits.remove, limits.ask].map(|limit| limit.as_secs());
        assert_eq!(seconds, [15, 10, 5]);
    }
}
