//! What an agent is to be, said without an engine in mind.

mod container;
mod debug;
mod declared;
mod environment;
mod hash;
mod lifecycle;
mod limits;
mod probe;
mod secret;
mod supplement;
mod validate;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use container::{ContainerSpec, HealthCheck, InvalidMount, Mount, Pull};
pub use declared::{Declared, NetworkSpec, VolumeSpec};
pub use hash::SpecHash;
pub use lifecycle::{Ready, ReadyCheck, Restart, RestartBy, RestartPolicy, Stop};
pub use limits::{ByteSize, InvalidByteSize, InvalidUser, Limits, User};
pub use probe::{Alive, HttpTarget, InvalidHttpTarget, Probe, is_link_local};
pub use secret::{Secret, SecretDelivery, SecretSource, SecretSpec};
pub use supplement::Supplement;
pub(crate) use validate::program as check_program;
pub use validate::{MAX_ARGUMENT, RESERVED_PREFIX};

use crate::id::{AgentId, Incarnation, InvalidId, SwarmUid};

/// What an agent is to be: a program, and all that surrounds it.
///
/// Engine-neutral, but for [`container`](Self::container), which says how the agent is put into a container
/// where the backend is a container engine, and is not read elsewhere. What a backend cannot honour is
/// [`Unsupported`](crate::ErrorKind::Unsupported), never quietly weakened.
///
/// ```
/// use alveary_core::{AgentSpec, Restart};
/// use std::time::Duration;
///
/// let spec = AgentSpec::new("echo", ["python3", "agent.py"])
///     .env("LOG", "info")
///     .capability("summarise")
///     .restart(Restart::on_failure().at_most(5, Duration::from_secs(60)))
///     .grace(Duration::from_secs(5));
/// assert!(spec.validate().is_ok());
/// ```
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct AgentSpec {
    /// What people call it. Managers keep names unique.
    pub name: String,
    /// The program and its arguments. May be empty where an image says what to run.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub command: Vec<String>,
    /// The environment that it is given. See [`inherit`](Self::inherit) for the rest.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, String>,
    /// Variables that are handed on from the caller's environment where they are set there, beneath `env`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub inherit: Vec<String>,
    /// Secrets by the name of the variable under which the agent finds them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub secrets: BTreeMap<String, SecretSpec>,
    /// The working directory: absolute.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cwd: Option<PathBuf>,
    /// What it says it can do.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub capabilities: Vec<String>,
    /// What it may use up.
    #[serde(default, skip_serializing_if = "is_default")]
    pub limits: Limits,
    /// As whom it runs; as the caller unless said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<User>,
    /// How it is asked to end.
    #[serde(default, skip_serializing_if = "is_default")]
    pub stop: Stop,
    /// By what one sees that it is up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ready: Option<Ready>,
    /// Whether it still answers, once it is ready, and what it takes to be sure that it does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alive: Option<Alive>,
    /// Whether it is started again when it ends.
    #[serde(default, skip_serializing_if = "is_default")]
    pub restart: Restart,
    /// How it is put into a container, where the backend is a container engine.
    #[serde(default, skip_serializing_if = "is_default")]
    pub container: ContainerSpec,
    /// By which hash it is known where it is more than what was asked for: see [`supplemented`](Self::supplemented).
    #[serde(skip)]
    known_by: Option<SpecHash>,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

impl AgentSpec {
    /// An agent that runs `command`.
    pub fn new<S: Into<String>>(
        name: impl Into<String>,
        command: impl IntoIterator<Item = S>,
    ) -> Self {
        Self {
            name: name.into(),
            command: command.into_iter().map(Into::into).collect(),
            env: BTreeMap::new(),
            inherit: Vec::new(),
            secrets: BTreeMap::new(),
            cwd: None,
            capabilities: Vec::new(),
            limits: Limits::default(),
            user: None,
            stop: Stop::default(),
            ready: None,
            alive: None,
            restart: Restart::default(),
            container: ContainerSpec::default(),
            known_by: None,
        }
    }

    /// Sets a variable of its environment.
    #[must_use]
    pub fn env(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.env.insert(key.into(), value.into());
        self
    }

    /// Hands on a variable of the caller's environment, where it is set.
    #[must_use]
    pub fn inherit(mut self, key: impl Into<String>) -> Self {
        self.inherit.push(key.into());
        self
    }

    /// Gives it a secret: as a file whose path is in the variable `KEY_FILE`, unless the secret says
    /// otherwise.
    #[must_use]
    pub fn secret(mut self, key: impl Into<String>, secret: impl Into<SecretSpec>) -> Self {
        self.secrets.insert(key.into(), secret.into());
        self
    }

    /// Sets its working directory.
    #[must_use]
    pub fn cwd(mut self, cwd: impl Into<PathBuf>) -> Self {
        self.cwd = Some(cwd.into());
        self
    }

    /// Adds something that it can do.
    #[must_use]
    pub fn capability(mut self, capability: impl Into<String>) -> Self {
        self.capabilities.push(capability.into());
        self
    }

    /// Sets what it may use up.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Sets as whom it runs.
    #[must_use]
    pub fn user(mut self, user: User) -> Self {
        self.user = Some(user);
        self
    }

    /// Sets how long it has to end once asked.
    #[must_use]
    pub fn grace(mut self, grace: Duration) -> Self {
        self.stop.grace = grace;
        self
    }

    /// Sets how it is asked to end.
    #[must_use]
    pub fn stop(mut self, stop: Stop) -> Self {
        self.stop = stop;
        self
    }

    /// Sets by what one sees that it is up.
    #[must_use]
    pub fn ready(mut self, ready: impl Into<Ready>) -> Self {
        self.ready = Some(ready.into());
        self
    }

    /// Sets by what one sees that it still answers.
    #[must_use]
    pub fn alive(mut self, alive: impl Into<Alive>) -> Self {
        self.alive = Some(alive.into());
        self
    }

    /// Sets whether it is started again when it ends.
    #[must_use]
    pub fn restart(mut self, restart: Restart) -> Self {
        self.restart = restart;
        self
    }

    /// Sets how it is put into a container.
    #[must_use]
    pub fn container(mut self, container: ContainerSpec) -> Self {
        self.container = container;
        self
    }

    /// The whole spec in 128 bits: canonical, and blind to what was left at its default, to the values that
    /// are inherited, to secrets' values and to a [supplement](Supplement). An equal spec has an equal hash in every
    /// version of alveary.
    pub fn hash(&self) -> SpecHash {
        self.known_by.unwrap_or_else(|| hash::of(self))
    }

    /// The variables that an agent of this spec is given by backends that are told each: what it inherits,
    /// sets, and asks for as secrets in variables, and the `ALVEARY_` variables by which its processes are
    /// known. Secrets as files are for the backend to place.
    ///
    /// Holds secrets' values: never print it. `InvalidSpec`: a secret cannot be read.
    pub fn environment(
        &self,
        swarm: SwarmUid,
        id: &AgentId,
        incarnation: Incarnation,
    ) -> crate::Result<BTreeMap<String, String>> {
        environment::of(self, swarm, id, incarnation)
    }

    /// Whether the spec can be right at all, whatever the backend.
    ///
    /// [`InvalidSpec`](crate::ErrorKind::InvalidSpec) names the first thing that cannot. Every backend calls
    /// this before it calls its engine.
    pub fn validate(&self) -> crate::Result<()> {
        validate::spec(self)
    }
}

/// Whether a text can be an agent's name: the form of an [`AgentId`](crate::AgentId).
pub fn check_name(name: &str) -> Result<(), InvalidId> {
    crate::SwarmName::new(name).map(|_| ())
}
