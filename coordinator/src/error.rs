//! Why a coordinator did not do what it was asked.

use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;

use alveary_agent::protocol::{Problem, ProblemDetail, ProblemKind, TaskId};
use alveary_core::{AgentId, Escaped};

/// What every fallible call of a coordinator gives.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A refusal or a failure: what kind, one sentence that names the thing, and what mends it.
#[derive(Debug, Clone)]
pub struct Error {
    kind: ProblemKind,
    message: String,
    cure: Option<String>,
    source: Option<Arc<dyn StdError + Send + Sync + 'static>>,
}

impl Error {
    /// A failure of `kind`, told in `message`: what is the matter, without a full stop.
    pub fn new(kind: ProblemKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            cure: None,
            source: None,
        }
    }

    /// Says what mends it.
    #[must_use]
    pub fn with_cure(mut self, cure: impl Into<String>) -> Self {
        self.cure = Some(cure.into());
        self
    }

    /// Keeps what brought it about.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.source = Some(Arc::from(source.into()));
        self
    }

    /// What kind of matter it is.
    pub fn kind(&self) -> ProblemKind {
        self.kind
    }

    /// What is the matter.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// What mends it.
    pub fn cure(&self) -> Option<&str> {
        self.cure.as_deref()
    }

    /// The same as the wire has it.
    pub fn problem(&self) -> Problem {
        let mut problem = ProblemDetail::new(self.kind, self.message.clone());
        problem.cure.clone_from(&self.cure);
        problem.into()
    }

    pub(crate) fn no_task(id: TaskId) -> Self {
        Self::new(ProblemKind::NotFound, format!("there is no task {id}"))
            .with_cure("see which there are in the list of tasks")
    }

    pub(crate) fn no_agent(id: &AgentId) -> Self {
        Self::new(
            ProblemKind::NotFound,
            format!("there is no agent `{id}` here"),
        )
        .with_cure("register it first")
    }

    pub(crate) fn ended() -> Self {
        Self::new(ProblemKind::Unavailable, "the coordinator has ended").with_cure("start it again")
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", Escaped(&self.message))?;
        match &self.cure {
            Some(cure) => write!(f, " ({})", Escaped(cure)),
            None => Ok(()),
        }
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

impl Error {
    /// What SQLite says of a file that is called `file`.
    pub(crate) fn of_file(file: impl fmt::Display, error: rusqlite::Error) -> Self {
        use rusqlite::ErrorCode;
        let (kind, cure) = match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => (
                ProblemKind::Unavailable,
                "make room on the disk that it lies on",
            ),
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => (
                ProblemKind::Unavailable,
                "end the other program that writes into it",
            ),
            Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied | ErrorCode::CannotOpen) => (
                ProblemKind::Unavailable,
                "let this user write the file and its folder",
            ),
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => (
                ProblemKind::Internal,
                "restore it from a copy, or move it away to begin with an empty one",
            ),
            _ => (
                ProblemKind::Internal,
                "try again; if it stays so, restart the coordinator",
            ),
        };
        Self::new(kind, format!("{file} fails: {error}"))
            .with_cure(cure)
            .with_source(error)
    }
}
