//! Why the coordinator did not do what an agent asked.

use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use alveary_core::Escaped;

/// What every fallible call of a [`Transport`](crate::Transport) gives.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A call that the coordinator refused, or that did not reach it.
///
/// `Display` is one sentence with its cure, with control characters escaped. It never holds a token.
///
/// A clone is cheap: many may be told of one failure.
#[derive(Debug, Clone)]
pub struct Error {
    kind: ErrorKind,
    message: String,
    cure: Option<String>,
    after: Option<Duration>,
    source: Option<Arc<dyn StdError + Send + Sync + 'static>>,
}

/// What kind of refusal an [`Error`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The coordinator was not reached, did not answer in time, or has a bad moment. The call may have had its
    /// effect; each of an agent's calls may be made again.
    Unavailable,
    /// The coordinator asks for patience: too many calls.
    Busy,
    /// The token is missing, unknown, or another agent's.
    Forbidden,
    /// There is no such agent or task.
    NotFound,
    /// The attempt is not the task's any more: another one took its place, or it is over.
    Superseded,
    /// What was said cannot be right, whenever it is said.
    Invalid,
    /// What answered is no coordinator, or one of another language.
    Protocol,
}

impl ErrorKind {
    /// Whether the same call may succeed later.
    pub fn passes(self) -> bool {
        matches!(self, Self::Unavailable | Self::Busy)
    }
}

impl Error {
    /// A failure of `kind`, told in `message`: what is the matter, without a full stop.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            cure: None,
            after: None,
            source: None,
        }
    }

    /// Says what mends it.
    #[must_use]
    pub fn with_cure(mut self, cure: impl Into<String>) -> Self {
        self.cure = Some(cure.into());
        self
    }

    /// Says how long to wait before the call is made again.
    #[must_use]
    pub fn with_after(mut self, after: Duration) -> Self {
        self.after = Some(after);
        self
    }

    /// Keeps what brought it about.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.source = Some(Arc::from(source.into()));
        self
    }

    /// What kind of failure it is.
    pub fn kind(&self) -> ErrorKind {
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

    /// How long the coordinator asks to be left alone.
    pub fn after(&self) -> Option<Duration> {
        self.after
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
