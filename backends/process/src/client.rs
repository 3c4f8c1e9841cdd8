//! Asking a keeper, and starting one where none answers.

mod beside;
mod connection;
mod failure;
mod link;
mod starting;

use std::sync::Arc;
use std::time::Duration;

use alveary_core::{AgentEvent, AgentId, EventStream, Operation, Result};
use tokio::time::{Instant, timeout_at};

use crate::keeper::Settings;
use crate::wire::{Answer, Facts, Request};
pub(crate) use failure::unexpected;
use failure::{lost, other_version, silent};
use link::{IfNone, Link};
pub(crate) use starting::Program;

/// How long a caller waits for what needs no waiting, with everything that has to be done for it first.
const ANSWER_TAKES_AT_MOST: Duration = Duration::from_secs(15);

/// How often a keeper may go away over a request before that is told.
const TRIES: u32 = 3;

/// A way to a swarm's keeper, which need not exist yet.
#[derive(Debug)]
pub(crate) struct Client(Arc<Link>);

impl Client {
    pub(crate) fn new(settings: Settings, program: Program) -> Self {
        Self(Arc::new(Link::new(settings, program)))
    }

    /// Until when one who asks now waits.
    pub(crate) fn time_limit() -> Instant {
        Instant::now() + ANSWER_TAKES_AT_MOST
    }

    /// What the keeper said of itself when it was last asked.
    pub(crate) fn facts(&self) -> Option<Facts> {
        self.0.facts()
    }

    /// Whether a keeper answers, without starting one.
    pub(crate) async fn is_there(&self, until: Instant) -> Result<bool> {
        match timeout_at(until, self.0.keeper(IfNone::Leave)).await {
            Ok(found) => Ok(found?.is_some()),
            Err(_) => Err(silent(Operation::Connect, ANSWER_TAKES_AT_MOST)),
        }
    }

    /// A greeting, which every keeper answers at once.
    pub(crate) fn greeting(&self) -> Request {
        self.0.greeting()
    }

    /// Asks, and asks once more if the keeper went away over it: every request may be made twice.
    pub(crate) async fn ask(
        &self,
        operation: Operation,
        agent: Option<&AgentId>,
        request: impl Fn() -> Request,
        until: Instant,
    ) -> Result<Answer> {
        self.try_to_ask(operation, agent, request, until)
            .await
            .map_err(|error| match agent {
                Some(id) => error.with_operation(operation).with_agent(id),
                None => error.with_operation(operation),
            })
    }

    async fn try_to_ask(
        &self,
        operation: Operation,
        agent: Option<&AgentId>,
        request: impl Fn() -> Request,
        until: Instant,
    ) -> Result<Answer> {
        let begun = Instant::now();
        // What has been sent once may have been done, whoever went away over it.
        let mut lost_once = None;
        for _ in 0..TRIES {
            let keeper = match timeout_at(until, self.0.keeper(IfNone::Start)).await {
                Ok(Ok(Some(keeper))) => keeper,
                Ok(Ok(None)) => continue,
                Ok(Err(error)) if lost_once.is_some() => {
                    return Err(lost(operation).with_source(error));
                }
                Ok(Err(error)) => return Err(error),
                Err(_) if lost_once.is_some() => return Err(silent(operation, begun.elapsed())),
                Err(_) => return Err(silent(Operation::Connect, begun.elapsed())),
            };
            let request = request();
            if !keeper.understands(&request) {
                return Err(other_version(operation, &keeper.facts));
            }
            match timeout_at(until, keeper.connection.ask(request)).await {
                Ok(Ok(Answer::Error(problem))) => return Err(problem.into_error(operation, agent)),
                Ok(Ok(answer)) => return Ok(answer),
                Ok(Err(error)) => lost_once = Some(error),
                Err(_) => return Err(silent(operation, begun.elapsed())),
            }
        }
        let lost = lost(operation);
        Err(match lost_once {
            Some(error) => lost.with_source(error),
            None => lost,
        })
    }

    /// Follows what happens, on a connection of its own.
    pub(crate) async fn events(&self) -> Result<EventStream> {
        let until = Self::time_limit();
        let keeper = timeout_at(until, self.0.open_another())
            .await
            .map_err(|_| silent(Operation::Events, ANSWER_TAKES_AT_MOST))?
            .map_err(|error| error.with_operation(Operation::Events))?;
        if !keeper.understands(&Request::Events) {
            return Err(other_version(Operation::Events, &keeper.facts));
        }
        let (answer, events) = timeout_at(until, keeper.connection.events())
            .await
            .map_err(|_| silent(Operation::Events, ANSWER_TAKES_AT_MOST))?
            .map_err(|error| lost(Operation::Events).with_source(error))?;
        match answer {
            Answer::Done => {}
            Answer::Error(problem) => return Err(problem.into_error(Operation::Events, None)),
            _ => return Err(unexpected(Operation::Events)),
        }
        let stream = futures_util::stream::unfold(Some((events, keeper)), |state| async move {
            let (mut events, keeper) = state?;
            match events.recv().await {
                Some(event) => Some((Ok(AgentEvent::from(event)), Some((events, keeper)))),
                None => Some((Err(lost(Operation::Events)), None)),
            }
        });
        Ok(EventStream::new(stream))
    }
}
