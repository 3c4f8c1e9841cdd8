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

/// Answers a [`Registration`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Welcome {
    /// After how long without a pulse an attempt is taken for lost, in milliseconds.
    #[serde(rename = "heartbeat_ms", with = "millis")]
    #[cfg_attr(feature = "openapi", schema(value_type = u64))]
    pub heartbeat: Duration,
    /// Where the coordinator's book ends: what opens later is told from here.
    #[serde(default)]
    pub now: EventId,
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
