//! An agent's side of alveary's coordinator.
//!
//! [`protocol`] is what agents and coordinators say to each other; a [`Transport`] is a way to say it.

mod error;
pub mod protocol;
mod transport;

pub use alveary_core::AgentId;
pub use error::{Error, ErrorKind, Result};
pub use transport::Transport;
