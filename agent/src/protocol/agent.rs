//! Agents, as they present themselves and as they stand.

use std::fmt;
use std::time::Duration;

use alveary_core::AgentId;
use serde::{Deserialize, Serialize};

use super::time::millis;
use super::{Capabilities, EventId, Timestamp};

/// The most characters of an agent's name.
pub const MAX_NAME: usize = 256;

/// An agent presents itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[non_exhaustive]
pub struct Registration {
    /// Who it is.
    #[cfg_attr(feature = "openapi", schema(value_type = super::schema::AgentId))]
    pub agent_id: AgentId,
    /// What people call it: at most [`MAX_NAME`] characters.
    #[cfg_attr(feature = "openapi", schema(max_length = 256))]
    pub name: String,
    /// What it can do.
    #[serde(default)]
    pub capabilities: Capabilities,
}

impl Registration {
    /// An agent that can do nothing in particular.
    pub fn new(agent_id: AgentId, name: impl Into<String>) -> Self {
        Self {
            agent_id,
            name: name.into(),
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

/// Answers a [`Registration`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[non_exhaustive]
pub struct Welcome {
    /// After how long without a pulse an attempt is taken for lost, in milliseconds.
    #[serde(rename = "heartbeat_ms", with = "millis")]
    #[cfg_attr(feature = "openapi", schema(value_type = u64))]
    pub heartbeat: Duration,
    /// Where the coordinator's book ends: what opens later is told from here.
    #[serde(default)]
    pub now: EventId,
}

impl Welcome {
    /// Of a coordinator that takes an attempt for lost after so long without a pulse.
    pub fn new(heartbeat: Duration) -> Self {
        Self {
            heartbeat,
            now: EventId::default(),
        }
    }

    /// Says where the coordinator's book ends.
    #[must_use]
    pub fn with_now(mut self, now: EventId) -> Self {
        self.now = now;
        self
    }
}

/// How an agent stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum AgentStatus {
    /// It has nothing to do.
    Idle,
    /// It has a task.
    Busy,
    /// It has given no sign of life, or is known to be gone.
    Offline,
}

impl AgentStatus {
    /// The status as a word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Busy => "busy",
            Self::Offline => "offline",
        }
    }
}

impl fmt::Display for AgentStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// How an agent stands, for those who watch it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[non_exhaustive]
pub struct AgentView {
    /// Who it is.
    #[cfg_attr(feature = "openapi", schema(value_type = super::schema::AgentId))]
    pub id: AgentId,
    /// What people call it.
    pub name: String,
    /// How it stands.
    pub status: AgentStatus,
    /// What it can do.
    pub capabilities: Capabilities,
    /// When it was first heard of.
    pub registered_at: Timestamp,
    /// When it last gave a sign of life.
    pub last_seen: Timestamp,
}

impl AgentView {
    /// An agent that can do nothing in particular.
    pub fn new(
        id: AgentId,
        name: impl Into<String>,
        status: AgentStatus,
        registered_at: Timestamp,
        last_seen: Timestamp,
    ) -> Self {
        Self {
            id,
            name: name.into(),
            status,
            capabilities: Capabilities::default(),
            registered_at,
            last_seen,
        }
    }

    /// Says what it can do.
    #[must_use]
    pub fn with_capabilities(mut self, capabilities: Capabilities) -> Self {
        self.capabilities = capabilities;
        self
    }
}
