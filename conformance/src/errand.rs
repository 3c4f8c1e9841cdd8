//! What the suite needs programs to do that are run beside agents.

/// What a program does that is run beside an agent, said without any backend in mind. A
/// [`Harness`](crate::Harness) turns it into a command; unless it says otherwise, into a script for `sh`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Errand {
    /// Ends at once with this code.
    Exit(u8),
    /// Writes the one to its standard output, then the other to its standard error, and ends with code 0.
    Print {
        /// To standard output.
        stdout: Vec<u8>,
        /// To standard error.
        stderr: Vec<u8>,
    },
    /// Writes whatever it reads, and ends with code 0 where that ends.
    Copy,
    /// Writes its whole environment, each `KEY=VALUE` with a NUL behind it.
    PrintEnvironment,
    /// Writes its working directory, without a line break.
    PrintCwd,
    /// Writes so many times the byte `x` to its standard output, as fast as it can, and ends with code 0.
    Flood(u64),
    /// Writes the line `ready` and stays, whatever it is asked, until it is ended by force.
    Stay,
    /// Writes the rows and the columns of its terminal as a line, at once and again for each line that it
    /// reads.
    PrintTtySize,
}
