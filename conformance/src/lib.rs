//! The suites that every alveary backend runs: what it must do, and how fast it does it.
//!
//! ```no_run
//! // tests/conformance.rs, with `harness = false`
//! use alveary_conformance::{MemoryHarness, run};
//!
//! fn main() -> std::process::ExitCode {
//!     run(std::env::args_os(), vec![Box::new(MemoryHarness::default())])
//! }
//! ```
//!
//! An author of a backend implements [`Harness`] and calls [`run`] from a test with `harness = false`. Each
//! trial bears a sentence of the contract as its name, such as
//! `docker-api::identity::a_second_spawn_of_an_id_returns_the_living_agent`.
//!
//! | you want | you take |
//! |---|---|
//! | every contract tried on a backend | a [`Harness`], and [`run`] |
//! | agents for it that are shell scripts | [`ShellBehaviours`], which says how each [`Behaviour`] and [`Errand`] is done |
//! | to be sure of what really runs, past what the backend says | a [`Witness`], such as [`ProcWitness`] |
//! | to say what is missing on this machine, and why | [`Probe`] |
//! | one trial, to see a broken backend caught | [`find`] and [`attempt`], with the [`Verdict`] that is expected |
//! | a backend that is slow, or fails, on purpose | [`Chaos`], and `proxy` before an engine (feature `proxy`) |
//! | how long starts take, beside a baseline | `bench` (feature `bench`), and [`Pairs`] |

// On docs.rs each item says which feature it takes.
#![cfg_attr(docsrs, feature(doc_cfg))]

mod behaviour;
#[cfg(feature = "bench")]
mod bench;
mod canary;
mod chaos;
mod compare;
mod contracts;
mod errand;
mod harness;
mod manager;
mod memory;
mod need;
mod noted;
#[cfg(feature = "proxy")]
pub mod proxy;
mod run;
mod shell;
mod swarm;
mod tar;
mod trial;
mod witness;

pub use behaviour::{Behaviour, READY, TERM_LINE};
#[cfg(feature = "bench")]
pub use bench::bench;
pub use chaos::Chaos;
pub use compare::Pairs;
/// What [`bench()`] is given.
#[cfg(feature = "bench")]
pub use criterion::Criterion;
pub use errand::Errand;
pub use harness::{Harness, Stranger, StrangerKind, Strangers, Thing, Things, Wrapped};
pub use memory::MemoryHarness;
pub use need::Probe;
pub use run::run;
pub use shell::ShellBehaviours;
pub use tar::{TarEntry, TarKind, read_tar, write_tar};
pub use trial::{Contract, Failure, Outcome, Trial, Verdict, attempt, find, suite};
pub use witness::{ProcWitness, Witness, Witnessed};
