//! The suites that every alveary backend runs: what it must do, and how fast it does it.
//!
//! An author of a backend implements [`Harness`] and calls [`run`] from a test with `harness = false`. Each
//! trial bears a sentence of the contract as its name, such as
//! `docker-api::identity::a_second_spawn_of_an_id_returns_the_living_agent`.

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
