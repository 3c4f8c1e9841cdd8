//! Stand-ins, in a documented wire, for types that another crate owns.

use utoipa::ToSchema;

/// An agent's identity inside its swarm.
#[derive(Debug, ToSchema)]
#[schema(value_type = String, min_length = 1, max_length = 64, pattern = "^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")]
pub struct AgentId(pub String);
