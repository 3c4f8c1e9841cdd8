//! Runs swarms of agent processes on interchangeable backends.

mod config;
pub mod layers;
mod registry;

pub use alveary_core::*;
pub use config::{
    BackendChoice, ConfigError, FILE_NAME, Fleet, FleetAgent, LoadOptions, MAX_COUNT, Member,
    Place, VARIABLES, Variable,
};
pub use registry::{AutoChoice, Connected, Prepared, Registry};
