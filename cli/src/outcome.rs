//! How a run of the program ends.

use std::process::ExitCode;

/// How a run of the program ended, as the shell is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// What was asked for is done.
    Done,
    /// It is done, and an agent ended badly.
    AgentFailed,
    /// What was typed or written in the file cannot be right.
    BadInput,
    /// The backend, or the system beneath, did not do it.
    Backend,
    /// Ctrl-C, or another signal that asks us to end.
    Interrupted,
    /// Whatever a supervised agent's own code was: `wait --exit-code` hands it on.
    Agents(u8),
}

impl Outcome {
    /// The number that the shell is told.
    pub(crate) fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::AgentFailed => 1,
            Self::BadInput => 2,
            Self::Backend => 125,
            Self::Interrupted => 130,
            Self::Agents(code) => code,
        }
    }
}

impl From<Outcome> for ExitCode {
    fn from(outcome: Outcome) -> Self {
        Self::from(outcome.code())
    }
}
