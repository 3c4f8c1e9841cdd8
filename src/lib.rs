//! Runs swarms of agent processes on interchangeable backends: local subprocesses, and containers of Docker or Podman.
//!
//! ```no_run
//! use alveary::{AgentSpec, StopOptions};
//!
//! # async fn run() -> alveary::Result<()> {
//! // The file says `backend = "process"`, or `"docker-api"`, or `"docker-cli"`: nothing below depends on it.
//! let swarm = alveary::open("alveary.toml").await?;
//! let agent = swarm.spawn(AgentSpec::new("scribe", ["python3", "agent.py"])).await?;
//! let exit = swarm.stop(&agent.id, StopOptions::default()).await?;
//! println!("{}: {exit}", agent.name);
//! # Ok(()) }
//! ```
//!
//! # Where to find what
//!
//! | you want | you take |
//! |---|---|
//! | a swarm, from a file | [`open`]; [`OpenOptions`] where more is to be said; [`Fleet::load`] for the file alone |
//! | to start, stop, list, follow agents | [`SwarmManager`], which is cheap to clone |
//! | an agent to start | [`AgentSpec`]; it comes back as [`AgentInfo`] or, with its group and its place in the file, [`Agent`] |
//! | to know how it ended | [`Exit`]: what was seen, who ended it, or that it is not known |
//! | everything in a file brought up, or taken down | [`SwarmManager::up`], [`SwarmManager::down`] |
//! | to be told of every change | [`SwarmManager::subscribe`] |
//! | agents that end with the program | [`SwarmManager::guard`], [`SwarmManager::shutdown_on`] |
//! | agents whose end is known after the program | `keeper::run_if_asked`, the first line of `main` (feature `process`) |
//! | a test without processes | [`MemoryBackend`], or `MockAgentBackend` (feature `mock`) |
//! | a backend's settings in code | `process::ProcessConfig`, `docker::DockerApiConfig` (features of the backends) |
//! | a backend of one's own | [`AgentBackend`], [`BackendConfig`], [`Registry`], and the crate `alveary-conformance` |
//! | something around every call | a layer: [`OpenOptions::layer`], [`layers`] |
//! | numbers about a swarm, for Prometheus or a meter of OpenTelemetry | [`SwarmMetrics`] |
//! | to know what failed, and what to do | [`Error`], its [`ErrorKind`], its cure, its [`Retry`] |
//!
//! # Features
//!
//! | feature | brings |
//! |---|---|
//! | `process` (default) | agents as local processes, without an engine |
//! | `docker-api` | agents as containers, by the Engine API |
//! | `docker-cli` | the same, by the `docker` or `podman` program |
//! | `mock` | `MockAgentBackend`, for unit tests |
//! | `otel` | the numbers about a swarm told to a meter of OpenTelemetry: `SwarmMetrics::report_to` |
//! | `schema` | the fleet file's JSON Schema: `Registry::schema` |
//!
//! # Examples
//!
//! Each in `examples/` of the repository, and run by its tests: `choose_backend`, `custom_layer`, `embed_axum` (a
//! swarm in a web service that ends gracefully), `in_process` (a swarm without processes, with its tasks), `metrics` (numbers for Prometheus and for OpenTelemetry), `mock_retry` (a
//! unit test with a mock), `outlive` (a program that is killed, and its agents are not lost). A whole backend is `conformance/examples/tiny_backend.rs`, and its bench
//! `conformance/benches/tiny.rs`.

// On docs.rs each item says which feature it takes.
#![cfg_attr(docsrs, feature(doc_cfg))]

mod config;
pub mod layers;
mod manager;
mod metrics;
mod open;
mod registry;
mod state;

pub use alveary_core::*;
/// Containers, by the Engine API or by a program: settings for those who connect a backend themselves.
#[cfg(any(feature = "docker-api", feature = "docker-cli"))]
pub use alveary_docker as docker;
/// Local processes: the backend, and its settings, for those who connect it themselves.
#[cfg(feature = "process")]
pub use alveary_process as process;
/// For `main`: the line by which a program can be its own swarms' keeper.
#[cfg(feature = "process")]
pub use alveary_process::keeper;
pub use config::{
    BackendChoice, ConfigError, CoordinatorAuth, CoordinatorTable, FILE_NAME, Fleet, FleetAgent,
    LoadOptions, MAX_COUNT, Member, MetricsTable, NoBids, Place, Recovery, VARIABLES, Variable,
    read_env_file,
};
pub use manager::{
    Agent, DownOptions, DownReport, ManagerOptions, ProgressFn, Running, ShutdownGuard,
    ShutdownOptions, Start, StopOutcome, Subscription, Supervision, Supplements, SwarmEvent,
    SwarmManager, UpAction, UpEvent, UpOptions, UpOutcome, UpPlan, UpReport, UpStep,
};
pub use metrics::SwarmMetrics;
pub use open::{
    OpenOptions, Opened, open, recorded_names, recorded_state_dir, recorded_supervisor,
    recorded_swarm, recorded_swarms,
};
/// What [`SwarmMetrics::report_to`] is given comes from this version of the crate.
#[cfg(feature = "otel")]
pub use opentelemetry;
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
