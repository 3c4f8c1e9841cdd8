//! Tasks: as they are given, as bidders see them, as they stand.

use std::fmt;
use std::str::FromStr;

use alveary_core::AgentId;
use serde::{Deserialize, Serialize};

use super::{Capabilities, Description, EventId, IdempotencyKey, Sats, TaskId, Timestamp};

/// How a task stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum TaskStatus {
    /// It waits for its auction.
    Pending,
    /// It is open for bids.
    Bidding,
    /// An agent has won it and not yet begun.
    Assigned,
    /// An agent works on it.
    Running,
    /// Its result is there.
    Completed,
    /// It will not be done; its result says why.
    Failed,
}

impl TaskStatus {
    /// All of them, in the order of a task's life.
    pub const ALL: [Self; 6] = [
        Self::Pending,
        Self::Bidding,
        Self::Assigned,
        Self::Running,
        Self::Completed,
        Self::Failed,
    ];

    /// The status as a word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Bidding => "bidding",
            Self::Assigned => "assigned",
            Self::Running => "running",
            Self::Completed => "completed",
            Self::Failed => "failed",
        }
    }

    /// Whether nothing more will become of the task.
    pub const fn is_over(self) -> bool {
        matches!(self, Self::Completed | Self::Failed)
    }
}

/// The word is no status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it is no status (pending, bidding, assigned, running, completed and failed are)")]
pub struct InvalidStatus;

impl fmt::Display for TaskStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for TaskStatus {
    type Err = InvalidStatus;
    fn from_str(text: &str) -> Result<Self, InvalidStatus> {
        let named = |status: &Self| status.as_str() == text;
        Self::ALL.into_iter().find(named).ok_or(InvalidStatus)
    }
}

/// A task that somebody gives.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[non_exhaustive]
pub struct NewTask {
    /// What is to be done.
    pub description: Description,
    /// What an agent must be able to do, to be let bid.
    #[serde(default, skip_serializing_if = "Capabilities::is_empty")]
    pub capabilities: Capabilities,
    /// Under a key that was used for the same task before, it is not taken again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<IdempotencyKey>,
}

impl NewTask {
    /// A task that any agent may bid for.
    pub fn new(description: Description) -> Self {
        Self {
            description,
            capabilities: Capabilities::default(),
            key: None,
        }
    }

    /// Says what an agent must be able to do, to be let bid.
    #[must_use]
    pub fn with_capabilities(mut self, capabilities: Capabilities) -> Self {
        self.capabilities = capabilities;
        self
    }

    /// Gives it a key, under which it is taken once.
    #[must_use]
    pub fn with_key(mut self, key: IdempotencyKey) -> Self {
        self.key = Some(key);
        self
    }
}

/// A task that is open for bids.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[non_exhaustive]
pub struct OpenTask {
    /// Which task.
    pub task_id: TaskId,
    /// What is to be done.
    pub description: Description,
    /// Always [`Bidding`](TaskStatus::Bidding).
    pub status: TaskStatus,
    /// What an agent must be able to do. Left out when there is nothing.
    #[serde(default, skip_serializing_if = "Capabilities::is_empty")]
    pub capabilities: Capabilities,
    /// Which auction of this task it is, from 1: each has its own bids. Left out for the first.
    #[serde(default = "first", skip_serializing_if = "is_first")]
    #[cfg_attr(feature = "openapi", schema(minimum = 1))]
    pub auction: u32,
}

impl OpenTask {
    /// A task in its first auction, for which any agent may bid.
    pub fn new(task_id: TaskId, description: Description) -> Self {
        Self {
            task_id,
            description,
            status: TaskStatus::Bidding,
            capabilities: Capabilities::default(),
            auction: first(),
        }
    }

    /// Says what an agent must be able to do.
    #[must_use]
    pub fn with_capabilities(mut self, capabilities: Capabilities) -> Self {
        self.capabilities = capabilities;
        self
    }

    /// Says which auction of the task it is, from 1.
    #[must_use]
    pub fn with_auction(mut self, auction: u32) -> Self {
        self.auction = auction;
        self
    }
}

fn first() -> u32 {
    1
}

fn is_first(auction: &u32) -> bool {
    *auction == 1
}

/// The tasks that are open for bids, and up to where in the coordinator's book they are told.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct OpenTasks {
    /// The tasks, the oldest first.
    pub tasks: Vec<OpenTask>,
    /// What to ask from the next time. `None` from a coordinator that cannot tell.
    pub after: Option<EventId>,
}

impl OpenTasks {
    /// These, from a coordinator that cannot tell up to where.
    pub fn new(tasks: Vec<OpenTask>) -> Self {
        Self { tasks, after: None }
    }

    /// Says up to where in the coordinator's book they are told.
    #[must_use]
    pub fn with_after(mut self, after: EventId) -> Self {
        self.after = Some(after);
        self
    }
}

/// How a task stands, for those who watch it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[non_exhaustive]
pub struct TaskView {
    /// Which task.
    pub id: TaskId,
    /// What is to be done.
    pub description: Description,
    /// How it stands.
    pub status: TaskStatus,
    /// Who has it, or had it last.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<super::schema::AgentId>))]
    pub assigned_agent: Option<AgentId>,
    /// What came of it; of a failed one, why.
    pub result: Option<String>,
    /// When it was given.
    pub created_at: Timestamp,
    /// When it was completed or failed.
    pub completed_at: Option<Timestamp>,
    /// What an agent must be able to do.
    #[serde(default)]
    pub capabilities: Capabilities,
    /// What the bid asked that won the last auction.
    #[serde(default)]
    pub winning_bid: Option<Sats>,
    /// How many auctions there have been of it.
    #[serde(default)]
    pub auctions: u32,
    /// How many attempts there have been at it.
    #[serde(default)]
    pub attempts: u32,
}

impl TaskView {
    /// A task of which nothing has become yet.
    pub fn new(
        id: TaskId,
        description: Description,
        status: TaskStatus,
        created_at: Timestamp,
    ) -> Self {
        Self {
            id,
            description,
            status,
            assigned_agent: None,
            result: None,
            created_at,
            completed_at: None,
            capabilities: Capabilities::default(),
            winning_bid: None,
            auctions: 0,
            attempts: 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_first_auction_without_wishes_has_the_older_form_to_the_letter() {
        let task_id = TaskId::random();
        let open = OpenTask::new(task_id, "sing".parse().unwrap());
        let wire = format!(r#"{{"task_id":"{task_id}","description":"sing","status":"bidding"}}"#);
        assert_eq!(serde_json::to_string(&open).unwrap(), wire);
        assert_eq!(serde_json::from_str::<OpenTask>(&wire).unwrap(), open);
    }

    #[test]
    fn a_new_task_with_a_misspelt_field_is_refused() {
        let wrong = r#"{"description": "sing", "capabilitys": ["song"]}"#;
        assert!(serde_json::from_str::<NewTask>(wrong).is_err());
        assert!(serde_json::from_str::<NewTask>(r#"{"description": ""}"#).is_err());
    }

    #[test]
    fn a_status_is_read_back_from_its_word() {
        for status in TaskStatus::ALL {
            assert_eq!(status.as_str().parse(), Ok(status));
        }
        assert_eq!("done".parse::<TaskStatus>(), Err(InvalidStatus));
    }
}
