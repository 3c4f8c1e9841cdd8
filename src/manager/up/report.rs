//! What is to be done to bring a swarm up, and what became of it.

use std::fmt;

use alveary_core::{AgentId, AgentInfo, AgentPlan, Error, Result};

/// What is done about one agent.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct UpStep {
    /// Its name.
    pub name: String,
    /// Its id, old or newly drawn.
    pub id: AgentId,
    /// What is done.
    pub action: UpAction,
}

/// A step that would be taken.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct UpPlan {
    /// The step.
    pub step: UpStep,
    /// What the backend says that an agent to be started would come to, or why it would refuse it. `None`
    /// where nothing is started, and where the backend cannot say.
    pub agent: Option<Result<AgentPlan>>,
}

/// What is done about an agent to bring a swarm up.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum UpAction {
    /// It is new.
    Create,
    /// It does not run, and is started again as the same agent.
    Start {
        /// Why it does not run.
        why: String,
    },
    /// It runs and is no longer what the file says: it is stopped and started as that.
    Recreate {
        /// What has changed: names of keys, never values.
        why: String,
    },
    /// It runs and is what the file says.
    Keep,
    /// It is not in the file, and is stopped and removed.
    Prune,
    /// It is not in the file, and is left as it is.
    Foreign,
}

impl UpAction {
    /// Whether an agent is started by it.
    pub fn starts(&self) -> bool {
        matches!(
            self,
            Self::Create | Self::Start { .. } | Self::Recreate { .. }
        )
    }
}

impl fmt::Display for UpStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = alveary_core::Escaped(&self.name);
        match &self.action {
            UpAction::Create => write!(f, "create {name}"),
            UpAction::Start { why } => write!(f, "start {name}: {why}"),
            UpAction::Recreate { why } => write!(f, "recreate {name}: {why}"),
            UpAction::Keep => write!(f, "keep {name}"),
            UpAction::Prune => write!(f, "remove {name}: it is not in the file"),
            UpAction::Foreign => {
                write!(
                    f,
                    "leave {name}: it is not in the file (`--prune` removes it)"
                )
            }
        }
    }
}

/// What became of one step.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct UpOutcome {
    /// What was to be done.
    pub step: UpStep,
    /// How the agent stood then; `None` where there is nothing to tell of it.
    pub result: Result<Option<AgentInfo>>,
}

impl UpOutcome {
    /// How it stood when its start was accepted, if one was made.
    #[must_use]
    pub fn started(&self) -> Option<&AgentInfo> {
        let made = !matches!(self.step.action, UpAction::Keep | UpAction::Foreign);
        self.result.as_ref().ok()?.as_ref().filter(|_| made)
    }
}

/// What became of every step, in the order of the plan.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct UpReport {
    /// One for each step.
    pub outcomes: Vec<UpOutcome>,
}

impl UpReport {
    /// What went wrong.
    pub fn failures(&self) -> impl Iterator<Item = (&UpStep, &Error)> {
        self.outcomes
            .iter()
            .filter_map(|outcome| Some((&outcome.step, outcome.result.as_ref().err()?)))
    }

    /// Whether nothing did.
    pub fn is_success(&self) -> bool {
        self.failures().next().is_none()
    }
}
