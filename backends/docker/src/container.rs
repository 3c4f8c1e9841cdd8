//! The backend itself, over any way to an engine: what a spawn, a stop, a list are is written once, here.

mod agent;
mod ahead;
mod belongings;
mod coming;
mod events;
mod facets;
mod home;
mod last_words;
mod leases;
mod logs;
mod namesakes;
mod pieces;
mod plans;
mod pull;
mod remarks;
mod remove;
mod replace;
mod secrets;
mod spawn;
mod start;
mod stop;
mod turns;
mod volumes;

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::future::Future;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use alveary_core::{
    AgentBackend, AgentId, AgentInfo, AgentSpec, BackendKind, Capabilities, ConnectContext, Error,
    ErrorKind, EventOptions, EventStream, Exec, Exit, Files, Health, LimitSupport, ListOptions,
    LogOptions, LogStream, Operation, Pause, RemoveOptions, Result, Signals, SpawnOptions, Stats,
    StopOptions, Survival, SwarmUid, TreeKill,
};
use async_trait::async_trait;

use crate::asks::Asks;
use crate::belongings::Declarations;
use crate::classify::{Class, Trouble};
use crate::config::Settings;
use crate::engine::{Engine, EngineFacts, Ref};
use crate::names::Names;
use crate::policy::Policies;
use agent::Last;
use secrets::Secrets;
use turns::Turns;

/// Runs a swarm's agents as containers of one engine.
///
/// Cloning gives another handle on the same.
pub(crate) struct Containers<E>(Arc<Inner<E>>);

impl<E> Clone for Containers<E> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

struct Inner<E> {
    engine: E,
    swarm: SwarmUid,
    names: Names,
    settings: Settings,
    policies: Policies,
    own: belongings::Own,
    asks: Asks,
    secrets: Secrets,
    facts: OnceLock<EngineFacts>,
    home: home::Home,
    /// Of each kind of what costs an engine much time, as many are under way as it can do with.
    starts: Turns,
    kills: Turns,
    removals: Turns,
    /// Who is about to change what an id stands for.
    seats: Mutex<HashMap<AgentId, Arc<tokio::sync::Mutex<()>>>>,
    stops: stop::Stops,
    known: start::Known,
    seen_volumes: volumes::SeenVolumes,
    pulls: pull::Pulls,
    comings: coming::Comings,
    hints: last_words::Hints,
    told: remarks::Told,
    ended: remove::Ended,
    halfway: replace::Halfway,
}

impl<E: Engine> Containers<E> {
    pub(crate) fn new(engine: E, settings: Settings, context: &ConnectContext) -> Result<Self> {
        if settings.pids == 0 {
            return Err(Error::new(
                ErrorKind::InvalidSpec,
                Operation::Connect,
                "`pids = 0` in the backend's settings bounds no agent's processes",
            )
            .with_cure("give 1 or more, or leave it out"));
        }
        let trouble = |error: std::io::Error| {
            Error::new(
                ErrorKind::Engine,
                Operation::Connect,
                "the state folder cannot be used",
            )
            .with_cure("give yourself the right to write it")
            .with_source(error)
        };
        // Either way to an engine is a manager of the same swarm, so that the two share what is known.
        let shared = context.state_dir.as_ref().map(|dir| dir.join("asks"));
        if let Some(folder) = &shared {
            std::fs::create_dir_all(folder).map_err(trouble)?;
        }
        let secrets = context.secrets_dir.clone().filter(|_| engine.is_local());
        Ok(Self(Arc::new(Inner {
            names: Names::new(settings.name_prefix.as_deref(), &context.swarm)?,
            swarm: context.uid,
            asks: Asks::new(shared),
            secrets: Secrets::new(secrets),
            facts: OnceLock::new(),
            home: home::Home::new(
                context.state_dir.as_ref().map(|dir| dir.join("engine")),
                context.adopt,
            ),
            policies: Policies::of_this_host()?,
            own: belongings::Own::new(Declarations::new(&context.swarm, &context.declared)?),
            starts: Turns::new(settings.at_once, settings.timeout.start),
            kills: Turns::new(settings.at_once, settings.timeout.ask),
            removals: Turns::new(settings.at_once, settings.timeout.remove),
            seats: Mutex::default(),
            stops: stop::Stops::default(),
            known: start::Known::default(),
            seen_volumes: volumes::SeenVolumes::default(),
            pulls: pull::Pulls::default(),
            comings: coming::Comings::default(),
            hints: last_words::Hints::default(),
            told: remarks::Told::default(),
            ended: remove::Ended::default(),
            halfway: replace::Halfway::default(),
            engine,
            settings,
        })))
    }

    fn engine(&self) -> &E {
        &self.0.engine
    }

    /// Whose turn it is with this id, in this process.
    fn seat(&self, id: &AgentId) -> Arc<tokio::sync::Mutex<()>> {
        let mut seats = self.0.seats.lock().unwrap_or_else(PoisonError::into_inner);
        // Nobody holds those that are here alone.
        seats.retain(|_, seat| Arc::strong_count(seat) > 1);
        Arc::clone(seats.entry(id.clone()).or_default())
    }

    /// What was learnt of the engine; nothing before anybody asked.
    fn facts(&self) -> Option<&EngineFacts> {
        self.0.facts.get()
    }

    async fn learn(&self) -> Result<&EngineFacts, Trouble> {
        if let Some(facts) = self.facts() {
            return Ok(facts);
        }
        let facts = self.engine().facts().await?;
        Ok(self.0.facts.get_or_init(|| facts))
    }
}

