//! What went wrong, said so that it can be mended.

use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::id::AgentId;
use crate::text::Escaped;

/// What every fallible call of a backend gives.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A failed call: what kind of failure, of which operation, on which agent, in the engine's own words, and
/// what cures it.
///
/// `Display` is one sentence that holds all of that but the [source](StdError::source), with control
/// characters escaped. It never holds a secret or an environment value.
///
/// ```
/// use alveary_core::{AgentId, Error, ErrorKind, Operation};
///
/// let error = Error::new(ErrorKind::ImageNotFound, Operation::Spawn, "there is no image `agent:1`")
///     .with_agent(&AgentId::new("echo")?)
///     .with_cure("pull it, or name another in `container.image`");
/// assert_eq!(
///     error.to_string(),
///     "failed to spawn agent echo: there is no image `agent:1` (pull it, or name another in `container.image`)",
/// );
/// # Ok::<(), alveary_core::InvalidId>(())
/// ```
///
/// A clone is cheap: many may be told of one failure.
#[derive(Clone)]
pub struct Error(Arc<Inner>);

#[derive(Clone)]
struct Inner {
    kind: ErrorKind,
    operation: Operation,
    agent: Option<AgentId>,
    name: Option<String>,
    message: String,
    engine_words: Option<String>,
    cure: Option<String>,
    retry: Retry,
    source: Option<Arc<dyn StdError + Send + Sync + 'static>>,
}

/// What kind of failure an [`Error`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The engine cannot be reached, or does not answer at all.
    EngineUnavailable,
    /// The image that the agent needs is not there.
    ImageNotFound,
    /// The id belongs to a living agent, of another spec or of another incarnation.
    AlreadyExists,
    /// Something that is not ours, or a call that is under way, is in the way.
    Conflict,
    /// There is no such agent (or no such thing that the operation names).
    NotFound,
    /// The spec or the options cannot be right, whatever the engine.
    InvalidSpec,
    /// The time limit passed, and the call is known to have had no effect.
    Timeout,
    /// The outcome is unknown: a later `list`, or a retry of the same id, resolves it.
    Indeterminate,
    /// The agent did not end within the time that the call allows.
    StillRunning,
    /// This backend cannot do what is asked.
    Unsupported,
    /// The engine or the system refuses us.
    PermissionDenied,
    /// Memory, disk, processes or descriptors are used up.
    OutOfResources,
    /// Anything else that an engine says.
    Engine,
}

