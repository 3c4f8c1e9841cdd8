//! Bids.

use alveary_core::AgentId;
use serde::{Deserialize, Serialize};

use super::{Capabilities, Sats, TaskId, Timestamp, capability};

/// A bid for a task, as `POST /internal/bids` takes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[non_exhaustive]
pub struct NewBid {
    /// For which task.
    pub task_id: TaskId,
    /// Who bids.
    #[cfg_attr(feature = "openapi", schema(value_type = super::schema::AgentId))]
    pub agent_id: AgentId,
    /// What it asks.
    pub bid_sats: Sats,
    /// What it can do, separated by commas.
    #[serde(default, with = "capability::as_text")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub capabilities: Capabilities,
}

impl NewBid {
    /// A bid of an agent that says of no capability that it has it.
    pub fn new(task_id: TaskId, agent_id: AgentId, bid_sats: Sats) -> Self {
        Self {
            task_id,
            agent_id,
            bid_sats,
            capabilities: Capabilities::default(),
        }
    }

    /// Says what it can do.
    #[must_use]
    pub fn with_capabilities(mut self, capabilities: Capabilities) -> Self {
        self.capabilities = capabilities;
        self
    }
}

/// What became of a bid.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[non_exhaustive]
pub struct BidAnswer {
    /// Whether the bid takes part in an auction.
    pub accepted: bool,
    /// The task that the bid named.
    pub task_id: TaskId,
    /// The agent that the bid named.
    #[cfg_attr(feature = "openapi", schema(value_type = super::schema::AgentId))]
    pub agent_id: AgentId,
    /// The same in a sentence.
    pub message: String,
}

impl BidAnswer {
    /// What became of the bid of `agent_id` for `task_id`, with the same in a sentence.
    pub fn new(
        accepted: bool,
        task_id: TaskId,
        agent_id: AgentId,
        message: impl Into<String>,
    ) -> Self {
        Self {
            accepted,
            task_id,
            agent_id,
            message: message.into(),
        }
    }
}

/// A bid, for those who watch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[non_exhaustive]
pub struct BidView {
    /// Who bid.
    #[cfg_attr(feature = "openapi", schema(value_type = super::schema::AgentId))]
    pub agent_id: AgentId,
    /// What it asks.
    pub bid_sats: Sats,
    /// In which auction of the task, from 1.
    pub auction: u32,
    /// When it came.
    pub at: Timestamp,
}

impl BidView {
    /// A bid in that auction of its task, counted from 1.
    pub fn new(agent_id: AgentId, bid_sats: Sats, auction: u32, at: Timestamp) -> Self {
        Self {
            agent_id,
            bid_sats,
            auction,
            at,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bid_takes_capabilities_as_text_as_null_and_not_at_all() {
        let task = TaskId::random();
        for (given, read) in [
            ("", ""),
            (r#", "capabilities": null"#, ""),
            (r#", "capabilities": "b,a""#, "a,b"),
        ] {
            let wire =
                format!(r#"{{"task_id": "{task}", "agent_id": "timmy", "bid_sats": 10{given}}}"#);
            let bid: NewBid = serde_json::from_str(&wire).unwrap();
            assert_eq!(bid.capabilities.to_string(), read);
        }
    }
}
