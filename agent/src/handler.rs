//! Who does the work.

use std::fmt::{self, Display};
use std::future::Future;

use alveary_core::AgentId;
use async_trait::async_trait;
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use crate::protocol::{Capabilities, Claim, Description, TaskId};

/// A task as its handler gets it. In JSON it is what a [`Program`](crate::Program) reads.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct Task {
    /// Which task.
    pub task_id: TaskId,
    /// What is to be done.
    pub description: Description,
    /// What the task asks for.
    pub capabilities: Capabilities,
    /// Which attempt at the task it is, from 1. What went before may have had its effects.
    pub attempt: u32,
    /// Whose handler it is.
    pub agent_id: AgentId,
    #[serde(skip)]
    cancelled: CancellationToken,
}

impl Task {
    pub(crate) fn new(claim: Claim, agent_id: AgentId, cancelled: CancellationToken) -> Self {
        Self {
            task_id: claim.task_id,
            description: claim.description,
            capabilities: claim.capabilities,
            attempt: claim.number,
            agent_id,
            cancelled,
        }
    }

    pub(crate) fn cancellation(&self) -> CancellationToken {
        self.cancelled.clone()
    }

    /// Waits until the work is in vain: the task is another agent's now, its time is over, or this agent ends. A
    /// handler then has three seconds to tidy up before it is dropped; a closure is dropped at once.
    pub async fn cancelled(&self) {
        self.cancelled.cancelled().await;
    }
}

/// Why a handler could not do a task. Its text is what the task's author reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unable(String);

impl Unable {
    /// The task cannot be done for this reason.
    pub fn new(reason: impl Into<String>) -> Self {
        Self(reason.into())
    }

    /// The reason.
    pub fn reason(&self) -> &str {
        &self.0
    }
}

impl Display for Unable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl std::error::Error for Unable {}

/// Does tasks: a [`Program`](crate::Program), or any closure that takes a [`Task`] and gives a future of its
/// result.
///
/// A future that is dropped has to stop what it began. Execution is at least once: the same task may come again, to
/// this agent or to another.
#[async_trait]
pub trait Handler: Send + Sync + 'static {
    /// Does the task and gives its result, of at most [`MAX_TEXT`](crate::protocol::MAX_TEXT) bytes.
    async fn handle(&self, task: Task) -> Result<String, Unable>;
}

#[async_trait]
impl<F, Fut, E> Handler for F
where
    F: Fn(Task) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<String, E>> + Send,
    E: Display,
{
    async fn handle(&self, task: Task) -> Result<String, Unable> {
        let called_off = task.cancellation();
        tokio::select! {
            biased;
            outcome = self(task) => outcome.map_err(|error| Unable(error.to_string())),
            () = called_off.cancelled() => Err(Unable::new("it was called off")),
        }
    }
}
