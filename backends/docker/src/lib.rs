//! Runs alveary's agents in containers, by the Engine API or by the `docker` program.
//!
//! ```no_run
//! # #[cfg(feature = "api")] {
//! use alveary_core::{AgentId, AgentSpec, BackendConfig, ConnectContext, SpawnOptions, SwarmUid};
//! use alveary_docker::{DockerApiConfig, Settings};
//!
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let context = ConnectContext::new("hive".parse()?, SwarmUid::random());
//! // `DockerCliConfig` in its place drives the program, and makes the same containers.
//! let config = DockerApiConfig::from(Settings::default().with_image("agent:1"));
//! let backend = config.connect(context).await?;
//! let spec = AgentSpec::new("scribe", ["python3", "agent.py"]);
//! let info = backend.spawn(&AgentId::random(), &spec, SpawnOptions::default()).await?;
//! println!("{} is {:?}", info.name, info.handle);
//! # Ok(()) }
//! # }
//! ```
//!
//! | you want | you take |
//! |---|---|
//! | containers by the Engine API: bollard, no program beside us | `DockerApiConfig` (feature `api`) |
//! | the same by `docker` or `podman`, as a shell would | `DockerCliConfig` (feature `cli`) |
//! | what both are told: image, engine, name prefix, bounds, time limits | [`Settings`] |
//! | how long the engine may take | [`Timeouts`] |
//! | which log driver, and how much of a log is kept | [`LogSettings`] |
//!
//! Each config is a [`BackendConfig`](alveary_core::BackendConfig), and what it connects to is an
//! [`AgentBackend`](alveary_core::AgentBackend): what an agent's container is made of stands in its spec
//! ([`ContainerSpec`](alveary_core::ContainerSpec)). Most people take them as `alveary::docker` and name them by one word.
//!
//! # How it is built
//! `plan` turns a spec into what an engine is to make, without an engine in mind. `engine` is what an engine can
//! do for us, whichever way it is reached; `api` and `cli` are the two ways, and `http` carries what both have of
//! the Engine API. `container` is the backend itself,
//! written once over them. `classify` reads what engines say, `exit` and `asks` how an agent ended and who ended
//! it.

// On docs.rs each item says which feature it takes.
#![cfg_attr(docsrs, feature(doc_cfg))]
#![cfg_attr(
    not(any(feature = "api", feature = "cli")),
    expect(dead_code, reason = "without a way to an engine nothing is reached")
)]

#[cfg(feature = "api")]
mod api;
mod asks;
mod belongings;
#[cfg(any(feature = "api", feature = "cli"))]
mod body;
mod classify;
#[cfg(feature = "cli")]
mod cli;
mod config;
mod container;
mod engine;
mod exit;
mod find;
mod hint;
#[cfg_attr(
    not(feature = "api"),
    expect(dead_code, reason = "the way by the program asks for less of it")
)]
mod http;
mod labels;
mod layers;
mod names;
mod plan;
mod policy;
mod wire;

#[cfg(feature = "api")]
pub use api::DockerApiConfig;
#[cfg(feature = "cli")]
pub use cli::DockerCliConfig;
pub use config::{LogSettings, Settings, Timeouts};
