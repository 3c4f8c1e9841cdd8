//! From a spec to what an engine is to make of it, without an engine in mind. Pure: both ways to an engine
//! render the same plan, so that one spec gives one container.

mod host;
mod mounts;
mod ports;
mod sockets;
mod words;

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use alveary_core::{
    AgentId, AgentSpec, ContainerSpec, Error, ErrorKind, Incarnation, Operation, Pull, RestartBy,
    RestartPolicy, Result, SecretDelivery, Signal, SwarmUid,
};

use crate::config::{LogSettings, Settings};
use crate::labels::{Labels, Marks};
use crate::names::Names;

pub(crate) use host::{Device, ExtraHost};
pub(crate) use mounts::{PlannedMount, Source, Tmpfs, hands_out_the_host, without_dots};
pub(crate) use ports::Port;
pub(crate) use sockets::holds_a_socket;

/// Where agents find their secrets.
pub(crate) const SECRETS: &str = "/run/secrets/alveary";

/// The environment of an agent. Never shown: values may be anybody's secrets.
#[derive(Clone, PartialEq, Eq, Default)]
pub(crate) struct Environment(pub(crate) BTreeMap<String, String>);

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// What an engine is to make.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Plan {
    pub(crate) name: String,
    /// What it is called until it takes the place of what has `name`.
    pub(crate) next_name: String,
    pub(crate) marks: Marks,
    pub(crate) labels: Labels,
    pub(crate) image: String,
    pub(crate) pull: Pull,
    pub(crate) env: Environment,
    pub(crate) entrypoint: Option<String>,
    pub(crate) command: Vec<String>,
    pub(crate) user: Option<String>,
    pub(crate) workdir: Option<String>,
    pub(crate) mounts: Vec<PlannedMount>,
    pub(crate) tmpfs: Vec<Tmpfs>,
    /// The first is the one that it is made in; none is the engine's default one.
    pub(crate) networks: Vec<String>,
    /// What others in a network find it by, where the engine has names there.
    pub(crate) alias: Option<String>,
    pub(crate) extra_hosts: Vec<ExtraHost>,
    pub(crate) ports: Vec<Port>,
    pub(crate) limits: PlannedLimits,
    pub(crate) security: Security,
    pub(crate) runtime: Option<String>,
    pub(crate) devices: Vec<Device>,
    pub(crate) gpus: Option<Gpus>,
    pub(crate) health: Option<PlannedHealth>,
    pub(crate) log: LogPlan,
    /// `None`: the image's own, else TERM.
    pub(crate) stop_signal: Option<Signal>,
    pub(crate) stop_grace: Duration,
    pub(crate) restart: EngineRestart,
}

/// What it may use up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PlannedLimits {
    pub(crate) memory: Option<u64>,
    /// In billionths of a processor.
    pub(crate) nano_cpus: Option<u64>,
    pub(crate) pids: u64,
    pub(crate) nofile: Option<u64>,
    pub(crate) cpu_seconds: Option<u64>,
    pub(crate) shm: Option<u64>,
}

/// What it may do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Security {
    pub(crate) init: bool,
    pub(crate) no_new_privileges: bool,
    pub(crate) privileged: bool,
    /// All are dropped but these; empty with `privileged`, which has them all.
    pub(crate) cap_add: Vec<String>,
    pub(crate) read_only: bool,
    /// A file's path or `unconfined`.
    pub(crate) seccomp: Option<String>,
    pub(crate) apparmor: Option<String>,
}

/// How its health is looked at, in place of what the image says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PlannedHealth {
    /// For the image's shell, since the programs take nothing else; `None`: it is not looked at.
    pub(crate) script: Option<String>,
    pub(crate) interval: Option<Duration>,
    pub(crate) timeout: Option<Duration>,
    pub(crate) start_period: Option<Duration>,
    pub(crate) retries: Option<u32>,
}

/// Graphics processors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Gpus {
    All,
    Count(u32),
}

/// How the engine keeps what it writes. `driver` is for the engine to choose where nobody says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LogPlan {
    pub(crate) driver: Option<String>,
    pub(crate) settings: LogSettings,
}

/// What the engine does when it ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EngineRestart {
    No,
    OnFailure { max: u32 },
    Always,
}

impl Plan {
    /// What others find it by in this network of its. None in those that come with an engine: they have no names,
    /// and refuse them.
    pub(crate) fn alias_in(&self, network: &str) -> Option<&String> {
        let nameless = matches!(network, "bridge" | "default" | "host" | "none" | "podman")
            || network.contains(':');
        self.alias.as_ref().filter(|_| !nameless)
    }

    /// Engines reckon a grace in whole seconds.
    pub(crate) fn stop_seconds(&self) -> u64 {
        let begun = u64::from(self.stop_grace.subsec_nanos() > 0);
        self.stop_grace.as_secs().saturating_add(begun)
    }
}

impl LogPlan {
    /// The driver and its options; `None` leaves both to an engine whose own is what there is.
    pub(crate) fn resolve(&self, podman: bool) -> Option<(String, BTreeMap<String, String>)> {
        let settings = &self.settings;
        let driver = match (&self.driver, podman) {
            (Some(driver), _) => driver.clone(),
            (None, true) => return None,
            (None, false) => "local".to_owned(),
        };
        let mut options = settings.options.clone();
        if matches!(driver.as_str(), "local" | "json-file") {
            let mut add = |key: &str, value: String| {
                options.entry(key.to_owned()).or_insert(value);
            };
            add("max-size", settings.size.0.to_string());
            add("max-file", settings.files.max(1).to_string());
            if !settings.blocking {
                add("mode", "non-blocking".to_owned());
                add("max-buffer-size", settings.buffer.0.to_string());
            }
        }
        Some((driver, options))
    }
}