impl ErrorKind {
    /// The kind in words, for people.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::EngineUnavailable => "engine unavailable",
            Self::ImageNotFound => "image not found",
            Self::AlreadyExists => "already exists",
            Self::Conflict => "conflict",
            Self::NotFound => "not found",
            Self::InvalidSpec => "invalid spec",
            Self::Timeout => "timeout",
            Self::Indeterminate => "indeterminate",
            Self::StillRunning => "still running",
            Self::Unsupported => "unsupported",
            Self::PermissionDenied => "permission denied",
            Self::OutOfResources => "out of resources",
            Self::Engine => "engine error",
        }
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Which operation failed. Its `Display` fits "failed to …".
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Operation {
    /// Reading a config file.
    Configure,
    /// Making a backend from its settings.
    Connect,
    /// [`AgentBackend::check`](crate::AgentBackend::check).
    Check,
    /// [`AgentBackend::spawn`](crate::AgentBackend::spawn).
    Spawn,
    /// [`AgentBackend::inspect`](crate::AgentBackend::inspect).
    Inspect,
    /// [`AgentBackend::list`](crate::AgentBackend::list).
    List,
    /// Looking an agent up by what somebody typed.
    Find,
    /// [`AgentBackend::stop`](crate::AgentBackend::stop).
    Stop,
    /// [`AgentBackend::remove`](crate::AgentBackend::remove).
    Remove,
    /// [`AgentBackend::events`](crate::AgentBackend::events).
    Events,
    /// [`AgentBackend::logs`](crate::AgentBackend::logs).
    Logs,
    /// [`AgentBackendExt::wait`](crate::AgentBackendExt::wait).
    Wait,
    /// [`Signals::signal`](crate::Signals::signal).
    Signal,
    /// [`Exec::run`](crate::Exec::run), and what is done with the program then.
    Exec,
    /// [`Stats::read`](crate::Stats::read) and [`Stats::follow`](crate::Stats::follow).
    Stats,
    /// [`Files::look`](crate::Files::look) and [`Files::get`](crate::Files::get).
    GetFiles,
    /// [`Files::put`](crate::Files::put).
    PutFiles,
    /// [`Pause::freeze`](crate::Pause::freeze).
    Pause,
    /// [`Pause::thaw`](crate::Pause::thaw).
    Resume,
    /// Reading or writing a swarm's state folder.
    State,
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Configure => "read the configuration",
            Self::Connect => "connect to the backend",
            Self::Check => "check the backend",
            Self::Spawn => "spawn",
            Self::Inspect => "inspect",
            Self::List => "list agents",
            Self::Find => "find an agent",
            Self::Stop => "stop",
            Self::Remove => "remove",
            Self::Events => "follow events",
            Self::Logs => "read the logs",
            Self::Wait => "wait for",
            Self::Signal => "signal",
            Self::Exec => "run a program in",
            Self::Stats => "read the usage",
            Self::GetFiles => "copy files out of",
            Self::PutFiles => "copy files into",
            Self::Pause => "pause",
            Self::Resume => "resume",
            Self::State => "use the swarm's state",
        })
    }
}

/// Whether the same call may be made again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Retry {
    /// The same call would fail the same way.
    #[default]
    Never,
    /// At once, with the same id and incarnation: it finishes what was begun or says what became of it.
    SameId,
    /// Not before this time has passed.
    After(Duration),
}

impl Error {
    /// A failure of `operation`, told in `message`: what is the matter, without a full stop.
    pub fn new(kind: ErrorKind, operation: Operation, message: impl Into<String>) -> Self {
        let retry = match kind {
            ErrorKind::Indeterminate => Retry::SameId,
            _ => Retry::Never,
        };
        Self(Arc::new(Inner {
            kind,
            operation,
            agent: None,
            name: None,
            message: message.into(),
            engine_words: None,
            cure: None,
            retry,
            source: None,
        }))
    }

    /// `NotFound` for an agent, as every backend says it.
    pub fn agent_not_found(operation: Operation, id: &AgentId) -> Self {
        Self::new(
            ErrorKind::NotFound,
            operation,
            "there is no such agent in this swarm",
        )
        .with_agent(id)
        .with_cure("`list` shows those that there are")
    }

    /// `Unsupported`, for what this backend cannot do; `cure` says what can.
    pub fn unsupported(
        operation: Operation,
        what: impl Into<String>,
        cure: impl Into<String>,
    ) -> Self {
        Self::new(ErrorKind::Unsupported, operation, what).with_cure(cure)
    }

    fn inner(&mut self) -> &mut Inner {
        Arc::make_mut(&mut self.0)
    }

    /// Says which agent is meant.
    #[must_use]
    pub fn with_agent(mut self, id: &AgentId) -> Self {
        self.inner().agent = Some(id.clone());
        self
    }

    /// Says what people call the agent that is meant: the sentence then names it so, and not by its id.
    #[must_use]
    pub fn with_name(mut self, name: impl Into<String>) -> Self {
        self.inner().name = Some(name.into());
        self
    }

    /// Says what to do about it: a clause that begins with a verb.
    #[must_use]
    pub fn with_cure(mut self, cure: impl Into<String>) -> Self {
        self.inner().cure = Some(cure.into());
        self
    }

    /// Adds what the engine itself said.
    #[must_use]
    pub fn with_engine_words(mut self, words: impl Into<String>) -> Self {
        self.inner().engine_words = Some(words.into());
        self
    }

