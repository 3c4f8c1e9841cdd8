//! From winning to reporting: an attempt at a task.

use std::time::Duration;

use alveary_core::AgentId;
use serde::{Deserialize, Serialize};

use super::time::millis;
use super::{AttemptToken, Capabilities, Description, TaskId};

/// Asks for the next task that an agent has won.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ClaimRequest {
    /// Who asks.
    #[cfg_attr(feature = "openapi", schema(value_type = super::schema::AgentId))]
    pub agent_id: AgentId,
    /// The attempts that it works on. A running one that is missing here is handed out again.
    #[serde(default)]
    pub holding: Vec<AttemptToken>,
    /// How long to wait for one, in milliseconds.
    #[serde(default, rename = "wait_ms", with = "millis")]
    #[cfg_attr(feature = "openapi", schema(value_type = u64, format = "uint64", maximum = 18_446_744_073_709_551_615_u64))]
    pub wait: Duration,
}

/// A task that is the agent's to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Claim {
    /// Which task.
    pub task_id: TaskId,
    /// What is to be done.
    pub description: Description,
    /// What the task asks for.
    #[serde(default)]
    pub capabilities: Capabilities,
    /// What a report must carry.
    pub attempt: AttemptToken,
    /// Which attempt at the task it is, from 1. What went before may have had its effects: execution is at least
    /// once.
    pub number: u32,
}

/// Says that an agent lives and works.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Pulse {
    /// Who lives.
    #[cfg_attr(feature = "openapi", schema(value_type = super::schema::AgentId))]
    pub agent_id: AgentId,
    /// What it works on.
    #[serde(default)]
    pub attempts: Vec<AttemptToken>,
}

/// Answers a [`Pulse`].
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PulseAnswer {
    /// Those of the attempts that are not the agent's any more: work on them is in vain.
    pub superseded: Vec<AttemptToken>,
}

/// Delivers a task's result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Completion {
    /// Of which attempt.
    pub attempt: AttemptToken,
    /// What came of it: at most [`MAX_TEXT`](super::MAX_TEXT) bytes.
    #[cfg_attr(feature = "openapi", schema(max_length = 262_144))]
    pub result: String,
}

/// Says that a task could not be done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Failure {
    /// Of which attempt.
    pub attempt: AttemptToken,
    /// Why: at most [`MAX_TEXT`](super::MAX_TEXT) bytes.
    #[cfg_attr(feature = "openapi", schema(max_length = 262_144))]
    pub reason: String,
}
