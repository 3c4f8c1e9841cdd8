//! Runs swarms of agent processes on interchangeable backends.

mod config;
pub mod layers;
mod manager;
mod open;
mod registry;
mod state;

pub use alveary_core::*;
/// For `main`: the line by which a program can be its own swarms' keeper.
#[cfg(feature = "process")]
pub use alveary_process::keeper;
pub use config::{
    BackendChoice, ConfigError, CoordinatorAuth, CoordinatorTable, FILE_NAME, Fleet, FleetAgent,
    LoadOptions, MAX_COUNT, Member, NoBids, Place, Recovery, VARIABLES, Variable,
};
pub use manager::{
    Agent, DownOptions, DownReport, ManagerOptions, ProgressFn, Running, ShutdownGuard,
    ShutdownOptions, Start, StopOutcome, Subscription, Supervision, Supplements, SwarmEvent,
    SwarmManager, UpAction, UpEvent, UpOptions, UpOutcome, UpPlan, UpReport, UpStep,
};
pub use open::{OpenOptions, Opened, open, recorded_state_dir, recorded_swarm};
pub use registry::{AutoChoice, Connected, Prepared, Registry};
pub use state::{Desired, LeaseHolder, SwarmRecord};

/// The code in the README, so that it goes on being right.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

/// The code in the guide, for the same reason.
#[cfg(doctest)]
#[doc = include_str!("../docs/guide/library.md")]
struct Guide;
