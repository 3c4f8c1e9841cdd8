//! Any program as a handler: the task as JSON on its stdin, the result on its stdout.

mod group;
mod run;
mod tail;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use async_trait::async_trait;

use crate::handler::{Handler, Task, Unable};

/// A program that does tasks, or names prices.
///
/// It is started once for each task, in a process group of its own, with this process's environment and directory.
/// It reads the task as one line of JSON; what it prints is the result, without the line break at its end. It fails
/// the task by ending with something else than 0, by printing more than
/// [`MAX_TEXT`](crate::protocol::MAX_TEXT) bytes or what is not UTF-8, and by taking longer than its time limit;
/// the reason that is reported then ends with the last of what it wrote to stderr.
///
/// When it ends, and when its work is in vain, nothing of its process group stays: SIGTERM, two seconds, SIGKILL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    argv: Vec<OsString>,
    time_limit: Option<Duration>,
}

/// Why a text or a list names no program.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidProgram {
    /// There is nothing in it.
    #[error("it names no program")]
    Empty,
    /// Its quotes do not pair.
    #[error("a quote in it is not closed (close it, or write \\' for a quote itself)")]
    Quotes,
}

impl Program {
    /// A program and its arguments.
    pub fn new(
        argv: impl IntoIterator<Item = impl Into<OsString>>,
    ) -> Result<Self, InvalidProgram> {
        let argv: Vec<OsString> = argv.into_iter().map(Into::into).collect();
        match argv.first() {
            Some(name) if !name.is_empty() => Ok(Self {
                argv,
                time_limit: None,
            }),
            _ => Err(InvalidProgram::Empty),
        }
    }

    /// Ends it when it takes longer than this.
    #[must_use]
    pub fn time_limit(mut self, limit: Duration) -> Self {
        self.time_limit = Some(limit);
        self
    }

    /// The file that it would be started from, looked for as a shell does. `None` if there is none.
    pub fn find(&self) -> Option<PathBuf> {
        let name = Path::new(&self.argv[0]);
        if name.components().count() > 1 {
            return is_executable(name).then(|| name.to_owned());
        }
        let path = std::env::var_os("PATH")?;
        std::env::split_paths(&path)
            .map(|folder| folder.join(name))
            .find(|file| is_executable(file))
    }

    /// The name that it is started by.
    pub fn name(&self) -> String {
        self.argv[0].to_string_lossy().into_owned()
    }
}

fn is_executable(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(file)
        .is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

/// A line as one types it: words, with quotes where a word holds blanks. No shell is involved.
impl FromStr for Program {
    type Err = InvalidProgram;
    fn from_str(line: &str) -> Result<Self, InvalidProgram> {
        Self::new(shell_words::split(line).map_err(|_| InvalidProgram::Quotes)?)
    }
}

#[async_trait]
impl Handler for Program {
    async fn handle(&self, task: Task) -> Result<String, Unable> {
        let cancelled = task.cancellation();
        self.run(&task, cancelled).await
    }
}

#[cfg(test)]
mod tests;
