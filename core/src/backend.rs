//! The contract: what every engine does for a swarm.

use std::fmt::{Debug, Display};

use async_trait::async_trait;

use crate::capabilities::Capabilities;
use crate::error::Result;
use crate::event::EventStream;
use crate::exit::Exit;
use crate::facets::{Belongings, Exec, Files, Leases, Pause, Plans, Signals, Stats};
use crate::health::Health;
use crate::id::{AgentId, BackendKind};
use crate::info::AgentInfo;
use crate::logs::LogStream;
use crate::options::{
    EventOptions, ListOptions, LogOptions, RemoveOptions, SpawnOptions, StopOptions,
};
use crate::spec::AgentSpec;

/// Runs the agents of one swarm on one engine.
///
/// This trait is for those who implement it; users find more on
/// [`AgentBackendExt`](crate::AgentBackendExt). `Display` names the backend and where its engine is, in a
/// few words. Every promise below is tested for every backend by `alveary-conformance`.
///
/// # Identity
/// An agent is the pair of its swarm and its [`AgentId`]; each start of it has an
/// [`Incarnation`](crate::Incarnation). A value of this trait sees the agents of its own swarm and no
/// others.
///
/// # Cancel safety
/// Every method may be dropped at any point. What it had begun goes on or is undone by itself, and
/// [`list`](Self::list) shows whatever exists once the engine has answered.
///
/// # Time
/// Every method ends within the backend's configured time limits, whatever the engine does; `stop` may take
/// the agent's grace in addition.
#[async_trait]
pub trait AgentBackend: Debug + Display + Send + Sync + 'static {
    /// Which engine this is. A wrapper forwards that of the backend inside it.
    fn kind(&self) -> BackendKind;

    /// What can be relied on. Conservative until [`check`](Self::check) has been called.
    fn capabilities(&self) -> Capabilities;

    /// Whether the engine can be reached, and how well.
    ///
    /// `EngineUnavailable` says what was tried and what would help.
    async fn check(&self) -> Result<Health>;

    /// Starts an agent, or finds that this start has been made.
    ///
    /// `Ok` means that the start is accepted: the agent is running, has already ended, or is
    /// [`Starting`](crate::AgentState::Starting) with the reason why it is not up yet. The same id and
    /// incarnation again return what is there, ended or not, and never make a second agent. Another
    /// incarnation is legal once the last has ended.
    ///
    /// `AlreadyExists`: the id lives, with another incarnation or spec. `Conflict`: a stranger holds the
    /// name. `InvalidSpec`, `Unsupported`, `ImageNotFound`, `PermissionDenied`, `OutOfResources`: nothing
    /// was started. `Indeterminate`: the same call again, or a later `list`, resolves it.
    async fn spawn(
        &self,
        id: &AgentId,
        spec: &AgentSpec,
        options: SpawnOptions,
    ) -> Result<AgentInfo>;

    /// How the agent's latest incarnation stands now. `NotFound` for an unknown id.
    async fn inspect(&self, id: &AgentId) -> Result<AgentInfo>;

    /// The latest incarnation of each agent of this swarm, those of an earlier manager too, in no order.
    async fn list(&self, options: ListOptions) -> Result<Vec<AgentInfo>>;

    /// Ends the agent with all its processes and says how it ended, after it has ended.
    ///
    /// The stop signal first, force after the grace. One that has ended already gives its exit again.
    /// Concurrent stops share one signal and one outcome; the shortest grace wins. Dropping the call does
    /// not call the stop off.
    ///
    /// `NotFound`: an unknown id. `StillRunning`: even force has not ended it in time. `Conflict`: the
    /// incarnation that the options name is not the latest.
    async fn stop(&self, id: &AgentId, options: StopOptions) -> Result<Exit>;

    /// Forgets an agent that has ended, its exit and its logs too; its id is free again.
    ///
    /// `NotFound`: an unknown id. `StillRunning`: it lives, and [`RemoveOptions::force`] is not set.
    async fn remove(&self, id: &AgentId, options: RemoveOptions) -> Result<()>;

    /// What happens from now on. `Ok` means: subscribed.
    async fn events(&self, options: EventOptions) -> Result<EventStream>;

    /// What the agent wrote. `NotFound` for an unknown id.
    async fn logs(&self, id: &AgentId, options: LogOptions) -> Result<LogStream>;

    /// Sending signals, where the engine can.
    fn signals(&self) -> Option<&dyn Signals> {
        None
    }

    /// Running further programs in an agent's surroundings, where the engine can.
    fn exec(&self) -> Option<&dyn Exec> {
        None
    }

    /// What an agent uses up, where the engine knows.
    fn stats(&self) -> Option<&dyn Stats> {
        None
    }

    /// Copying files into an agent's surroundings and out of them, where those are not the host's own.
    fn files(&self) -> Option<&dyn Files> {
        None
    }

    /// Holding an agent still and letting it go on, where the engine can.
    fn pause(&self) -> Option<&dyn Pause> {
        None
    }

    /// Saying what would be started, where that can be said without the engine.
    fn plans(&self) -> Option<&dyn Plans> {
        None
    }

    /// Taking away what is the swarm's own beside its agents, where there can be such things.
    fn belongings(&self) -> Option<&dyn Belongings> {
        None
    }

    /// Holding the right to restart agents in the engine, where managers of several hosts reach it.
    fn leases(&self) -> Option<&dyn Leases> {
        None
    }
}
