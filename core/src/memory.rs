//! A backend without an engine: an agent is an async closure in this process.

mod agent;
mod context;
mod engine;
mod exec;
mod facets;
mod given;
mod motion;
mod signals;
mod spawn;

use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::sync::{Arc, PoisonError, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::stream;
use tokio::sync::broadcast;

use crate::backend::AgentBackend;
use crate::capabilities::{Capabilities, LimitSupport, LogFidelity, Survival, TreeKill};
use crate::error::{Error, ErrorKind, Operation, Result};
use crate::event::{AgentEvent, EventStream};
use crate::exit::{Exit, ExitStatus};
use crate::facets::{Exec, Pause, Signals, Stats};
use crate::health::Health;
use crate::id::{AgentId, BackendKind, Incarnation, SwarmUid};
use crate::info::AgentInfo;
use crate::logs::LogStream;
use crate::options::{
    EventOptions, ListOptions, LogOptions, RemoveOptions, SpawnOptions, StopOptions,
};
use crate::spec::AgentSpec;

use agent::Agent;
pub use context::{AgentContext, AgentOutput};
pub use engine::MemoryEngine;
use engine::SwarmTable;
pub use exec::ExecContext;

/// A backend without an engine: an agent is an async closure in this process.
///
/// It keeps every promise of [`AgentBackend`] that can be kept without processes, in microseconds, and takes
/// the place of an engine in tests; the in-process agents of a system can live in it for good. A panic is an
/// exit with code 101. What a closure cannot have (limits, a user, a working directory) is `Unsupported`.
///
/// Agents run on the tokio runtime in which they are spawned, and end with it.
///
/// ```
/// use alveary_core::{AgentBackend, AgentBackendExt, AgentId, AgentSpec, MemoryBackend, SpawnOptions};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), alveary_core::Error> {
/// let backend = MemoryBackend::new().with_program("greet", |agent| async move {
///     agent.print(format!("hello {}\n", agent.args()[0]));
///     7
/// });
/// let (id, spec) = (AgentId::random(), AgentSpec::new("greeter", ["greet", "world"]));
/// backend.spawn(&id, &spec, SpawnOptions::default()).await?;
/// assert_eq!(backend.wait(&id).await?.code(), Some(7));
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct MemoryBackend {
    engine: MemoryEngine,
    uid: SwarmUid,
    swarm: Arc<SwarmTable>,
}

impl Default for MemoryBackend {
    fn default() -> Self {
        Self::on(&MemoryEngine::new(), SwarmUid::random())
    }
}

impl MemoryBackend {
    /// A swarm of its own on an engine of its own.
    pub fn new() -> Self {
        Self::default()
    }

    /// A manager of this swarm on a given engine. Agents outlive it there, as they do on other engines.
    pub fn on(engine: &MemoryEngine, swarm: SwarmUid) -> Self {
        Self {
            engine: engine.clone(),
            uid: swarm,
            swarm: engine.swarm(swarm),
        }
    }

    /// Gives its engine a program: see [`MemoryEngine::with_program`].
    #[must_use]
    pub fn with_program<F, R>(
        mut self,
        name: impl Into<String>,
        program: impl Fn(AgentContext) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = R> + Send + 'static,
        R: Into<ExitStatus>,
    {
        self.engine = self.engine.with_program(name, program);
        self
    }

    /// Gives its engine a program that is run beside agents: see [`MemoryEngine::with_exec`].
    #[must_use]
    pub fn with_exec<F, R>(
        mut self,
        name: impl Into<String>,
        program: impl Fn(ExecContext) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = R> + Send + 'static,
        R: Into<ExitStatus>,
    {
        self.engine = self.engine.with_exec(name, program);
        self
    }

    fn agents(&self) -> RwLockReadGuard<'_, HashMap<AgentId, Arc<Agent>>> {
        self.swarm
            .agents
            .read()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn agents_mut(&self) -> RwLockWriteGuard<'_, HashMap<AgentId, Arc<Agent>>> {
        self.swarm
            .agents
            .write()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn find(&self, operation: Operation, id: &AgentId) -> Result<Arc<Agent>> {
        self.agents()
            .get(id)
            .cloned()
            .ok_or_else(|| Error::agent_not_found(operation, id))
    }
}

#[async_trait]
impl AgentBackend for MemoryBackend {
    fn kind(&self) -> BackendKind {
        BackendKind::new("memory")
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            survives: Survival::NOTHING,
            tree_kill: TreeKill::BestEffort,
            logs: LogFidelity {
                readable: true,
                byte_exact: true,
                complete: true,
                bounded: true,
                counted: true,
                time_resolution: Some(Duration::from_millis(1)),
            },
            limits: LimitSupport::default(),
            secret_files: true,
            user: false,
            cwd: false,
            container: false,
            signals: true,
            engine_restarts: false,
        }
    }

    async fn check(&self) -> Result<Health> {
        Ok(Health::default().with_endpoint("this process"))
    }

    async fn spawn(
        &self,
        id: &AgentId,
        spec: &AgentSpec,
        options: SpawnOptions,
    ) -> Result<AgentInfo> {
        self.spawn_now(id, spec, options.incarnation)
            .map_err(|error| error.with_agent(id))
    }

    async fn inspect(&self, id: &AgentId) -> Result<AgentInfo> {
        Ok(self.find(Operation::Inspect, id)?.info())
    }

    async fn list(&self, options: ListOptions) -> Result<Vec<AgentInfo>> {
        let agents = self.agents();
        let infos = agents.values().map(|agent| agent.info());
        Ok(infos
            .filter(|info| !options.living_only || !info.state.has_ended())
            .collect())
    }

    async fn stop(&self, id: &AgentId, options: StopOptions) -> Result<Exit> {
        let agent = self.find(Operation::Stop, id)?;
        ensure_incarnation(&agent, options.incarnation, Operation::Stop)?;
        agent.stop(&options).await
    }

    async fn remove(&self, id: &AgentId, options: RemoveOptions) -> Result<()> {
        let agent = self.find(Operation::Remove, id)?;
        if options.force {
            let stopped = agent.stop(&StopOptions::by_force()).await;
            stopped.map_err(|error| error.with_operation(Operation::Remove))?;
        }
        let mut agents = self.agents_mut();
        match agents.get(id) {
            Some(there) if Arc::ptr_eq(there, &agent) => {}
            // Somebody else has removed it meanwhile.
            _ => return Err(Error::agent_not_found(Operation::Remove, id)),
        }
        if !agent.has_ended() {
            return Err(Error::new(
                ErrorKind::StillRunning,
                Operation::Remove,
                "it has not ended",
            )
            .with_agent(id)
            .with_cure("stop it first, or remove it by force"));
        }
        agents.remove(id);
        // Under the lock, so that the removal is told before a new start of the id.
        let _ = self.swarm.events.send(AgentEvent::Removed {
            id: id.clone(),
            incarnation: agent.incarnation,
        });
        Ok(())
    }

    async fn events(&self, _options: EventOptions) -> Result<EventStream> {
        let receiver = self.swarm.events.subscribe();
        Ok(EventStream::new(stream::unfold(
            Some(receiver),
            |receiver| async {
                let mut receiver = receiver?;
                match receiver.recv().await {
                    Ok(event) => Some((Ok(event), Some(receiver))),
                    Err(broadcast::error::RecvError::Lagged(_)) => {
                        Some((Ok(AgentEvent::Lagged), Some(receiver)))
                    }
                    Err(broadcast::error::RecvError::Closed) => Some((Err(engine_gone()), None)),
                }
            },
        )))
    }

    async fn logs(&self, id: &AgentId, options: LogOptions) -> Result<LogStream> {
        let agent = self.find(Operation::Logs, id)?;
        if options
            .incarnation
            .is_some_and(|wanted| wanted != agent.incarnation)
        {
            return Err(Error::new(
                ErrorKind::NotFound,
                Operation::Logs,
                "what that start of it wrote is not kept",
            )
            .with_agent(id)
            .with_cure("read the logs of a start before the next one begins"));
        }
        agent
            .log
            .read(&options)
            .map_err(|error| error.with_agent(id))
    }

    fn signals(&self) -> Option<&dyn Signals> {
        Some(self)
    }

    fn exec(&self) -> Option<&dyn Exec> {
        Some(self)
    }

    fn stats(&self) -> Option<&dyn Stats> {
        Some(self)
    }

    fn pause(&self) -> Option<&dyn Pause> {
        Some(self)
    }
}

fn ensure_incarnation(
    agent: &Agent,
    meant: Option<Incarnation>,
    operation: Operation,
) -> Result<()> {
    if meant.is_none_or(|meant| meant == agent.incarnation) {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::Conflict,
        operation,
        "the start that is meant is not its latest",
    )
    .with_agent(&agent.id)
    .with_cure("inspect it, and name the latest start or none"))
}

fn engine_gone() -> Error {
    Error::new(
        ErrorKind::EngineUnavailable,
        Operation::Events,
        "the last handle on the memory engine is gone",
    )
    .with_cure("keep a backend or its engine for as long as its events are followed")
}

impl fmt::Debug for MemoryBackend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryBackend")
            .field("swarm", &self.uid)
            .field("agents", &self.agents().len())
            .finish_non_exhaustive()
    }
}

impl fmt::Display for MemoryBackend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("memory (this process)")
    }
}
