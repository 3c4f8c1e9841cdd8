//! Runs alveary's agents as local processes: the embedded default backend, without engine or Docker.
//!
//! ```no_run
//! use alveary_core::{AgentId, AgentSpec, BackendConfig, ConnectContext, SpawnOptions, StopOptions, SwarmUid};
//! use alveary_process::ProcessConfig;
//!
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let context = ConnectContext::new("hive".parse()?, SwarmUid::random()).with_state_dir("state");
//! let backend = ProcessConfig::default().connect(context).await?;
//! let id = AgentId::random();
//! backend.spawn(&id, &AgentSpec::new("scribe", ["python3", "agent.py"]), SpawnOptions::default()).await?;
//! println!("{}", backend.stop(&id, StopOptions::default()).await?);
//! # Ok(()) }
//! ```
//!
//! | for | there is |
//! |---|---|
//! | running agents | [`ProcessBackend`] |
//! | its settings, and connecting it | [`ProcessConfig`] |
//! | ends that are known even if they come while nothing of yours runs | the line in `main`: [`keeper::run_if_asked`] |
//!
//! # How it is built
//! `launch` completes a spec from the caller's surroundings. `keep` starts, watches and ends processes and
//! writes it all into its journal; it runs in the keeper, or in the manager's process where there is none.
//! `keeper` and `client` are the two ends of the socket between them, `wire` what they say. `logs` are files
//! that the agents write themselves. What only Linux can do is in `os`.

// On docs.rs each item says which feature it takes.
#![cfg_attr(docsrs, feature(doc_cfg))]

mod backend;
mod client;
mod config;
mod connect;
mod ends;
mod here;
mod keep;
pub mod keeper;
mod launch;
mod lock;
mod logs;
mod os;
mod trouble;
mod wire;

pub use backend::ProcessBackend;
pub use config::ProcessConfig;
