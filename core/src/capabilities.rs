//! What a backend can and cannot do, so that nobody has to try.

use std::time::Duration;

use crate::error::{Error, Operation, Result};
use crate::spec::{AgentSpec, RestartBy, SecretDelivery, SecretSpec};

/// What a backend promises. Conservative until [`check`](crate::AgentBackend::check) has been called.
///
/// A wrapper may narrow this and never widens it. What stands here as lacking is refused as
/// [`Unsupported`](crate::ErrorKind::Unsupported) when a spec asks for it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Capabilities {
    /// What outlives the death of the manager's process.
    pub survives: Survival,
    /// How surely the whole tree of an agent's processes ends with it.
    pub tree_kill: TreeKill,
    /// What its logs are worth.
    pub logs: LogFidelity,
    /// Which limits it enforces.
    pub limits: LimitSupport,
    /// Whether a secret can be handed over as a file.
    pub secret_files: bool,
    /// Whether an agent can run as another user.
    pub user: bool,
    /// Whether an agent can be given a working directory.
    pub cwd: bool,
    /// Whether `container` is read: the agents are put into containers.
    pub container: bool,
    /// Whether a stopped agent can be told from a killed one by its own signal handler: the agent is sent a
    /// real signal.
    pub signals: bool,
    /// Whether the engine can be left to start its agents again: `restart.by = "engine"`.
    pub engine_restarts: bool,
}

impl Capabilities {
    /// Refuses a spec that cannot be right, and one that asks for what stands here as lacking.
    ///
    /// What every backend does first in [`spawn`](crate::AgentBackend::spawn), before its engine sees
    /// anything. `InvalidSpec`, `Unsupported`.
    pub fn admit(&self, spec: &AgentSpec) -> Result<()> {
        spec.validate()?;
        let (limits, can) = (&spec.limits, self.limits);
        let file = |(_, secret): &(&String, &SecretSpec)| secret.delivery == SecretDelivery::File;
        let asked_for = [
            (limits.memory.is_some(), can.memory, "limits.memory"),
            (limits.cpus.is_some(), can.cpus, "limits.cpus"),
            (limits.cpu_time.is_some(), can.cpu_time, "limits.cpu_time"),
            (limits.nofile.is_some(), can.nofile, "limits.nofile"),
            (limits.nproc.is_some(), can.nproc, "limits.nproc"),
            (spec.user.is_some(), self.user, "user"),
            (spec.cwd.is_some(), self.cwd, "cwd"),
            (
                spec.restart.by == RestartBy::Engine,
                self.engine_restarts,
                "restart.by = \"engine\"",
            ),
        ];
        if let Some((key, _)) = spec.secrets.iter().find(file)
            && !self.secret_files
        {
            return Err(Error::unsupported(
                Operation::Spawn,
                format!("the secret `{key}` cannot be handed over as a file here"),
                "say `as = \"env\"` of it if it may be a variable, or use an engine of this host",
            ));
        }
        match asked_for.iter().find(|(asked, can, _)| *asked && !can) {
            None => Ok(()),
            Some((_, _, what)) => Err(Error::unsupported(
                Operation::Spawn,
                format!("this backend gives its agents no `{what}`"),
                "leave it out, or choose a backend that can",
            )),
        }
    }
}

/// What outlives the death of the manager's process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Survival {
    /// Agents go on, and a new manager finds them.
    pub agents: bool,
    /// How an agent ended meanwhile is known afterwards.
    pub exits: bool,
    /// What an agent wrote meanwhile can be read afterwards.
    pub logs: bool,
}

impl Survival {
    /// Everything outlives the manager.
    pub const ALL: Self = Self {
        agents: true,
        exits: true,
        logs: true,
    };
    /// Everything ends with the manager.
    pub const NOTHING: Self = Self {
        agents: false,
        exits: false,
        logs: false,
    };
}

/// How surely the whole tree of an agent's processes ends with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum TreeKill {
    /// A process can leave the tree and live on.
    #[default]
    BestEffort,
    /// The kernel or the engine holds the tree together: nothing leaves it.
    Enforced,
}

/// What a backend's logs are worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct LogFidelity {
    /// What agents write can be read; else [`logs`](crate::AgentBackend::logs) is
    /// [`Unsupported`](crate::ErrorKind::Unsupported).
    pub readable: bool,
    /// What is read is what was written, invalid UTF-8 and NULs too.
    pub byte_exact: bool,
    /// All that an agent writes comes into its log, however fast it writes. Where not, what comes faster than it
    /// can be kept may be lost, and nothing tells of that.
    pub complete: bool,
    /// Old output makes room for new: the disk that one agent can fill is bounded.
    pub bounded: bool,
    /// What has made room is told as [`Lost`](crate::LogItem::Lost) where it stood. Where not, the log only begins
    /// later.
    pub counted: bool,
    /// How far the time of a piece may be off; `None` where pieces carry no time.
    pub time_resolution: Option<Duration>,
}

/// Which limits a backend enforces.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct LimitSupport {
    /// `limits.memory`
    pub memory: bool,
    /// `limits.cpus`
    pub cpus: bool,
    /// `limits.cpu_time`
    pub cpu_time: bool,
    /// `limits.nofile`
    pub nofile: bool,
    /// `limits.nproc`
    pub nproc: bool,
}