    /// Says whether the call may be made again.
    #[must_use]
    pub fn with_retry(mut self, retry: Retry) -> Self {
        self.inner().retry = retry;
        self
    }

    /// Adds the error beneath.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.inner().source = Some(Arc::from(source.into()));
        self
    }

    /// Says that another operation failed, of which this was a part.
    #[must_use]
    pub fn with_operation(mut self, operation: Operation) -> Self {
        self.inner().operation = operation;
        self
    }

    /// What kind of failure it is.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// Which operation failed.
    pub fn operation(&self) -> Operation {
        self.0.operation
    }

    /// Which agent it was about, where it was about one.
    pub fn agent(&self) -> Option<&AgentId> {
        self.0.agent.as_ref()
    }

    /// What is the matter, without operation, agent and cure.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// The engine's own words, unescaped: never print them to a terminal as they are.
    pub fn engine_words(&self) -> Option<&str> {
        self.0.engine_words.as_deref()
    }

    /// What to do about it.
    pub fn cure(&self) -> Option<&str> {
        self.0.cure.as_deref()
    }

    /// Whether the same call may be made again.
    pub fn retry(&self) -> Retry {
        self.0.retry
    }

    /// The sentence without the cure, for those who show the cure elsewhere.
    pub fn summary(&self) -> String {
        let mut text = format!("failed to {}", self.0.operation);
        if let Some(agent) = &self.0.agent {
            // "failed to stop agent echo", "failed to read the logs of agent echo".
            let of = match self.0.operation {
                Operation::Logs | Operation::Stats => " of agent ",
                _ => " agent ",
            };
            text.push_str(of);
            match &self.0.name {
                Some(name) => text.push_str(&Escaped(name).to_string()),
                None => text.push_str(agent.as_str()),
            }
        }
        text.push_str(": ");
        text.push_str(&Escaped(&self.0.message).to_string());
        if let Some(words) = &self.0.engine_words {
            text.push_str(": ");
            text.push_str(&Escaped(words.trim()).to_string());
        }
        text
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.summary())?;
        match &self.0.cure {
            Some(cure) => write!(f, " ({})", Escaped(cure)),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error")
            .field("kind", &self.0.kind)
            .field("operation", &self.0.operation)
            .field("agent", &self.0.agent)
            .field("message", &self.0.message)
            .field("engine_words", &self.0.engine_words)
            .field("cure", &self.0.cure)
            .field("retry", &self.0.retry)
            .field("source", &self.0.source)
            .finish()
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_deref().map(|source| source as _)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_engines_words_cannot_drive_a_terminal() {
        let error = Error::new(ErrorKind::Engine, Operation::List, "the engine refused")
            .with_engine_words("\u{1b}[2Jgone\n");
        assert_eq!(
            error.to_string(),
            r"failed to list agents: the engine refused: \u{1b}[2Jgone"
        );
    }

    #[test]
    fn an_agent_is_called_by_its_name_where_that_is_known() {
        let error = Error::new(ErrorKind::NotFound, Operation::Stop, "it is not there")
            .with_agent(&AgentId::random())
            .with_name("echo");
        assert_eq!(
            error.to_string(),
            "failed to stop agent echo: it is not there"
        );
    }

    #[test]
    fn what_is_said_of_a_clone_is_not_said_of_the_first() {
        let first = Error::new(ErrorKind::Engine, Operation::Stop, "the engine refused")
            .with_source(std::io::Error::other("beneath"));
        let second = first.clone().with_operation(Operation::Remove);
        assert_eq!(first.operation(), Operation::Stop);
        assert_eq!(second.operation(), Operation::Remove);
        assert_eq!(second.source().unwrap().to_string(), "beneath");
    }

    #[test]
    fn an_error_is_one_word_wide() {
        assert_eq!(size_of::<Result<(), Error>>(), size_of::<usize>());
    }
}
