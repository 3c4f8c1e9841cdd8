//! What a keeper and those who ask it say to each other: frames of a length and as much JSON.
//!
//! The first frame of either side carries the version. How an agent is listed and stopped, and how a keeper
//! is told to give way, is frozen for ever: whichever version of alveary is at hand can end what another has
//! started.

mod loose;
mod outbox;

use std::time::Duration;

use alveary_core::{
    AgentEvent, AgentId, AgentInfo, Error, ErrorKind, Exit, ExitStatus, Incarnation, Operation,
    Retry, Signal, SwarmUid,
};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use tokio_util::codec::LengthDelimitedCodec;

use crate::keep::{Errand, Reading, Report};
use crate::launch::Launch;
pub(crate) use loose::{decode_answer, decode_request};
pub(crate) use outbox::{Outbox, open};

/// The version of all that is not frozen.
pub(crate) const VERSION: u32 = 1;

/// A command and its environment of 2 MiB, escaped as JSON, and room to spare.
const LONGEST_FRAME: usize = 64 * 1024 * 1024;

pub(crate) fn codec() -> LengthDelimitedCodec {
    LengthDelimitedCodec::builder()
        .little_endian()
        .max_frame_length(LONGEST_FRAME)
        .new_codec()
}

/// A request with the number that its answer will bear.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Numbered<T> {
    pub(crate) n: u64,
    #[serde(rename = "is")]
    pub(crate) body: T,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Request {
    /// Always the first.
    Hello {
        version: u32,
        swarm: SwarmUid,
    },
    /// Frozen.
    List,
    /// Frozen.
    Stop {
        id: AgentId,
        grace_ms: Option<u64>,
        signal: Option<Signal>,
        incarnation: Option<Incarnation>,
    },
    /// Frozen. Become this program in place: children and exits stay.
    GiveWay {
        program: String,
    },
    Spawn(Box<Launch>),
    Inspect {
        id: AgentId,
    },
    Remove {
        id: AgentId,
        force: bool,
    },
    Signal {
        id: AgentId,
        signal: Signal,
        incarnation: Option<Incarnation>,
    },
    Pause {
        id: AgentId,
        incarnation: Option<Incarnation>,
    },
    Resume {
        id: AgentId,
        incarnation: Option<Incarnation>,
    },
    Usage {
        id: AgentId,
        incarnation: Option<Incarnation>,
    },
    /// On a connection of its own: the program's streams follow the answer, and it ends with the connection.
    Exec(Box<Errand>),
    /// Once the streams have been handed over.
    ExecStart,
    /// Answered when the program has ended.
    ExecEnd,
    /// From here on this connection carries events and nothing else.
    Events,
}

impl Request {
    /// Whether every version of a keeper knows it.
    pub(crate) fn is_frozen(&self) -> bool {
        matches!(
            self,
            Self::Hello { .. } | Self::List | Self::Stop { .. } | Self::GiveWay { .. }
        )
    }
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Answer {
    Hello(Facts),
    List(Vec<AgentInfo>),
    Exit(Exit),
    Info(Box<AgentInfo>),
    Report(Box<Report>),
    Usage(Reading),
    /// How a program ended that ran beside an agent.
    Ended(ExitStatus),
    Done,
    Event(Event),
    Error(Problem),
    /// One that cannot be understood here.
    #[serde(skip)]
    NotUnderstood,
}

/// What a keeper is and can do here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Facts {
    pub(crate) version: u32,
    /// The version of alveary that it is.
    #[serde(default)]
    pub(crate) build: String,
    #[serde(default)]
    pub(crate) pid: u32,
    #[serde(default)]
    pub(crate) cgroups: bool,
    #[serde(default)]
    pub(crate) limits_memory: bool,
    #[serde(default)]
    pub(crate) limits_pids: bool,
    #[serde(default)]
    pub(crate) bounds_logs: bool,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Event {
    Changed(Box<AgentInfo>),
    Removed {
        id: AgentId,
        incarnation: Incarnation,
    },
    Lagged,
}

impl From<AgentEvent> for Event {
    fn from(event: AgentEvent) -> Self {
        match event {
            AgentEvent::Changed(info) => Self::Changed(Box::new(info)),
            AgentEvent::Removed { id, incarnation } => Self::Removed { id, incarnation },
            // What this version cannot say, a new list does.
            _ => Self::Lagged,
        }
    }
}

impl From<Event> for AgentEvent {
    fn from(event: Event) -> Self {
        match event {
            Event::Changed(info) => Self::Changed(*info),
            Event::Removed { id, incarnation } => Self::Removed { id, incarnation },
            Event::Lagged => Self::Lagged,
        }
    }
}

/// An error as it crosses the wire.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Problem {
    kind: String,
    message: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    words: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cure: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    retry_after_ms: Option<u64>,
}

