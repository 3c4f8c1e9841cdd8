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
#[non_exhaustive]
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

impl ClaimRequest {
    /// Of an agent that works on nothing else, and does not wait.
    pub fn new(agent_id: AgentId) -> Self {
        Self {
            agent_id,
            holding: Vec::new(),
            wait: Duration::ZERO,
        }
    }

    /// Says which attempts it works on.
    #[must_use]
    pub fn with_holding(mut self, holding: Vec<AttemptToken>) -> Self {
        self.holding = holding;
        self
    }

    /// Says how long to wait for a task.
    #[must_use]
    pub fn with_wait(mut self, wait: Duration) -> Self {
        self.wait = wait;
        self
    }
}

/// A task that is the agent's to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[non_exhaustive]
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

impl Claim {
    /// The attempt of that number, from 1, at a task that asks for nothing in particular.
    pub fn new(
        task_id: TaskId,
        description: Description,
        attempt: AttemptToken,
        number: u32,
    ) -> Self {
        Self {
            task_id,
            description,
            capabilities: Capabilities::default(),
            attempt,
            number,
        }
    }

    /// Says what the task asks for.
    #[must_use]
    pub fn with_capabilities(mut self, capabilities: Capabilities) -> Self {
        self.capabilities = capabilities;
        self
    }
}

/// Says that an agent lives and works.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[non_exhaustive]
pub struct Pulse {
    /// Who lives.
    #[cfg_attr(feature = "openapi", schema(value_type = super::schema::AgentId))]
    pub agent_id: AgentId,
    /// What it works on.
    #[serde(default)]
    pub attempts: Vec<AttemptToken>,
}

impl Pulse {
    /// Of an agent that works on nothing.
    pub fn new(agent_id: AgentId) -> Self {
        Self {
            agent_id,
            attempts: Vec::new(),
        }
    }

    /// Says what it works on.
    #[must_use]
    pub fn with_attempts(mut self, attempts: Vec<AttemptToken>) -> Self {
        self.attempts = attempts;
        self
    }
}

/// Answers a [`Pulse`].
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[non_exhaustive]
pub struct PulseAnswer {
    /// Those of the attempts that are not the agent's any more: work on them is in vain.
    pub superseded: Vec<AttemptToken>,
}

impl PulseAnswer {
    /// These attempts are not the agent's any more.
    pub fn new(superseded: Vec<AttemptToken>) -> Self {
        Self { superseded }
    }
}

/// Delivers a task's result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[non_exhaustive]
pub struct Completion {
    /// Of which attempt.
    pub attempt: AttemptToken,
    /// What came of it: at most [`MAX_TEXT`](super::MAX_TEXT) bytes.
    #[cfg_attr(feature = "openapi", schema(max_length = 262_144))]
    pub result: String,
}

impl Completion {
    /// What came of that attempt.
    pub fn new(attempt: AttemptToken, result: impl Into<String>) -> Self {
        Self {
            attempt,
            result: result.into(),
        }
    }
}

/// Says that a task could not be done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[non_exhaustive]
pub struct Failure {
    /// Of which attempt.
    pub attempt: AttemptToken,
    /// Why: at most [`MAX_TEXT`](super::MAX_TEXT) bytes.
    #[cfg_attr(feature = "openapi", schema(max_length = 262_144))]
    pub reason: String,
}

impl Failure {
    /// Why nothing came of that attempt.
    pub fn new(attempt: AttemptToken, reason: impl Into<String>) -> Self {
        Self {
            attempt,
            reason: reason.into(),
        }
    }
}
