//! How an agent is put into a container. Not read by backends that have none.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{ByteSize, is_default};
use crate::text::Escaped;

/// How an agent is put into a container, where the backend is a container engine.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct ContainerSpec {
    /// The image; the backend's default one where this is `None`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// When the image is pulled.
    #[serde(skip_serializing_if = "is_default")]
    pub pull: Pull,
    /// The networks that it joins.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub networks: Vec<String>,
    /// Volumes and folders that it sees.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub mounts: Vec<Mount>,
    /// Host names that it can resolve besides: `name:address`, where `host-gateway` is the host.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub extra_hosts: Vec<String>,
    /// Ports that the host publishes: `[address:]host:container[/protocol]`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ports: Vec<String>,
    /// As whom it runs inside, where that is not the spec's [`user`](super::AgentSpec::user): a name or
    /// number that the image knows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// The working directory inside, where that is not the spec's [`cwd`](super::AgentSpec::cwd).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workdir: Option<String>,
    /// Whether the root of its file system can be written.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub read_only: bool,
    /// Folders in memory that it can write.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tmpfs: Vec<String>,
    /// What the image runs before the spec's [`command`](super::AgentSpec::command), where that is not what
    /// the image itself says.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub entrypoint: Vec<String>,
    /// Whether a small init is process 1, which reaps orphans and passes signals on. Yes unless said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub init: Option<bool>,
    /// Kernel capabilities that it is given back: all are dropped otherwise.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub cap_add: Vec<String>,
    /// Whether its programs may gain rights by setuid and their like. No unless said.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub new_privileges: bool,
    /// Whether it has all rights over the host.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub privileged: bool,
    /// Its seccomp profile: a file of the host, or `unconfined`; the engine's own unless said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seccomp: Option<String>,
    /// The name of its `AppArmor` profile; the engine's own unless said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub apparmor: Option<String>,
    /// The runtime that the engine runs it by, such as `runsc` or `kata`; the engine's default one unless said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub runtime: Option<String>,
    /// Devices of the host: `/dev/outside[:/dev/inside[:rwm]]`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub devices: Vec<String>,
    /// Graphics processors: `all`, or how many.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gpus: Option<String>,
    /// How large `/dev/shm` is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shm: Option<ByteSize>,
    /// How its health is looked at, in place of what the image says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub health: Option<HealthCheck>,
}

impl ContainerSpec {
    /// Names the image.
    ///
    /// ```
    /// use alveary_core::{AgentSpec, ContainerSpec};
    ///
    /// let surroundings = ContainerSpec::default()
    ///     .image("agent:1")
    ///     .mount("./data:/data:ro".parse()?);
    /// let spec = AgentSpec::new("scribe", ["python3", "agent.py"]).container(surroundings);
    /// assert!(spec.container.mounts[0].read_only);
    /// # Ok::<(), alveary_core::InvalidMount>(())
    /// ```
    #[must_use]
    pub fn image(mut self, image: impl Into<String>) -> Self {
        self.image = Some(image.into());
        self
    }

    /// Joins a network.
    #[must_use]
    pub fn network(mut self, network: impl Into<String>) -> Self {
        self.networks.push(network.into());
        self
    }

    /// Shows it a volume or a folder.
    #[must_use]
    pub fn mount(mut self, mount: Mount) -> Self {
        self.mounts.push(mount);
        self
    }

    /// Publishes a port on the host: `[address:]host:container[/protocol]`.
    #[must_use]
    pub fn port(mut self, port: impl Into<String>) -> Self {
        self.ports.push(port.into());
        self
    }
}

/// How the engine looks at a container's health. Times that are not said are the engine's own.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct HealthCheck {
    /// The program that looks, with its arguments: code 0 is healthy. Without one nothing is looked at,
    /// whatever the image says.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub command: Vec<String>,
    /// The time between two looks.
    #[cfg_attr(feature = "schema", schemars(with = "crate::schema::TimeText"))]
    #[serde(skip_serializing_if = "Option::is_none", with = "humantime_serde")]
    pub interval: Option<Duration>,
    /// How long a look may take.
    #[cfg_attr(feature = "schema", schemars(with = "crate::schema::TimeText"))]
    #[serde(skip_serializing_if = "Option::is_none", with = "humantime_serde")]
    pub timeout: Option<Duration>,
    /// How long after its start failures do not count.
    #[cfg_attr(feature = "schema", schemars(with = "crate::schema::TimeText"))]
    #[serde(skip_serializing_if = "Option::is_none", with = "humantime_serde")]
    pub start_period: Option<Duration>,
    /// After how many failures in a row it is unhealthy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retries: Option<u32>,
}

/// When an image is pulled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Pull {
    /// When it is not there.
    #[default]
    Missing,
    /// Before every start.
    Always,
    /// Not at all: an image that is not there is an error.
    Never,
}

/// A volume or folder that a container sees: `source:target[:ro]`.
///
/// ```
/// use alveary_core::Mount;
///
/// let mount: Mount = "timmy-data:/app/data".parse()?;
/// assert_eq!((mount.source.as_str(), mount.target.as_str(), mount.read_only), ("timmy-data", "/app/data", false));
/// # Ok::<(), alveary_core::InvalidMount>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
#[non_exhaustive]
pub struct Mount {
    /// A volume's name, or a folder of the host.
    pub source: String,
    /// Where it is seen inside: absolute.
    pub target: String,
    /// Whether it can only be read.
    pub read_only: bool,
}

/// The text is no `source:target[:ro]`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is no mount (`volume:/inside` and `/outside:/inside:ro` are)", Escaped(.0))]
pub struct InvalidMount(String);

impl FromStr for Mount {
    type Err = InvalidMount;

    fn from_str(text: &str) -> Result<Self, InvalidMount> {
        let parts: Vec<_> = text.split(':').collect();
        let (source, target, read_only) = match parts[..] {
            [source, target] | [source, target, "rw"] => (source, target, false),
            [source, target, "ro"] => (source, target, true),
            _ => return Err(InvalidMount(text.to_owned())),
        };
        if source.is_empty() || !target.starts_with('/') {
            return Err(InvalidMount(text.to_owned()));
        }
        Ok(Self {
            source: source.to_owned(),
            target: target.to_owned(),
            read_only,
        })
    }
}

impl TryFrom<String> for Mount {
    type Error = InvalidMount;

    fn try_from(text: String) -> Result<Self, InvalidMount> {
        text.parse()
    }
}

impl fmt::Display for Mount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mode = if self.read_only { ":ro" } else { "" };
        write!(f, "{}:{}{mode}", self.source, self.target)
    }
}

impl From<Mount> for String {
    fn from(mount: Mount) -> Self {
        mount.to_string()
    }
}
