//! An agent as a row of the list.

use std::time::SystemTime;

use alveary::{Agent, AgentId, AgentState, ByteSize, EndedBy, Escaped, ExitStatus, Incarnation};

use crate::record::in_short;

/// An agent as it is shown.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Row {
    pub(crate) id: AgentId,
    pub(crate) start: Incarnation,
    pub(crate) name: String,
    pub(crate) state: &'static str,
    pub(crate) ready: bool,
    pub(crate) restarts: u32,
    pub(crate) since: SystemTime,
    /// What the state's word alone does not say.
    pub(crate) status: String,
    /// Whether it has ended for good.
    pub(crate) is_settled: bool,
    /// Whether it is as it should not be.
    pub(crate) is_bad: bool,
}

/// What an agent uses up.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) struct Used {
    /// Percent of one processor.
    pub(crate) cpu: Option<f64>,
    pub(crate) memory: Option<ByteSize>,
    pub(crate) pids: Option<u64>,
}

impl Row {
    pub(crate) fn of(agent: &Agent) -> Self {
        let info = &agent.info;
        let bad_end = |status: &ExitStatus| !matches!(status, ExitStatus::Code(0));
        let is_bad = match &info.state {
            AgentState::Failed { .. } | AgentState::Unknown { .. } => true,
            // One that was asked to end has ended as it should.
            AgentState::Exited(exit) => {
                bad_end(&exit.status) && !matches!(exit.by, EndedBy::Us | EndedBy::UsByForce)
            }
            _ => false,
        };
        Self {
            id: info.id.clone(),
            start: info.incarnation,
            name: Escaped(&info.name).to_string(),
            state: info.state.as_str(),
            ready: agent.ready,
            restarts: agent.restarts,
            since: info.started_at.unwrap_or(info.created_at),
            status: Escaped(&in_short(agent)).to_string(),
            is_settled: agent.is_settled(),
            is_bad,
        }
    }

    /// Whether a person who looks for this means it.
    pub(super) fn has(&self, text: &str) -> bool {
        let of_it = [&*self.name, self.state, self.id.as_str()];
        of_it.iter().any(|part| part.to_lowercase().contains(text))
    }
}
