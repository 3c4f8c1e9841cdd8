//! What happened, as the coordinator's book has it.

use alveary_core::AgentId;
use serde::{Deserialize, Serialize};

use super::{AgentStatus, EventId, Sats, TaskId, Timestamp};

/// One line of the coordinator's book.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[non_exhaustive]
pub struct Event {
    /// Its place in the book.
    pub id: EventId,
    /// When it happened.
    pub at: Timestamp,
    /// What happened.
    pub what: Happening,
}

impl Event {
    /// A line of the book.
    pub fn new(id: EventId, at: Timestamp, what: Happening) -> Self {
        Self { id, at, what }
    }
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[non_exhaustive]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum Happening {
    /// Somebody gave a task.
    TaskAdded {
        /// Which task.
        task: TaskId,
    },
    /// A task is open for bids.
    AuctionOpened {
        /// Which task.
        task: TaskId,
        /// Which auction of it, from 1.
        auction: u32,
    },
    /// An agent bid.
    BidPlaced {
        /// For which task.
        task: TaskId,
        /// Who.
        #[cfg_attr(feature = "openapi", schema(value_type = super::schema::AgentId))]
        agent: AgentId,
        /// What it asks.
        sats: Sats,
    },
    /// An agent won a task.
    Assigned {
        /// Which task.
        task: TaskId,
        /// Who.
        #[cfg_attr(feature = "openapi", schema(value_type = super::schema::AgentId))]
        agent: AgentId,
        /// What its bid asked.
        sats: Sats,
        /// Which attempt at the task, from 1.
        attempt: u32,
    },
    /// The winner took its task up.
    Started {
        /// Which task.
        task: TaskId,
        /// Who.
        #[cfg_attr(feature = "openapi", schema(value_type = super::schema::AgentId))]
        agent: AgentId,
        /// Which attempt.
        attempt: u32,
    },
    /// An attempt is over without a report.
    Superseded {
        /// At which task.
        task: TaskId,
        /// Whose.
        #[cfg_attr(feature = "openapi", schema(value_type = super::schema::AgentId))]
        agent: AgentId,
        /// Which attempt.
        attempt: u32,
        /// Why.
        why: String,
    },
    /// A report came of an attempt that was over, and was refused.
    LateReport {
        /// Of which task.
        task: TaskId,
        /// Whose.
        #[cfg_attr(feature = "openapi", schema(value_type = super::schema::AgentId))]
        agent: AgentId,
        /// Of which attempt.
        attempt: u32,
    },
    /// A task is done.
    Completed {
        /// Which task.
        task: TaskId,
        /// By whom.
        #[cfg_attr(feature = "openapi", schema(value_type = super::schema::AgentId))]
        agent: AgentId,
    },
    /// A task will not be done.
    Failed {
        /// Which task.
        task: TaskId,
        /// Who had it, if anybody had.
        #[cfg_attr(feature = "openapi", schema(value_type = Option<super::schema::AgentId>))]
        agent: Option<AgentId>,
        /// Why.
        reason: String,
    },
    /// An agent presented itself.
    AgentRegistered {
        /// Who.
        #[cfg_attr(feature = "openapi", schema(value_type = super::schema::AgentId))]
        agent: AgentId,
        /// What people call it.
        name: String,
    },
    /// An agent stands otherwise than before.
    AgentChanged {
        /// Who.
        #[cfg_attr(feature = "openapi", schema(value_type = super::schema::AgentId))]
        agent: AgentId,
        /// How it stands.
        status: AgentStatus,
    },
}
