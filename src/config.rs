//! The fleet file: which agents a swarm has, and what runs them.
//!
//! Text becomes a tree that remembers places ([`tree`]), `[defaults]` is merged beneath each agent
//! ([`merge`]), the result becomes typed ([`de`], [`raw`]), paths are made absolute and files of variables
//! read ([`read`]), and the whole is checked ([`check`]). Only then is it a [`Fleet`].

mod agent;
mod backend_choice;
mod check;
mod coordinator;
pub(crate) mod de;
mod env_file;
mod error;
mod expand;
pub(crate) mod fault;
mod find;
mod fleet;
mod merge;
mod metrics;
pub(crate) mod near;
mod options;
mod order;
mod place;
mod preflight;
mod raw;
mod read;
#[cfg(feature = "schema")]
pub(crate) mod schema;
mod show;
pub(crate) mod source;
mod template;
pub(crate) mod tree;

pub use agent::{FleetAgent, MAX_COUNT, Member};
pub use backend_choice::BackendChoice;
pub(crate) use backend_choice::Said;
pub use coordinator::{CoordinatorAuth, CoordinatorTable, NoBids, Recovery};
pub use env_file::variables as read_env_file;
pub use error::ConfigError;
pub use fleet::Fleet;
pub use metrics::MetricsTable;
pub use options::{FILE_NAME, LoadOptions, VARIABLES, Variable};
pub use place::Place;
