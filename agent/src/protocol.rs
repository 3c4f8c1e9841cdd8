//! What agents and coordinators say to each other: each thing once, as a type that holds only what may be said.
//!
//! Names of fields are those of the wire. Questions of `/v1` refuse fields that they do not know; answers, and the
//! older routes' questions, ignore them.

mod agent;
mod bid;
mod capability;
mod event;
mod id;
mod key;
mod problem;
mod sats;
#[cfg(feature = "openapi")]
pub mod schema;
mod task;
mod text;
mod time;
mod work;

pub use agent::{AgentStatus, AgentView, MAX_NAME, Registration, Welcome};
pub use bid::{BidAnswer, BidView, NewBid};
pub use capability::{Capabilities, Capability, InvalidCapability, MAX_CAPABILITIES};
pub use event::{Event, Happening};
pub use id::{AttemptToken, EventId, InvalidUuid, TaskId};
pub use key::{IdempotencyKey, InvalidKey};
pub use problem::{Problem, ProblemDetail, ProblemKind};
pub use sats::{InvalidSats, Sats};
pub use task::{InvalidStatus, NewTask, OpenTask, OpenTasks, TaskStatus, TaskView};
pub use text::{Description, InvalidDescription, MAX_TEXT};
pub use time::{InvalidTimestamp, Timestamp};
pub use work::{Claim, ClaimRequest, Completion, Failure, Pulse, PulseAnswer};
