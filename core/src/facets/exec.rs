//! Running a further program in an agent's surroundings.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use async_trait::async_trait;

use super::Execution;
use crate::error::{Error, ErrorKind, Operation, Result};
use crate::id::{AgentId, Incarnation};
use crate::spec::{User, check_program};

/// Running a further program in an agent's surroundings: in its container, or beside it as its user, in its
/// directory, with its environment, beneath its limits.
///
/// The program is of the agent's processes: it ends with the agent, whichever way that ends, and it is held
/// still with it. It is neither restarted nor listed, and its output is not in the agent's logs.
#[async_trait]
pub trait Exec: Send + Sync {
    /// Starts the program. Bad input is refused before the engine sees it: see [`ExecSpec::validate`].
    ///
    /// `NotFound`: an unknown id. `Conflict`: the agent does not run, is paused, or is of another start than
    /// the spec means. `InvalidSpec`: there is no such program; where the engine says so only after the start,
    /// the program ends with code 126 or 127 instead, as in a shell. `Unsupported`: the engine has no
    /// terminals, users or directories to give.
    ///
    /// Two calls are two programs: one whose answer is lost is `Indeterminate` with
    /// [`Retry::Never`](crate::Retry). A call that is dropped leaves a program behind only where the engine
    /// cannot end it: see [`ends_when_dropped`](Self::ends_when_dropped).
    async fn run(&self, id: &AgentId, spec: &ExecSpec) -> Result<Execution>;

    /// Whether a program ends, by force, when its [`Execution`] is dropped or its caller's process dies. Where
    /// the engine cannot do that, it goes on until it ends by itself or with its agent.
    fn ends_when_dropped(&self) -> bool;
}

/// A program to run in an agent's surroundings. What is not said is as the agent has it.
///
/// ```
/// use alveary_core::{ExecSpec, TtySize};
///
/// let shell = ExecSpec::new(["sh"]).stdin().tty(TtySize::new(80, 24)).env("TERM", "xterm");
/// assert!(shell.validate().is_ok());
/// assert!(ExecSpec::new(["sh", "a\0b"]).validate().is_err());
/// ```
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ExecSpec {
    /// The program and its arguments.
    pub command: Vec<String>,
    /// Variables over the agent's own. Their values are in no argument list and in no trace.
    pub env: BTreeMap<String, String>,
    /// The working directory, absolute.
    pub cwd: Option<PathBuf>,
    /// As whom it runs.
    pub user: Option<User>,
    /// Whether something is written to its standard input; otherwise that is empty.
    pub stdin: bool,
    /// Has it run on a terminal of this size. Both of its streams then are one, told as standard output.
    pub tty: Option<TtySize>,
    /// Means this start of the agent and no later one.
    pub incarnation: Option<Incarnation>,
}

impl ExecSpec {
    /// A program that is given nothing to read and runs on no terminal.
    pub fn new<S: Into<String>>(command: impl IntoIterator<Item = S>) -> Self {
        Self {
            command: command.into_iter().map(Into::into).collect(),
            env: BTreeMap::new(),
            cwd: None,
            user: None,
            stdin: false,
            tty: None,
            incarnation: None,
        }
    }

    /// Sets a variable over the agent's own.
    #[must_use]
    pub fn env(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.env.insert(key.into(), value.into());
        self
    }

    /// Sets its working directory.
    #[must_use]
    pub fn cwd(mut self, cwd: impl Into<PathBuf>) -> Self {
        self.cwd = Some(cwd.into());
        self
    }

    /// Sets as whom it runs.
    #[must_use]
    pub fn user(mut self, user: User) -> Self {
        self.user = Some(user);
        self
    }

    /// Lets the caller write to its standard input.
    #[must_use]
    pub fn stdin(mut self) -> Self {
        self.stdin = true;
        self
    }

    /// Has it run on a terminal of this size.
    #[must_use]
    pub fn tty(mut self, size: TtySize) -> Self {
        self.tty = Some(size);
        self
    }

    /// Means this start of the agent and no later one.
    #[must_use]
    pub fn incarnation(mut self, incarnation: Incarnation) -> Self {
        self.incarnation = Some(incarnation);
        self
    }

    /// Whether this can be run at all, whatever the backend. Every backend calls this first.
    ///
    /// [`InvalidSpec`](ErrorKind::InvalidSpec) names the first thing that cannot be right, by the rules that
    /// hold for an [`AgentSpec`](crate::AgentSpec).
    pub fn validate(&self) -> Result<()> {
        check_program(&self.command, &self.env, self.cwd.as_deref())
            .map_err(|error| error.with_operation(Operation::Exec))?;
        match self.tty {
            Some(TtySize { columns, rows }) if columns == 0 || rows == 0 => Err(Error::new(
                ErrorKind::InvalidSpec,
                Operation::Exec,
                format!("a terminal of {columns} columns and {rows} rows shows nothing"),
            )
            .with_cure("give it one of each at least")),
            _ => Ok(()),
        }
    }
}

/// Tells of the variables their names alone.
impl fmt::Debug for ExecSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExecSpec")
            .field("command", &self.command)
            .field("env", &self.env.keys())
            .field("cwd", &self.cwd)
            .field("user", &self.user)
            .field("stdin", &self.stdin)
            .field("tty", &self.tty)
            .field("incarnation", &self.incarnation)
            .finish()
    }
}

/// How large a terminal is, in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TtySize {
    /// Characters in a row.
    pub columns: u16,
    /// Rows.
    pub rows: u16,
}

impl TtySize {
    /// So many columns and rows.
    pub const fn new(columns: u16, rows: u16) -> Self {
        Self { columns, rows }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_engine_can_run_is_refused_with_the_operation() {
        for (spec, words) in [
            (ExecSpec::new(Vec::<String>::new()), "no command"),
            (ExecSpec::new([""]), "name is empty"),
            (ExecSpec::new(["sh", "a\0"]), "NUL"),
            (ExecSpec::new(["sh"]).env("A=B", "1"), "has a `=`"),
            (ExecSpec::new(["sh"]).env("ALVEARY_SWARM", "1"), "reserved"),
            (ExecSpec::new(["sh"]).cwd("work"), "not absolute"),
            (ExecSpec::new(["sh"]).tty(TtySize::new(80, 0)), "0 rows"),
        ] {
            let error = spec.validate().unwrap_err();
            assert_eq!(error.operation(), Operation::Exec);
            assert!(error.to_string().contains(words), "{error}");
        }
    }

    #[test]
    fn no_variables_value_is_shown() {
        let spec = ExecSpec::new(["sh"]).env("TOKEN", "hidden-7f3a");
        let shown = format!("{spec:?}");
        assert!(shown.contains("TOKEN"), "{shown}");
        assert!(!shown.contains("7f3a"), "{shown}");
    }
}
