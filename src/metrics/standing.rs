//! How agents stand at one moment, in numbers.

use std::collections::BTreeMap;

use alveary_core::{AgentState, BackendKind};

use crate::manager::Agent;

/// The states by which agents are counted, each of which has a number even where it is nought.
const STATES: [&str; 7] = [
    "pending", "starting", "running", "stopping", "exited", "failed", "unknown",
];

/// How the agents of a swarm stand.
#[derive(Debug)]
pub(crate) struct Standing {
    kind: BackendKind,
    by_state: BTreeMap<&'static str, u64>,
    ready: u64,
    heard: bool,
}

impl Standing {
    /// Counts the agents of a backend of this kind; `heard` says whether their engine is.
    pub(crate) fn of(kind: BackendKind, agents: &[Agent], heard: bool) -> Self {
        let mut standing = Self {
            kind,
            by_state: BTreeMap::new(),
            ready: 0,
            heard,
        };
        for agent in agents {
            *standing.by_state.entry(agent.state().as_str()).or_default() += 1;
            let runs = matches!(agent.state(), AgentState::Running);
            standing.ready += u64::from(runs && agent.ready);
        }
        standing
    }

    pub(super) fn backend(&self) -> &str {
        self.kind.as_str()
    }

    pub(super) fn by_state(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let count = |state| self.by_state.get(state).copied().unwrap_or_default();
        STATES.into_iter().map(move |state| (state, count(state)))
    }

    pub(super) fn ready(&self) -> u64 {
        self.ready
    }

    pub(super) fn heard(&self) -> bool {
        self.heard
    }
}
