//! What not every engine can do. A backend that has a facet returns it; one that has not returns `None`:
//! the capability and the implementation are one fact.
//!
//! A facet takes part in the contract: unknown ids are `NotFound`, what the agent's state does not allow is
//! `Conflict`, and a call may be dropped at any point.

mod archive;
mod belongings;
mod exec;
mod execution;
mod files;
mod leases;
mod pause;
mod plans;
mod signals;
mod stats;

pub use archive::TarStream;
pub use belongings::{Belongings, DiscardOptions, Discarded, HostAddress};
pub use exec::{Exec, ExecSpec, TtySize};
pub use execution::{Collected, ExecChunk, ExecOutput, ExecStdin, Execution};
pub use files::{AgentPath, FileInfo, FileKind, Files, InvalidPath, PutOptions};
pub use leases::{Leases, Term};
pub use pause::{Pause, PauseOptions};
pub use plans::{AgentPlan, Plans};
pub use signals::Signals;
pub use stats::{Stats, StatsOptions, Usage, UsageStream};
