//! Agents in the coordinator's own process: the same words, without HTTP.

use std::time::Duration;

use alveary_agent::protocol::{
    AttemptToken, BidAnswer, Claim, ClaimRequest, Completion, EventId, Failure, NewBid, OpenTasks,
    ProblemKind, Pulse, PulseAnswer, Registration, TaskId, Welcome,
};
use alveary_agent::{Error, ErrorKind, Result, Transport};
use alveary_core::AgentId;
use async_trait::async_trait;

use crate::coordinator::Coordinator;

/// A way for one agent to a coordinator in the same process.
///
/// It speaks for its own agent only, as a token would see to: in another's name everything is `Forbidden`.
#[derive(Debug, Clone)]
pub struct Channel {
    coordinator: Coordinator,
    agent: AgentId,
}

impl Channel {
    /// The way for this agent.
    pub fn new(coordinator: Coordinator, agent: AgentId) -> Self {
        Self { coordinator, agent }
    }

    fn check(&self, named: &AgentId) -> Result<()> {
        if *named == self.agent {
            return Ok(());
        }
        let message = format!(
            "this is the way of agent `{}`, not of `{named}`",
            self.agent
        );
        Err(Error::new(ErrorKind::Forbidden, message).with_cure("give each agent its own"))
    }
}

#[async_trait]
impl Transport for Channel {
    async fn register(&self, registration: &Registration) -> Result<Welcome> {
        self.check(&registration.agent_id)?;
        let answer = self.coordinator.register(registration.clone()).await;
        answer.map_err(told)
    }

    async fn open_tasks(&self, after: Option<EventId>, wait: Duration) -> Result<OpenTasks> {
        self.coordinator.seen(&self.agent);
        self.coordinator.open_tasks(after, wait).await.map_err(told)
    }

    async fn bid(&self, bid: &NewBid) -> Result<BidAnswer> {
        self.check(&bid.agent_id)?;
        self.coordinator.bid(bid.clone()).await.map_err(told)
    }

    async fn claim(&self, request: &ClaimRequest) -> Result<Option<Claim>> {
        self.check(&request.agent_id)?;
        self.coordinator.claim(request.clone()).await.map_err(told)
    }

    async fn pulse(&self, pulse: &Pulse) -> Result<PulseAnswer> {
        self.check(&pulse.agent_id)?;
        self.coordinator
            .heartbeat(pulse.clone())
            .await
            .map_err(told)
    }

    async fn complete(&self, task: TaskId, attempt: AttemptToken, result: &str) -> Result<()> {
        let completion = Completion::new(attempt, result);
        let answer = self
            .coordinator
            .complete(task, Some(&self.agent), completion);
        answer.await.map(drop).map_err(told)
    }

    async fn fail(&self, task: TaskId, attempt: AttemptToken, reason: &str) -> Result<()> {
        let failure = Failure::new(attempt, reason);
        let answer = self.coordinator.fail(task, Some(&self.agent), failure);
        answer.await.map(drop).map_err(told)
    }

    async fn leave(&self, agent: &AgentId) -> Result<()> {
        self.check(agent)?;
        self.coordinator.gone(agent).await.map_err(told)
    }
}

/// The same refusal, as agents hear it over every transport.
fn told(error: crate::Error) -> Error {
    let kind = match error.kind() {
        ProblemKind::NotFound => ErrorKind::NotFound,
        ProblemKind::Unauthorized | ProblemKind::Forbidden => ErrorKind::Forbidden,
        ProblemKind::Superseded | ProblemKind::Conflict => ErrorKind::Superseded,
        ProblemKind::Unavailable | ProblemKind::Internal => ErrorKind::Unavailable,
        ProblemKind::TooManyRequests => ErrorKind::Busy,
        _ => ErrorKind::Invalid,
    };
    let told = Error::new(kind, error.message());
    let told = match error.cure() {
        Some(cure) => told.with_cure(cure),
        None => told,
    };
    told.with_source(error)
}
