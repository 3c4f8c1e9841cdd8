//! What a trial needs of a backend, so that what one cannot do is reported and not failed.

use std::path::PathBuf;
use std::sync::Arc;

use alveary_core::{AgentBackend, Capabilities, Result, SwarmUid};

use crate::behaviour::Behaviour;
use crate::errand::Errand;
use crate::harness::{Harness, StrangerKind};

/// What is known of a backend before its trials.
#[derive(Clone)]
pub struct Probe {
    pub(crate) harness: Arc<dyn Harness>,
    pub(crate) capabilities: Capabilities,
    facets: Facets,
    /// The program that becomes a manager to be killed when it is told to; see [`crate::run`].
    pub(crate) manager: Option<PathBuf>,
}

/// What a backend can do besides.
#[derive(Debug, Clone, Copy)]
struct Facets {
    signals: bool,
    exec: bool,
    exec_ends: bool,
    stats: bool,
    pause: bool,
    files: bool,
    belongings: bool,
}

impl Facets {
    fn of(backend: &dyn AgentBackend) -> Self {
        let exec = backend.exec();
        Self {
            signals: backend.signals().is_some(),
            exec: exec.is_some(),
            exec_ends: exec.is_some_and(|exec| exec.ends_when_dropped()),
            stats: backend.stats().is_some(),
            pause: backend.pause().is_some(),
            files: backend.files().is_some(),
            belongings: backend.belongings().is_some(),
        }
    }
}

impl Probe {
    /// Connects for a swarm of its own, checks the engine and asks for its capabilities.
    pub async fn of(harness: Arc<dyn Harness>) -> Result<Self> {
        let swarm = SwarmUid::random();
        let backend = harness.connect(&swarm).await?;
        let checked = backend.check().await;
        let capabilities = backend.capabilities();
        let facets = Facets::of(&*backend);
        drop(backend);
        harness.clean_up(&swarm).await;
        checked?;
        Ok(Self {
            harness,
            capabilities,
            facets,
            manager: None,
        })
    }

    /// Names the program that becomes a manager to be killed: one whose `main` calls [`run`](crate::run)
    /// with this harness.
    #[must_use]
    pub fn with_manager_program(mut self, program: impl Into<PathBuf>) -> Self {
        self.manager = Some(program.into());
        self
    }

    /// What the backend says it can do.
    pub fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }
}

impl std::fmt::Debug for Probe {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Probe")
            .field("harness", &self.harness.name())
            .field("capabilities", &self.capabilities)
            .field("manager", &self.manager)
            .finish_non_exhaustive()
    }
}

/// What a trial needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Need {
    /// Agents that behave so.
    Agent(Behaviour),
    /// A second manager that finds what the first began.
    SecondManager,
    /// Agents that outlive the manager's process, and a program that can be that process.
    Crash,
    /// Exits that outlive the manager's process.
    LastingExits,
    /// Logs that outlive the manager's process.
    LastingLogs,
    /// Logs that hold what was written, whatever it was.
    ByteExactLogs,
    /// Logs that say when.
    LogTimes,
    /// Secrets as files.
    SecretFiles,
    /// A working directory of the spec's choice.
    Cwd,
    /// The sending of signals that end nothing.
    Signals,
    /// Programs beside agents that do this.
    Errand(Errand),
    /// Programs beside agents that end when they are dropped.
    ExecEnds,
    /// What agents use up.
    Stats,
    /// The holding still of agents.
    Pause,
    /// Files in surroundings of the agent's own.
    Files,
    /// Networks and volumes of the swarm's own, and somebody who looks at them.
    Belongings,
    /// A tree of processes that nothing leaves.
    TreeKill,
    /// A witness.
    Witness,
    /// A stranger of this kind.
    Stranger(StrangerKind),
    /// Folders in which the backend keeps something.
    StateDirs,
}

impl Need {
    /// Why it is not met, if it is not.
    pub(crate) fn missing(&self, probe: &Probe) -> Option<String> {
        let Probe {
            harness,
            capabilities,
            facets,
            manager,
        } = probe;
        let (met, why) = match self {
            Self::Agent(behaviour) => {
                let why = format!("this harness has no agent for {behaviour:?}");
                return harness.spec(behaviour).is_none().then_some(why);
            }
            Self::SecondManager => (
                harness.reconnects(capabilities),
                "this backend's agents end with their manager",
            ),
            Self::Crash => (
                capabilities.survives.agents && manager.is_some(),
                "this backend's agents end with the manager's process",
            ),
            Self::LastingExits => (
                capabilities.survives.exits,
                "how an agent ended is lost with the manager's process",
            ),
            Self::LastingLogs => (
                capabilities.survives.logs,
                "logs are lost with the manager's process",
            ),
            Self::ByteExactLogs => (
                capabilities.logs.byte_exact,
                "this backend's logs are not byte-exact",
            ),
            Self::LogTimes => (
                capabilities.logs.time_resolution.is_some(),
                "this backend's logs do not say when",
            ),
            Self::SecretFiles => (
                capabilities.secret_files,
                "this backend hands over no secrets as files",
            ),
            Self::Cwd => (
                capabilities.cwd,
                "this backend gives agents no working directory",
            ),
            Self::Signals => (facets.signals, "this backend sends no signals"),
            Self::Errand(errand) => {
                let why = if facets.exec {
                    format!("this harness has no program for {errand:?}")
                } else {
                    "this backend runs no programs beside its agents".to_owned()
                };
                return (!facets.exec || harness.errand(errand).is_none()).then_some(why);
            }
            Self::ExecEnds => (
                facets.exec_ends,
                "this backend cannot end a program that it runs beside an agent",
            ),
            Self::Stats => (
                facets.stats,
                "this backend does not tell what agents use up",
            ),
            Self::Belongings => (
                facets.belongings && harness.things().is_some(),
                "there are no networks and volumes of a swarm's own here",
            ),
            Self::Files => (
                facets.files,
                "this backend copies no files: its agents have no surroundings of their own",
            ),
            Self::Pause => (facets.pause, "this backend holds no agents still"),
            Self::TreeKill => (
                capabilities.tree_kill == alveary_core::TreeKill::Enforced,
                "a process can leave its agent's tree here",
            ),
            Self::Witness => (
                harness.witness().is_some(),
                "this harness has no witness of what runs",
            ),
            Self::Stranger(kind) => (
                harness.strangers().is_some_and(|makes| makes.can_be(*kind)),
                "this harness makes no such stranger",
            ),
            Self::StateDirs => (
                !harness.state_dirs(&SwarmUid::random()).is_empty(),
                "this backend keeps no files",
            ),
        };
        (!met).then(|| why.to_owned())
    }
}
