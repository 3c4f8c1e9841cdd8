//! The contract between alveary's swarm manager and the backends that run its agents.
//!
//! ```
//! use std::sync::Arc;
//! use alveary_core::{AgentBackend, AgentBackendExt, AgentId, AgentSpec, MemoryBackend, SpawnOptions};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> alveary_core::Result<()> {
//! // Any other backend in its place, and the rest stays as it is.
//! let backend: Arc<dyn AgentBackend> = Arc::new(MemoryBackend::new().with_program("greet", |agent| async move {
//!     agent.print("hello\n");
//!     0
//! }));
//! let id = AgentId::random();
//! backend.spawn(&id, &AgentSpec::new("scribe", ["greet"]), SpawnOptions::default()).await?;
//! assert!(backend.wait(&id).await?.is_success());
//! # Ok(()) }
//! ```
//!
//! | you are | you want |
//! |---|---|
//! | an author of a backend | [`AgentBackend`], [`BackendConfig`], [`Capabilities`] for what it can, and the crate `alveary-conformance` |
//! | a user of a backend | [`AgentBackendExt`], [`AgentSpec`], [`AgentInfo`], [`Exit`] |
//! | one who wants more of it than starts and stops | its facets: [`Exec`], [`Files`], [`Stats`], [`Signals`], [`Pause`], [`Plans`], [`Belongings`], [`Leases`] |
//! | one who follows what happens | [`EventStream`] of [`AgentEvent`]s, [`LogStream`] of [`LogItem`]s |
//! | one to whom something failed | [`Error`]: its [`ErrorKind`], its cure, and whether to [`Retry`] |
//! | an author of a test | [`MemoryBackend`], and `MockAgentBackend` behind the feature `mock` |
//!
//! This crate knows no engine and touches no operating system.

// On docs.rs each item says which feature it takes.
#![cfg_attr(docsrs, feature(doc_cfg))]

mod backend;
mod capabilities;
mod config;
mod error;
mod event;
mod exit;
mod exposition;
mod ext;
mod facets;
mod forward;
mod health;
mod id;
mod info;
mod log_buffer;
mod logs;
mod memory;
#[cfg(feature = "mock")]
mod mock;
mod namesake;
mod options;
mod phase;
mod ports;
#[cfg(feature = "schema")]
pub mod schema;
mod signal;
mod spec;
mod subnet;
mod text;
mod watch;

pub use backend::AgentBackend;
/// What logs, archives and programs' outputs are made of; of the crate `bytes`.
pub use bytes::Bytes;
pub use capabilities::{Capabilities, LimitSupport, LogFidelity, Survival, TreeKill};
pub use config::{BackendConfig, ConnectContext};
pub use error::{Error, ErrorKind, Operation, Result, Retry};
pub use event::{AgentEvent, EventStream, Fetch, FetchStage, FetchUnit};
pub use exit::{EndedBy, Exit, ExitStatus};
pub use exposition::{Exposition, Family, MetricKind};
pub use ext::AgentBackendExt;
pub use facets::{
    AgentPath, AgentPlan, Belongings, Collected, DiscardOptions, Discarded, Exec, ExecChunk,
    ExecOutput, ExecSpec, ExecStdin, Execution, FileInfo, FileKind, Files, HostAddress,
    InvalidPath, Leases, Pause, PauseOptions, Plans, PutOptions, Signals, Stats, StatsOptions,
    TarStream, Term, TtySize, Usage, UsageStream,
};
pub use health::{EngineCandidate, Health, HealthNote};
pub use id::{
    AgentId, BackendKind, Incarnation, InvalidId, InvalidUid, MAX_ID_LEN, SwarmName, SwarmUid,
};
pub use info::{AgentInfo, AgentState};
pub use log_buffer::LogBuffer;
pub use logs::{LogCursor, LogItem, LogPiece, LogStream, LogStreamKind, LogStreams};
pub use memory::{AgentContext, AgentOutput, ExecContext, MemoryBackend, MemoryEngine};
#[cfg(feature = "mock")]
pub use mock::MockAgentBackend;
pub use namesake::Namesake;
pub use options::{
    EventOptions, ListOptions, LogOptions, RemoveOptions, SpawnOptions, StopOptions,
};
pub use phase::SpawnPhase;
pub use ports::{PortProtocol, PublishedPort};
pub use signal::{InvalidSignal, Signal};
pub use spec::{
    AgentSpec, Alive, ByteSize, ContainerSpec, Declared, HealthCheck, HttpTarget, InvalidByteSize,
    InvalidHttpTarget, InvalidMount, InvalidUser, Limits, MAX_ARGUMENT, Mount, NetworkSpec, Probe,
    Pull, RESERVED_PREFIX, Ready, ReadyCheck, Restart, RestartBy, RestartPolicy, Secret,
    SecretDelivery, SecretSource, SecretSpec, SpecHash, Stop, Supplement, User, VolumeSpec,
    check_name, is_link_local,
};
pub use subnet::{InvalidSubnet, Subnet};
pub use text::{Escaped, is_unsafe};
/// What [`AgentContext::stop_token`] gives; `tokio_util`'s own.
pub use tokio_util::sync::CancellationToken;
pub use watch::{Watch, WatchEvent, WatchOptions};