/// A name that our own grammar made; it can always be one.
fn named(name: &str) -> Result<Ref, Trouble> {
    Ref::new(name).ok_or_else(|| Trouble::new(Class::BadRequest, format!("`{name}` is no name")))
}

/// Sees a change through even if its caller is dropped: engines are not told to forget what was begun.
async fn detached<T: Send + 'static>(
    operation: Operation,
    work: impl Future<Output = Result<T>> + Send + 'static,
) -> Result<T> {
    match tokio::spawn(work).await {
        Ok(result) => result,
        Err(error) => Err(Error::new(
            ErrorKind::Indeterminate,
            operation,
            "the runtime ended in the midst of it",
        )
        .with_cure("ask again")
        .with_source(error)),
    }
}

#[async_trait]
impl<E: Engine> AgentBackend for Containers<E> {
    fn kind(&self) -> BackendKind {
        BackendKind::new(E::KIND)
    }

    fn capabilities(&self) -> Capabilities {
        let podman = self.facts().is_none_or(|facts| facts.podman);
        let mut capabilities = Capabilities::default();
        capabilities.survives = Survival::ALL;
        capabilities.tree_kill = TreeKill::Enforced;
        let podmans = self.facts().map(|facts| facts.podman);
        capabilities.logs = self.0.settings.log.fidelity(podmans);
        // Podman tells whole seconds of what it noted to the nanosecond.
        let resolution = if podman { 1000 } else { 10 };
        capabilities.logs.time_resolution = Some(Duration::from_millis(resolution));
        capabilities.limits = LimitSupport::default();
        capabilities.limits.memory = true;
        capabilities.limits.cpus = true;
        capabilities.limits.cpu_time = true;
        capabilities.limits.nofile = true;
        capabilities.limits.nproc = true;
        capabilities.secret_files = self.0.secrets.can_be();
        capabilities.user = true;
        capabilities.cwd = true;
        capabilities.container = true;
        capabilities.signals = true;
        // Podman starts anew what was ended by a signal, whoever sent it.
        capabilities.engine_restarts = !podman;
        capabilities
    }

    async fn check(&self) -> Result<Health> {
        let asked = |trouble: Trouble| trouble.error(Operation::Check);
        // Whether it answers now: what was learnt of it before says nothing of that.
        let facts = self.engine().facts().await.map_err(asked)?;
        self.0.facts.get_or_init(|| facts.clone());
        self.meet().await.map_err(asked)?;
        let mut health = facts.health().with_endpoint(self.engine().to_string());
        if !self.0.secrets.can_be() {
            health = health.with_note(
                "secrets cannot be handed over as files here",
                Some("ask for them as variables (`as = \"env\"`), or use an engine of this host"),
            );
        }
        Ok(health)
    }

    async fn spawn(
        &self,
        id: &AgentId,
        spec: &AgentSpec,
        options: SpawnOptions,
    ) -> Result<AgentInfo> {
        self.spawn_agent(id, spec, options.incarnation)
            .await
            .map_err(|error| error.with_agent(id))
    }

    async fn inspect(&self, id: &AgentId) -> Result<AgentInfo> {
        match self.0.comings.get(id) {
            Some(info) if !info.state.has_ended() => return Ok(info),
            _ => {}
        }
        match self.find_or_failed(id, Operation::Inspect).await? {
            Last::There(agent) => Ok(self.info(&agent).await),
            Last::Failed(info, _) => Ok(*info),
        }
    }

    async fn list(&self, options: ListOptions) -> Result<Vec<AgentInfo>> {
        let agents = self
            .agents()
            .await
            .map_err(|trouble| trouble.error(Operation::List))?;
        let beside = |id: &AgentId| self.0.comings.beside(id, agents.get(id));
        let mut infos: Vec<_> = self.0.comings.ids().iter().filter_map(beside).collect();
        let coming: HashSet<AgentId> = infos.iter().map(|info| info.id.clone()).collect();
        self.hear_all(&agents).await;
        let settled_by = Asks::patience();
        for agent in agents.values() {
            if !coming.contains(&agent.marks.id) {
                infos.push(self.as_known(agent, settled_by).await);
            }
        }
        infos.retain(|info| !(options.living_only && info.state.has_ended()));
        Ok(infos)
    }

    async fn stop(&self, id: &AgentId, options: StopOptions) -> Result<Exit> {
        self.stop_agent(id, options)
            .await
            .map_err(|error| error.with_agent(id))
    }

    async fn remove(&self, id: &AgentId, options: RemoveOptions) -> Result<()> {
        self.remove_agent(id, options)
            .await
            .map_err(|error| error.with_agent(id))
    }

    async fn events(&self, _: EventOptions) -> Result<EventStream> {
        self.event_stream().await
    }

    async fn logs(&self, id: &AgentId, options: LogOptions) -> Result<LogStream> {
        self.log_stream(id, options)
            .await
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

    fn files(&self) -> Option<&dyn Files> {
        Some(self)
    }

    fn pause(&self) -> Option<&dyn Pause> {
        Some(self)
    }

    fn plans(&self) -> Option<&dyn alveary_core::Plans> {
        Some(self)
    }

    fn belongings(&self) -> Option<&dyn alveary_core::Belongings> {
        Some(self)
    }

    fn leases(&self) -> Option<&dyn alveary_core::Leases> {
        // For an engine of this host, the swarm's own lock is held by whoever is here.
        (!self.engine().is_local()).then_some(self)
    }
}

impl<E: Engine> fmt::Display for Containers<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "containers of {}", self.0.engine)
    }
}

impl<E: Engine> fmt::Debug for Containers<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Containers")
            .field("engine", &self.0.engine)
            .field("swarm", &self.0.swarm)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
