//! A way from an agent to its coordinator.

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use alveary_core::AgentId;
use async_trait::async_trait;

use crate::error::Result;
use crate::protocol::{
    AttemptToken, BidAnswer, Claim, ClaimRequest, EventId, NewBid, OpenTasks, Pulse, PulseAnswer,
    Registration, TaskId, Welcome,
};

/// What an agent says to its coordinator, whatever carries it: HTTP, or a channel inside one process.
///
/// Every call may be made again after its answer was lost: the second has no effect beyond the first. A future
/// that is dropped may have had its effect or not. What waits (`open_tasks`, `claim`) answers at once when there
/// is something to say, and otherwise with nothing when the time is over; a transport may cut the time short.
#[async_trait]
pub trait Transport: Debug + Send + Sync + 'static {
    /// Says who the agent is and what it can do. Again: what it says now is what holds.
    async fn register(&self, registration: &Registration) -> Result<Welcome>;

    /// The tasks that are open for bids: all of them, or those whose auction opened after `after`, which is what
    /// the last answer said.
    async fn open_tasks(&self, after: Option<EventId>, wait: Duration) -> Result<OpenTasks>;

    /// Bids for a task. That the auction is over already is an answer, not an error.
    async fn bid(&self, bid: &NewBid) -> Result<BidAnswer>;

    /// Takes up the next task that the agent has won. A task whose claim was answered, but is not among those
    /// that the request says the agent holds, is handed out again: the answer was lost.
    async fn claim(&self, request: &ClaimRequest) -> Result<Option<Claim>>;

    /// Says that the agent lives and works on these attempts, and hears which of them are not its own any more.
    async fn pulse(&self, pulse: &Pulse) -> Result<PulseAnswer>;

    /// Delivers a task's result. [`Superseded`](crate::ErrorKind::Superseded) if the attempt is over; the same
    /// result again is no error.
    async fn complete(&self, task: TaskId, attempt: AttemptToken, result: &str) -> Result<()>;

    /// Says that the task could not be done, and why.
    async fn fail(&self, task: TaskId, attempt: AttemptToken, reason: &str) -> Result<()>;

    /// Says that the agent goes. What it holds is auctioned again at once.
    async fn leave(&self, agent: &AgentId) -> Result<()>;
}

/// One transport in several hands.
#[async_trait]
impl<T: Transport + ?Sized> Transport for Arc<T> {
    async fn register(&self, registration: &Registration) -> Result<Welcome> {
        (**self).register(registration).await
    }

    async fn open_tasks(&self, after: Option<EventId>, wait: Duration) -> Result<OpenTasks> {
        (**self).open_tasks(after, wait).await
    }

    async fn bid(&self, bid: &NewBid) -> Result<BidAnswer> {
        (**self).bid(bid).await
    }

    async fn claim(&self, request: &ClaimRequest) -> Result<Option<Claim>> {
        (**self).claim(request).await
    }

    async fn pulse(&self, pulse: &Pulse) -> Result<PulseAnswer> {
        (**self).pulse(pulse).await
    }

    async fn complete(&self, task: TaskId, attempt: AttemptToken, result: &str) -> Result<()> {
        (**self).complete(task, attempt, result).await
    }

    async fn fail(&self, task: TaskId, attempt: AttemptToken, reason: &str) -> Result<()> {
        (**self).fail(task, attempt, reason).await
    }

    async fn leave(&self, agent: &AgentId) -> Result<()> {
        (**self).leave(agent).await
    }
}