/// Whose agent is planned, and with what.
pub(crate) struct Planning<'a> {
    pub(crate) swarm: SwarmUid,
    pub(crate) names: &'a Names,
    pub(crate) settings: &'a Settings,
    /// The host's folder in which this start's secrets lie as files; `None` where it has none.
    pub(crate) secrets: Option<&'a str>,
}

pub(crate) fn invalid(message: impl Into<String>, cure: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidSpec, Operation::Spawn, message).with_cure(cure)
}

impl Planning<'_> {
    /// `InvalidSpec`: what no engine takes, found before any is asked.
    pub(crate) fn plan(
        &self,
        id: &AgentId,
        incarnation: Incarnation,
        spec: &AgentSpec,
    ) -> Result<Plan> {
        let container = &spec.container;
        let marks = Marks {
            swarm: self.swarm,
            id: id.clone(),
            name: spec.name.clone(),
            incarnation,
            spec_hash: spec.hash(),
            capabilities: spec.capabilities.clone(),
            grace: spec.stop.grace,
        };
        let mut mounts = mounts::read(&container.mounts, self.settings)?;
        let mut env = spec.environment(self.swarm, id, incarnation)?;
        for (key, value) in &env {
            words::fits_a_variable(key, value)?;
        }
        for (key, secret) in &spec.secrets {
            if secret.delivery == SecretDelivery::File {
                env.insert(format!("{key}_FILE"), format!("{SECRETS}/{key}"));
            }
        }
        if let Some(folder) = self.secrets {
            mounts.push(PlannedMount::secrets(folder));
        }
        Ok(Plan {
            name: self.names.of(id),
            next_name: self.names.of_next(id),
            labels: marks.to_labels(),
            marks,
            image: self.image(container)?,
            pull: container.pull,
            env: Environment(env),
            // The programs take one word for it; what is behind that is an argument like others.
            entrypoint: container.entrypoint.first().cloned(),
            command: (container.entrypoint.iter().skip(1))
                .chain(&spec.command)
                .cloned()
                .collect(),
            user: words::user(container, spec.user)?,
            workdir: words::workdir(container, spec.cwd.as_deref())?,
            mounts,
            tmpfs: mounts::tmpfs(&container.tmpfs)?,
            networks: words::networks(container)?,
            alias: words::alias(&spec.name),
            extra_hosts: host::extra_hosts(&container.extra_hosts)?,
            ports: ports::read(&container.ports)?,
            limits: self.limits(spec),
            security: security(container)?,
            runtime: words::one_word("runtime", container.runtime.as_ref())?,
            devices: host::devices(&container.devices)?,
            gpus: host::gpus(container.gpus.as_deref())?,
            health: container.health.as_ref().map(host::health),
            log: LogPlan {
                driver: self.settings.log.driver.clone(),
                settings: self.settings.log.clone(),
            },
            stop_signal: spec.stop.signal,
            stop_grace: spec.stop.grace,
            restart: restart(spec),
        })
    }

    fn image(&self, container: &ContainerSpec) -> Result<String> {
        let image = container.image.as_ref().or(self.settings.image.as_ref());
        let Some(image) = image else {
            return Err(invalid(
                "no image is named for it",
                "name one in `container.image`, or in `image` of the backend's settings",
            ));
        };
        words::image(image)?;
        Ok(image.clone())
    }

    fn limits(&self, spec: &AgentSpec) -> PlannedLimits {
        let limits = &spec.limits;
        PlannedLimits {
            memory: limits.memory.map(|memory| memory.0),
            nano_cpus: limits.cpus.map(nano_cpus),
            pids: limits.nproc.unwrap_or(self.settings.pids),
            nofile: limits.nofile,
            cpu_seconds: limits.cpu_time.map(|time| time.as_secs()),
            shm: spec.container.shm.map(|size| size.0),
        }
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a spec has 0.01 to 4096 processors"
)]
fn nano_cpus(cpus: f64) -> u64 {
    (cpus * 1e9).round() as u64
}

fn restart(spec: &AgentSpec) -> EngineRestart {
    match (spec.restart.by, spec.restart.policy) {
        (RestartBy::Engine, RestartPolicy::OnFailure) => EngineRestart::OnFailure {
            max: spec.restart.max,
        },
        (RestartBy::Engine, RestartPolicy::Always) => EngineRestart::Always,
        _ => EngineRestart::No,
    }
}

fn security(container: &ContainerSpec) -> Result<Security> {
    for capability in &container.cap_add {
        words::one_word("cap_add", Some(capability))?;
    }
    Ok(Security {
        init: container.init.unwrap_or(true),
        no_new_privileges: !container.new_privileges && !container.privileged,
        privileged: container.privileged,
        cap_add: container.cap_add.clone(),
        read_only: container.read_only,
        seccomp: container.seccomp.clone(),
        apparmor: words::one_word("apparmor", container.apparmor.as_ref())?,
    })
}

#[cfg(test)]
pub(crate) mod tests;
