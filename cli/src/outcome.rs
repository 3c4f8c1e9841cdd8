//! How a run of the program ends.

use std::process::ExitCode;

use alveary::{Escaped, ExitStatus};

use crate::output::note;

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
    /// What was waited for has not come within its time.
    TimedOut,
    /// Ctrl-C, or another signal that asks us to end.
    Interrupted,
    /// A program that was run for the caller has ended with this code.
    Program(u8),
}

/// What a program that a signal has ended is said to have ended with: this and the signal's number, as in a shell.
const SIGNALLED: i32 = 128;

impl Outcome {
    /// What the shell is told of a program that was run for the caller.
    pub(crate) fn of_program(status: &ExitStatus) -> Self {
        match status {
            ExitStatus::Code(code) => Self::Program(u8::try_from(code & 0xff).unwrap_or(u8::MAX)),
            ExitStatus::Signal(signal) => {
                Self::Program(u8::try_from(SIGNALLED + signal.number()).unwrap_or(u8::MAX))
            }
            ExitStatus::Unknown { why } => {
                note(format_args!(
                    "the program has ended, and how is not known: {}",
                    Escaped(why)
                ));
                Self::Backend
            }
            _ => Self::Backend,
        }
    }

    /// The number that the shell is told.
    pub(crate) fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::AgentFailed => 1,
            Self::BadInput => 2,
            // As of timeout(1).
            Self::TimedOut => 124,
            Self::Backend => 125,
            Self::Interrupted => 130,
            Self::Program(code) => code,
        }
    }

    /// The one of the two that the shell is told: input that can be mended before a backend that cannot, and
    /// that before agents that ended badly.
    pub(crate) fn or(self, other: Self) -> Self {
        let rank = |outcome| match outcome {
            Self::Done => 0,
            Self::AgentFailed | Self::TimedOut | Self::Program(_) => 1,
            Self::Backend => 2,
            Self::BadInput => 3,
            Self::Interrupted => 4,
        };
        if rank(other) > rank(self) {
            other
        } else {
            self
        }
    }
}

impl From<Outcome> for ExitCode {
    fn from(outcome: Outcome) -> Self {
        Self::from(outcome.code())
    }
}
