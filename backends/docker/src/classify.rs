//! From an engine's own words to what is the matter and what cures it. The Engine API's messages and what the
//! programs print are the same sentences with something before them, so that one table reads both.

mod told;
mod words;

use std::time::Duration;

use alveary_core::{Error, ErrorKind, Operation, Retry};
use humantime::format_duration;

pub(crate) use told::STALLED;
#[cfg(feature = "cli")]
pub(crate) use words::is_answer;
pub(crate) use words::{classify, tells_of_no_login, tells_of_no_registry};

/// What an engine said no with, or how it failed to answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Trouble {
    pub(crate) class: Class,
    /// The engine's words, or the operating system's: never printed raw.
    pub(crate) words: String,
}

/// What is the matter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Class {
    /// Nobody was reached: the request has had no effect.
    Unreachable,
    /// There is nothing where an engine may be.
    Absent,
    /// The program that would reach it is not there.
    #[cfg(feature = "cli")]
    NoClient,
    /// The socket is there and not for us.
    Denied,
    /// The request may have been carried out, and the answer did not come.
    Lost,
    /// An image was being fetched, and nothing was said of it for too long.
    Stalled,
    /// The files that are to secure the connection are no such files.
    Certificates,
    /// The engine's certificate is signed by nobody who is trusted.
    NotTrusted,
    /// The engine's certificate is not valid any more, or not yet.
    OutOfDate,
    /// The engine's certificate is for another name.
    WrongName,
    /// The engine wants to see a certificate, or another one.
    NotLetIn,
    /// A secured connection to what is none.
    NoTls,
    /// A connection in the clear to where only secured ones are taken.
    WantsTls,
    /// The program ssh is not there.
    NoSsh,
    /// ssh does not know the host's key, or knows another.
    UnknownHost,
    /// ssh is not let in.
    KeyRefused,
    /// The host that ssh has reached has no program `docker`.
    NoDockerThere,
    /// The engine serves no version of the API that is spoken here.
    Version,
    /// It is not the engine that the swarm was brought up with.
    OtherEngine,
    /// What is recorded of the swarm on this host cannot be read or written.
    NoRecord,
    NoContainer,
    NoImage,
    NoNetwork,
    NoVolume,
    NameTaken,
    NotRunning,
    AlreadyPaused,
    NotPaused,
    StillRunning,
    BeingRemoved,
    NoProgram,
    NotExecutable,
    NoFolder,
    NoUser,
    NoMountSource,
    NoRuntime,
    NoLogDriver,
    NoLogs,
    NoDevice,
    NoInit,
    NoGateway,
    /// A limit is not kept.
    Weakened,
    PortTaken,
    Full,
    /// What is left of a start that the engine died in is in the way of this container's, for good.
    Remnants,
    /// An interface of the engine's host went away while the engine looked through them.
    Restless,
    BadProfile,
    BadRequest,
    /// The program has no words for it.
    #[cfg(feature = "cli")]
    NoLine,
    Refused,
    /// Anything else.
    Other,
}

impl Class {
    /// Whether the engine was not reached, or not understood: it has said nothing of what was asked.
    pub(crate) fn is_of_the_way(self) -> bool {
        let (kind, ..) = self.told();
        kind == ErrorKind::EngineUnavailable
            || matches!(
                self,
                Self::Denied | Self::NotLetIn | Self::KeyRefused | Self::OtherEngine
            )
    }
}

impl Trouble {
    pub(crate) fn new(class: Class, words: impl Into<String>) -> Self {
        Self {
            class,
            words: words.into(),
        }
    }

    /// What the engine said, read by [`classify`].
    pub(crate) fn said(status: Option<u16>, words: impl Into<String>) -> Self {
        let words = words.into();
        Self::new(classify(status, &words), words)
    }

    /// As the error of an operation.
    pub(crate) fn error(self, operation: Operation) -> Error {
        let (kind, message, cure) = self.class.told();
        // What only asks can be asked again whatever became of it.
        let asks = matches!(
            operation,
            Operation::Check
                | Operation::Inspect
                | Operation::List
                | Operation::Events
                | Operation::Logs
                | Operation::Stats
                | Operation::GetFiles
        );
        let kind = match self.class {
            Class::Lost if asks => ErrorKind::EngineUnavailable,
            _ => kind,
        };
        let mut error = Error::new(kind, operation, message).with_cure(cure);
        if !self.words.trim().is_empty() {
            error = error.with_engine_words(self.words);
        }
        // Of remnants, the container was taken away: the next call makes another, which nothing is in the way of.
        if matches!(
            self.class,
            Class::Unreachable | Class::Remnants | Class::Restless
        ) {
            error = error.with_retry(Retry::After(Duration::from_secs(1)));
        }
        error
    }
}

/// What the engine says next of an image that it fetches, where it says something within this time.
pub(crate) async fn not_stalled<T>(
    silence: Duration,
    next: impl Future<Output = T>,
) -> Result<T, Trouble> {
    let stalled = |_| {
        Trouble::new(
            Class::Stalled,
            format!("nothing was said of it for {}", format_duration(silence)),
        )
    };
    tokio::time::timeout(silence, next).await.map_err(stalled)
}

#[cfg(test)]
mod tests;
