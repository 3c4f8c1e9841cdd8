//! What a backend's author tells the suite.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use alveary_core::{
    AgentBackend, AgentId, AgentSpec, Capabilities, Declared, ExecSpec, Result, SwarmUid,
};
use async_trait::async_trait;

use crate::behaviour::Behaviour;
use crate::errand::Errand;
use crate::witness::Witness;

/// How the suite comes by a backend and by agents for it.
#[async_trait]
pub trait Harness: Send + Sync + 'static {
    /// What the names of the trials begin with.
    fn name(&self) -> &str;

    /// A backend for this swarm.
    ///
    /// Called again with one uid it is a new manager of that swarm, in this process or, where agents outlive
    /// their manager, in another one: whatever the two must have in common (a folder, a socket) follows from
    /// the uid. [`EngineUnavailable`](alveary_core::ErrorKind::EngineUnavailable) has every trial reported as
    /// ignored, with the error as the reason.
    async fn connect(&self, swarm: &SwarmUid) -> Result<Arc<dyn AgentBackend>>;

    /// The spec of an agent that behaves so, or `None` where this backend's agents cannot.
    fn spec(&self, behaviour: &Behaviour) -> Option<AgentSpec>;

    /// A program beside an agent that does this errand, or `None` where there can be none. A script for `sh`
    /// unless said otherwise.
    fn errand(&self, errand: &Errand) -> Option<ExecSpec> {
        Some(crate::shell::errand(errand))
    }

    /// Whether a second [`connect`](Self::connect) finds what the first began, in one process.
    fn reconnects(&self, capabilities: &Capabilities) -> bool {
        capabilities.survives.agents
    }

    /// How long a trial may take.
    fn deadline(&self) -> Duration {
        Duration::from_mins(1)
    }

    /// An outside look at what really runs; see [`ProcWitness`](crate::ProcWitness).
    fn witness(&self) -> Option<&dyn Witness> {
        None
    }

    /// Makes things in the engine that resemble the swarm's agents and are not.
    fn strangers(&self) -> Option<&dyn Strangers> {
        None
    }

    /// A backend for a swarm that declares these to be its own; otherwise as [`connect`](Self::connect). Called where
    /// the backend has belongings and [`things`](Self::things) looks at them.
    async fn connect_with(
        &self,
        swarm: &SwarmUid,
        declared: Declared,
    ) -> Result<Arc<dyn AgentBackend>> {
        let _ = declared;
        self.connect(swarm).await
    }

    /// Networks and volumes of the engine, seen and made behind the backend's back.
    fn things(&self) -> Option<&dyn Things> {
        None
    }

    /// Every folder in which the backend keeps something of this swarm, its secrets too.
    fn state_dirs(&self, swarm: &SwarmUid) -> Vec<PathBuf> {
        let _ = swarm;
        Vec::new()
    }

    /// Takes away what is left of the swarm, after its agents were removed.
    async fn clean_up(&self, swarm: &SwarmUid) {
        let _ = swarm;
    }
}

/// Makes things in the engine that resemble the swarm's agents and are not.
#[async_trait]
pub trait Strangers: Send + Sync {
    /// Whether there can be such a stranger in this engine.
    fn can_be(&self, kind: StrangerKind) -> bool;

    /// Makes one that resembles the agent `id`.
    async fn make(
        &self,
        kind: StrangerKind,
        swarm: &SwarmUid,
        id: &AgentId,
    ) -> Result<Box<dyn Stranger>>;
}

/// In what a stranger resembles an agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum StrangerKind {
    /// It carries some of the marks by which the backend knows its own (labels, a like name, an environment),
    /// and not all of them.
    LooksAlike,
    /// It bears the very name that the agent would bear.
    HoldsTheName,
}

/// Networks and volumes of an engine, seen and made behind a backend's back.
#[async_trait]
pub trait Things: Send + Sync {
    /// Whether there is one of this name.
    async fn is_there(&self, thing: Thing, name: &str) -> bool;

    /// Makes one of this name that is nobody's.
    async fn make(&self, thing: Thing, name: &str);

    /// Takes the one of this name away, if there is one.
    async fn take_away(&self, thing: Thing, name: &str);
}

/// What a swarm can have besides agents.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Thing {
    /// A network.
    Network,
    /// A volume.
    Volume,
}

/// Something living in the engine that is no agent of the swarm.
#[async_trait]
pub trait Stranger: Send + Sync {
    /// Whether it still lives.
    async fn lives(&self) -> bool;

    /// Takes it away.
    async fn end(self: Box<Self>);
}

/// A harness whose backend is put into a wrapper, so that wrappers run the suite too.
///
/// ```
/// use std::sync::Arc;
/// use alveary_conformance::{Harness, MemoryHarness, Wrapped};
///
/// let boxed = Wrapped::new("memory-in-a-box", MemoryHarness::default(), |backend| {
///     Arc::new(Box::new(backend))
/// });
/// assert_eq!(boxed.name(), "memory-in-a-box");
/// ```
pub struct Wrapped<H> {
    name: String,
    inner: H,
    wrap: Wrap,
}

type Wrap = Box<dyn Fn(Arc<dyn AgentBackend>) -> Arc<dyn AgentBackend> + Send + Sync>;

impl<H: Harness> Wrapped<H> {
    /// Puts each backend that `inner` connects through `wrap`.
    pub fn new(
        name: impl Into<String>,
        inner: H,
        wrap: impl Fn(Arc<dyn AgentBackend>) -> Arc<dyn AgentBackend> + Send + Sync + 'static,
    ) -> Self {
        Self {
            name: name.into(),
            inner,
            wrap: Box::new(wrap),
        }
    }
}

impl<H> fmt::Debug for Wrapped<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Wrapped").field(&self.name).finish()
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<H: Harness> Harness for Wrapped<H> {
    fn name(&self) -> &str {
        &self.name
    }
    async fn connect(&self, swarm: &SwarmUid) -> Result<Arc<dyn AgentBackend>> {
        Ok((self.wrap)(self.inner.connect(swarm).await?))
    }
    fn spec(&self, behaviour: &Behaviour) -> Option<AgentSpec> {
        self.inner.spec(behaviour)
    }
    fn errand(&self, errand: &Errand) -> Option<ExecSpec> {
        self.inner.errand(errand)
    }
    fn reconnects(&self, capabilities: &Capabilities) -> bool {
        self.inner.reconnects(capabilities)
    }
    fn deadline(&self) -> Duration {
        self.inner.deadline()
    }
    fn witness(&self) -> Option<&dyn Witness> {
        self.inner.witness()
    }
    fn strangers(&self) -> Option<&dyn Strangers> {
        self.inner.strangers()
    }
    async fn connect_with(
        &self,
        swarm: &SwarmUid,
        declared: Declared,
    ) -> Result<Arc<dyn AgentBackend>> {
        Ok((self.wrap)(self.inner.connect_with(swarm, declared).await?))
    }
    fn things(&self) -> Option<&dyn Things> {
        self.inner.things()
    }
    fn state_dirs(&self, swarm: &SwarmUid) -> Vec<PathBuf> {
        self.inner.state_dirs(swarm)
    }
    async fn clean_up(&self, swarm: &SwarmUid) {
        self.inner.clean_up(swarm).await;
    }
}
