//! Asking a keeper, and starting one where none answers.

mod connection;
mod outbox;
mod starting;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use alveary_core::{AgentEvent, AgentId, Error, ErrorKind, EventStream, Operation, Result, Retry};
use tokio::sync::Mutex as AsyncMutex;

use crate::keeper::Settings;
use crate::wire::{Answer, Facts, Request};
use connection::Connection;
pub(crate) use starting::Program;

/// How long a keeper may take to answer what needs no waiting.
const ANSWER_TAKES_AT_MOST: Duration = Duration::from_secs(15);

/// A way to a swarm's keeper, which need not exist yet.
#[derive(Debug)]
pub(crate) struct Client {
    settings: Settings,
    program: Program,
    /// The connection that all requests share, once there is one.
    shared: AsyncMutex<Option<Arc<Connection>>>,
    facts: Mutex<Option<Facts>>,
    asked_to_give_way: AtomicBool,
}

impl Client {
    pub(crate) fn new(settings: Settings, program: Program) -> Self {
        Self {
            settings,
            program,
            shared: AsyncMutex::default(),
            facts: Mutex::default(),
            asked_to_give_way: AtomicBool::new(false),
        }
    }

    /// What the keeper said of itself when it was last asked.
    pub(crate) fn facts(&self) -> Option<Facts> {
        self.facts
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Whether a keeper answers, without starting one.
    pub(crate) async fn is_there(&self) -> bool {
        let mut shared = self.shared.lock().await;
        if shared
            .as_ref()
            .is_some_and(|connection| connection.is_open())
        {
            return true;
        }
        match starting::connect(&self.settings.folder).await {
            Ok(Some(stream)) => match self.greet(Connection::new(stream)).await {
                Ok(connection) => {
                    *shared = Some(connection);
                    true
                }
                Err(_) => false,
            },
            _ => false,
        }
    }

    /// Asks, and asks once more if the keeper went away over it: every request may be made twice.
    pub(crate) async fn ask(
        &self,
        operation: Operation,
        agent: Option<&AgentId>,
        request: impl Fn() -> Request,
        at_most: Option<Duration>,
    ) -> Result<Answer> {
        let at_most = at_most.unwrap_or(ANSWER_TAKES_AT_MOST);
        let named = |error: Error| {
            let error = error.during(operation);
            match agent {
                Some(id) => error.agent(id),
                None => error,
            }
        };
        let mut tries = 0;
        loop {
            tries += 1;
            let connection = match self.connection().await {
                Ok(connection) => connection,
                // It was about to end, having nothing to keep.
                Err(error) if error.retry() == Retry::SameId && tries < 3 => continue,
                // The first keeper may have started it before it went.
                Err(error) if tries > 1 && operation == Operation::Spawn => {
                    return Err(named(lost(operation).caused_by(error)));
                }
                Err(error) => return Err(named(error)),
            };
            let answer = tokio::time::timeout(at_most, connection.ask(request())).await;
            match answer {
                Ok(Ok(Answer::Error(problem))) => return Err(problem.into_error(operation, agent)),
                Ok(Ok(answer)) => return Ok(answer),
                Ok(Err(_)) if tries < 3 => {}
                Ok(Err(error)) => return Err(named(lost(operation).caused_by(error))),
                Err(_) => return Err(named(silent(operation, at_most))),
            }
        }
    }

    /// Follows what happens, on a connection of its own.
    pub(crate) async fn events(&self) -> Result<EventStream> {
        let connection = self
            .open()
            .await
            .map_err(|error| error.during(Operation::Events))?;
        let events = tokio::time::timeout(ANSWER_TAKES_AT_MOST, connection.events())
            .await
            .map_err(|_| silent(Operation::Events, ANSWER_TAKES_AT_MOST))?
            .map_err(|error| lost(Operation::Events).caused_by(error))?;
        let stream = futures_util::stream::unfold(Some((events, connection)), |state| async move {
            let (mut events, connection) = state?;
            match events.recv().await {
                Some(event) => Some((Ok(AgentEvent::from(event)), Some((events, connection)))),
                None => Some((Err(lost(Operation::Events)), None)),
            }
        });
        Ok(EventStream::new(stream))
    }

    async fn connection(&self) -> Result<Arc<Connection>> {
        let mut shared = self.shared.lock().await;
        if let Some(connection) = shared.as_ref().filter(|connection| connection.is_open()) {
            return Ok(Arc::clone(connection));
        }
        let connection = self.open().await?;
        *shared = Some(Arc::clone(&connection));
        Ok(connection)
    }

    async fn open(&self) -> Result<Arc<Connection>> {
        let stream = starting::connect_or_start(&self.settings, &self.program).await?;
        let connection = self.greet(Connection::new(stream)).await?;
        if !self.is_older() {
            return Ok(connection);
        }
        // Ours is the newer program: the keeper becomes it, and its agents notice nothing. Asked once: where
        // the program that is named is no newer either, nothing is won by asking again.
        if self.asked_to_give_way.swap(true, Ordering::Relaxed) {
            return Ok(connection);
        }
        let Some(program) = self.program.path() else {
            return Ok(connection);
        };
        let program = program.to_string_lossy().into_owned();
        tracing::info!(keeper = ?self.facts(), "an older keeper is asked to give way");
        let asked = connection.ask(Request::GiveWay { program });
        // Whether it could is seen by who answers next.
        let _replaced = tokio::time::timeout(ANSWER_TAKES_AT_MOST, asked).await;
        let stream = starting::connect_or_start(&self.settings, &self.program).await?;
        self.greet(Connection::new(stream)).await
    }

    fn is_older(&self) -> bool {
        let number = |version: &str| -> Vec<u64> {
            version
                .split(['.', '-', '+'])
                .map_while(|part| part.parse().ok())
                .collect()
        };
        self.facts()
            .is_some_and(|facts| number(&facts.build) < number(env!("CARGO_PKG_VERSION")))
    }

    async fn greet(&self, connection: Connection) -> Result<Arc<Connection>> {
        let hello = Request::Hello {
            version: crate::wire::VERSION,
            swarm: self.settings.swarm,
        };
        let answer = tokio::time::timeout(ANSWER_TAKES_AT_MOST, connection.ask(hello))
            .await
            .map_err(|_| silent(Operation::Connect, ANSWER_TAKES_AT_MOST))?
            .map_err(|error| lost(Operation::Connect).caused_by(error))?;
        match answer {
            Answer::Hello(facts) => {
                *self.facts.lock().unwrap_or_else(PoisonError::into_inner) = Some(facts);
                Ok(Arc::new(connection))
            }
            Answer::Error(problem) => Err(problem.into_error(Operation::Connect, None)),
            _ => Err(unexpected(Operation::Connect)),
        }
    }
}

/// The keeper went away before it answered.
fn lost(operation: Operation) -> Error {
    let kind = if operation == Operation::Spawn {
        ErrorKind::Indeterminate
    } else {
        ErrorKind::EngineUnavailable
    };
    Error::new(kind, operation, "the keeper went away before it answered")
        .cure("ask again: another keeper takes up what it left")
        .retry_when(Retry::SameId)
}

fn silent(operation: Operation, after: Duration) -> Error {
    let kind = if operation == Operation::Spawn {
        ErrorKind::Indeterminate
    } else {
        ErrorKind::EngineUnavailable
    };
    Error::new(kind, operation, format!("the keeper has not answered within {after:?}"))
        .cure("look whether its process is stopped or the machine is overloaded; killing it harms no agent")
        .retry_when(Retry::SameId)
}

/// An answer that does not fit its question: a keeper of a version that we do not understand.
pub(crate) fn unexpected(operation: Operation) -> Error {
    Error::new(
        ErrorKind::Engine,
        operation,
        "the keeper's answer cannot be understood",
    )
    .cure("use the version of alveary that started the swarm, or stop it and start it anew")
}
