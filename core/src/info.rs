//! What is known of an agent at one moment.

use std::fmt;
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use crate::exit::Exit;
use crate::id::{AgentId, Incarnation};
use crate::ports::PublishedPort;
use crate::spec::SpecHash;

/// What a backend knows of one agent at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct AgentInfo {
    /// Who it is.
    pub id: AgentId,
    /// Which start of it.
    pub incarnation: Incarnation,
    /// What its spec calls it. Managers keep names unique; backends do not.
    pub name: String,
    /// Where it stands.
    pub state: AgentState,
    /// Whether it is held still: see [`Pause`](crate::Pause). One that is still runs, and does nothing.
    #[serde(default)]
    pub paused: bool,
    /// What its engine calls it: a container's id, a process's number. `None` before there is one.
    pub handle: Option<String>,
    /// Its main process's number, as this host sees it.
    pub pid: Option<u32>,
    /// The image it was made from, where it was made from one.
    pub image: Option<String>,
    /// Its published ports, as the engine has published them: also those that the engine chose. In the order of the ports
    /// inside; none while it does not run, and from backends that know of none.
    #[serde(default)]
    pub ports: Vec<PublishedPort>,
    /// What it says it can do.
    pub capabilities: Vec<String>,
    /// Which spec it was started from.
    pub spec_hash: SpecHash,
    /// When this incarnation was accepted. For showing only.
    pub created_at: SystemTime,
    /// When its main process began, by the engine's clock where there is one. An engine that is told by others to run
    /// again what has ended begins a later one within the same incarnation.
    pub started_at: Option<SystemTime>,
}

impl AgentInfo {
    /// What is known at least.
    pub fn new(
        id: AgentId,
        incarnation: Incarnation,
        name: impl Into<String>,
        state: AgentState,
    ) -> Self {
        Self {
            id,
            incarnation,
            name: name.into(),
            state,
            paused: false,
            handle: None,
            pid: None,
            image: None,
            ports: Vec::new(),
            capabilities: Vec::new(),
            spec_hash: SpecHash::default(),
            created_at: SystemTime::now(),
            started_at: None,
        }
    }

    /// How it ended, if it has.
    pub fn exit(&self) -> Option<&Exit> {
        match &self.state {
            AgentState::Exited(exit) => Some(exit),
            _ => None,
        }
    }

    /// Whether this is of a later run of the same incarnation than `before`, which tells how that run ended: its engine
    /// was told by others to run it again, or does so by itself. Who says no times has no such runs.
    pub fn runs_again_after(&self, before: &Self) -> bool {
        self.incarnation == before.incarnation
            && self.began_after(before.exit().and_then(|exit| exit.at))
    }

    pub(crate) fn began_after(&self, ended: Option<SystemTime>) -> bool {
        let began = self.started_at.zip(ended);
        began.is_some_and(|(began, ended)| began >= ended)
    }
}

/// Where an agent stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum AgentState {
    /// It is meant to be, and no process or container is there yet.
    Pending,
    /// The engine has accepted it; it is not up yet.
    Starting {
        /// What it waits for, in the engine's words ("no suitable node").
        reason: Option<String>,
    },
    /// Its main process runs.
    Running,
    /// It was asked to end and has not ended yet.
    Stopping,
    /// It has ended, whatever the code.
    Exited(Exit),
    /// It could not start, or its restarts are used up.
    Failed {
        /// Why, in one sentence.
        reason: String,
    },
    /// It cannot be known now. Never the last known state in disguise.
    Unknown {
        /// What stands between us and the answer.
        why: String,
    },
}

impl AgentState {
    /// The state in one word.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Starting { .. } => "starting",
            Self::Running => "running",
            Self::Stopping => "stopping",
            Self::Exited(_) => "exited",
            Self::Failed { .. } => "failed",
            Self::Unknown { .. } => "unknown",
        }
    }

    /// Whether nothing of this incarnation will run any more.
    pub fn has_ended(&self) -> bool {
        matches!(self, Self::Exited(_) | Self::Failed { .. })
    }

    /// How far in its life an incarnation is in this state; `None` where that is unknown.
    ///
    /// Within one incarnation this only grows, by which a stale report is told from a fresh one; unless the engine runs
    /// again what has ended, and says that it began when that had ended, or later.
    pub fn progress(&self) -> Option<u8> {
        match self {
            Self::Pending => Some(0),
            Self::Starting { .. } => Some(1),
            Self::Running => Some(2),
            Self::Stopping => Some(3),
            Self::Exited(_) | Self::Failed { .. } => Some(4),
            Self::Unknown { .. } => None,
        }
    }
}

impl fmt::Display for AgentState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
