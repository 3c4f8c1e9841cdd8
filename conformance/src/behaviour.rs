//! What the suite needs agents to do.

use std::time::Duration;

use alveary_core::Signal;

/// What an agent does, said without any backend in mind. A [`Harness`](crate::Harness) turns it into a spec
/// for its own backend; [`ShellBehaviours`](crate::ShellBehaviours) does so for all that can run `sh`.
///
/// An agent that stays writes the line `ready` ([`READY`]) as soon as its behaviour is set up: signals that
/// reach it later meet its handlers.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Behaviour {
    /// Stays until it is asked to end by SIGTERM, then ends at once, whether by the signal or by a code.
    /// Every harness has it.
    Sleep,
    /// Ends at once with this code. Every harness has it.
    Exit(u8),
    /// Writes the one to its standard output, then the other to its standard error, and ends with code 0.
    /// Every harness has it.
    Print {
        /// To standard output.
        stdout: Vec<u8>,
        /// To standard error.
        stderr: Vec<u8>,
    },
    /// Ends with this code after so many seconds.
    ExitLater {
        /// Whole seconds.
        seconds: u32,
        /// The code.
        code: u8,
    },
    /// Writes the lines `1`, `2`, … with a pause after each, and ends with code 0.
    Count {
        /// How many lines.
        lines: u32,
        /// The pause after each.
        pause: Duration,
    },
    /// Writes so many times the byte `x` to its standard output, as fast as it can, and ends with code 0.
    Flood(u64),
    /// Stays until it is asked to end by SIGTERM, and uses a processor all the while.
    Spin,
    /// Stays; at each SIGTERM it writes the line `term` ([`TERM_LINE`]) and goes on.
    IgnoreTerm,
    /// Stays until it is sent this signal; then it writes the line `caught` and ends with the code.
    ExitOnSignal {
        /// The signal that it handles.
        signal: Signal,
        /// The code with which it then ends.
        code: u8,
    },
    /// Sends itself this signal, which ends it.
    DieBySignal(Signal),
    /// Starts a process in a session of its own that outlives its parent and ignores SIGTERM, and stays as
    /// [`Sleep`](Self::Sleep) does.
    EscapingGrandchild,
    /// Starts a process that stays, and ends with code 0 without it.
    LeaveChild,
    /// Writes its whole environment, as it was given to it, each `KEY=VALUE` with a NUL behind it.
    PrintEnvironment,
    /// Writes what is in the file whose path stands in the variable `KEY_FILE`.
    PrintSecret(String),
    /// Writes its working directory, without a line break.
    PrintCwd,
    /// Is given these arguments and writes each with a NUL behind it.
    PrintArgs(Vec<String>),
}

/// The line that an agent writes when its behaviour is set up.
pub const READY: &str = "ready\n";

/// The line that [`Behaviour::IgnoreTerm`] writes at each SIGTERM.
pub const TERM_LINE: &str = "term\n";

impl Behaviour {
    /// What writes `text` to its standard output.
    pub fn print(text: impl AsRef<[u8]>) -> Self {
        Self::Print {
            stdout: text.as_ref().to_vec(),
            stderr: Vec::new(),
        }
    }

    /// Handles SIGTERM by ending with `code`.
    pub fn exit_on_term(code: u8) -> Self {
        Self::ExitOnSignal {
            signal: Signal::TERM,
            code,
        }
    }
}