const KINDS: [ErrorKind; 13] = [
    ErrorKind::EngineUnavailable,
    ErrorKind::ImageNotFound,
    ErrorKind::AlreadyExists,
    ErrorKind::Conflict,
    ErrorKind::NotFound,
    ErrorKind::InvalidSpec,
    ErrorKind::Timeout,
    ErrorKind::Indeterminate,
    ErrorKind::StillRunning,
    ErrorKind::Unsupported,
    ErrorKind::PermissionDenied,
    ErrorKind::OutOfResources,
    ErrorKind::Engine,
];

impl From<&Error> for Problem {
    fn from(error: &Error) -> Self {
        let retry_after_ms = match error.retry() {
            Retry::After(pause) => u64::try_from(pause.as_millis()).ok(),
            _ => None,
        };
        Self {
            kind: error.kind().as_str().to_owned(),
            message: error.message().to_owned(),
            words: error.engine_words().map(ToOwned::to_owned),
            cure: error.cure().map(ToOwned::to_owned),
            retry_after_ms,
        }
    }
}

impl Problem {
    /// The error again, of the operation and agent that the asker knows.
    pub(crate) fn into_error(self, operation: Operation, agent: Option<&AgentId>) -> Error {
        let kind = KINDS
            .into_iter()
            .find(|kind| kind.as_str() == self.kind)
            .unwrap_or(ErrorKind::Engine);
        let mut error = Error::new(kind, operation, self.message);
        if let Some(agent) = agent {
            error = error.with_agent(agent);
        }
        if let Some(words) = self.words {
            error = error.with_engine_words(words);
        }
        if let Some(cure) = self.cure {
            error = error.with_cure(cure);
        }
        match self.retry_after_ms {
            Some(pause) => error.with_retry(Retry::After(Duration::from_millis(pause))),
            None => error,
        }
    }
}

/// A frame's contents.
pub(crate) fn encode<T: Serialize>(n: u64, body: T) -> serde_json::Result<Bytes> {
    serde_json::to_vec(&Numbered { n, body }).map(Bytes::from)
}

pub(crate) fn decode<'a, T: Deserialize<'a>>(frame: &'a [u8]) -> serde_json::Result<Numbered<T>> {
    serde_json::from_slice(frame)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_frozen_reads_as_it_always_has() {
        let uid = "0102030405060708090a0b0c0d0e0f10".parse().unwrap();
        let id = AgentId::new("echo").unwrap();
        for (request, text) in [
            (
                Request::Hello {
                    version: 1,
                    swarm: uid,
                },
                r#"{"n":7,"is":{"hello":{"version":1,"swarm":"0102030405060708090a0b0c0d0e0f10"}}}"#,
            ),
            (Request::List, r#"{"n":7,"is":"list"}"#),
            (
                Request::Stop {
                    id,
                    grace_ms: Some(5),
                    signal: Some(Signal::TERM),
                    incarnation: None,
                },
                r#"{"n":7,"is":{"stop":{"id":"echo","grace_ms":5,"signal":"TERM","incarnation":null}}}"#,
            ),
            (
                Request::GiveWay {
                    program: "/usr/bin/alveary".into(),
                },
                r#"{"n":7,"is":{"give-way":{"program":"/usr/bin/alveary"}}}"#,
            ),
        ] {
            assert_eq!(encode(7, &request).unwrap(), text);
            assert!(decode::<Request>(text.as_bytes()).is_ok());
        }
    }
}
