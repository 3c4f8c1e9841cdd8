//! An agent as the manager sees it.

use alveary_core::{AgentId, AgentInfo, AgentState, Exit};

use crate::state::{Desired, LeaseHolder};

/// An agent as its swarm's manager sees it: what the engine says, and what only the manager knows.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Agent {
    /// What the engine says, but for the state, which is the manager's: `pending` for one that is recorded
    /// and that the engine does not know, `failed` for one whose restarts are used up, `unknown` while the
    /// engine cannot be heard.
    pub info: AgentInfo,
    /// The name by which all of its kind are addressed; its own where it is the only one.
    pub group: String,
    /// Which of its kind it is, from 1.
    pub index: Option<u32>,
    /// What is wanted of it; `None` where nobody recorded that, as for one of an earlier program.
    pub desired: Option<Desired>,
    /// Whether this start of it is ready: by its check, or by running where it has none.
    pub ready: bool,
    /// How its latest start ended, if it has, `failed` or not.
    pub exit: Option<Exit>,
    /// Whether it has ended and is to be started again by its policy.
    pub restarting: bool,
    /// How often it was restarted since somebody last started it.
    pub restarts: u32,
}

impl Agent {
    /// Who it is.
    pub fn id(&self) -> &AgentId {
        &self.info.id
    }

    /// What people call it.
    pub fn name(&self) -> &str {
        &self.info.name
    }

    /// Where it stands.
    pub fn state(&self) -> &AgentState {
        &self.info.state
    }

    /// Whether it has ended for good: nothing but a person or a program will start it again.
    pub fn is_settled(&self) -> bool {
        self.info.state.has_ended() && !self.restarting
    }

    /// By what agents are put in order: kind, number, name.
    pub(crate) fn place(&self) -> (&str, Option<u32>, &str) {
        (&self.group, self.index, &self.info.name)
    }
}

/// Whether an agent runs, as far as can be known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Running {
    /// Its main process runs.
    Yes,
    /// It has not begun, has ended, or there is no such agent.
    No,
    /// The engine cannot be heard, or has not said yet.
    Unknown,
}

/// Who restarts a swarm's agents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Supervision {
    /// This manager.
    Us,
    /// Another process, which holds the lease.
    Other(LeaseHolder),
    /// Nobody: an agent that ends stays ended, until somebody opens the swarm to supervise it.
    Nobody,
}
