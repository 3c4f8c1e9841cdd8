//! No more calls at once than the engine can use.

use std::fmt;

use alveary_core::{
    AgentBackend, AgentId, AgentInfo, AgentSpec, BackendKind, Capabilities, EventOptions,
    EventStream, Exit, Health, Incarnation, ListOptions, LogOptions, LogStream, RemoveOptions,
    Result, Signal, Signals, SpawnOptions, StopOptions,
};
use async_trait::async_trait;
use tokio::sync::{Semaphore, SemaphorePermit};

use super::AtOnce;
use super::facet::no_signals;

/// Bounds the calls that are under way at once; what is above the bound waits in the order in which it came.
///
/// Starts, stops with a grace, and all other calls have a bound each, and do not wait for one another: a
/// burst of starts delays no look at an agent, and fifty agents that use up their grace delay no start. A
/// stop by force is short and urgent, so it does not queue behind those that wait for a grace. A stream
/// counts until it is open, not while it flows.
#[derive(Debug)]
pub struct Limit<B> {
    inner: B,
    spawn: Semaphore,
    stop: Semaphore,
    other: Semaphore,
}

impl<B> Limit<B> {
    /// Puts the bound around a backend.
    pub fn new(inner: B, at_once: &AtOnce) -> Self {
        let semaphore = |count: std::num::NonZeroU32| {
            let count = usize::try_from(count.get()).unwrap_or(usize::MAX);
            Semaphore::new(count.min(Semaphore::MAX_PERMITS))
        };
        Self {
            inner,
            spawn: semaphore(at_once.spawn),
            stop: semaphore(at_once.stop),
            other: semaphore(at_once.other),
        }
    }

    /// Which bound a stop counts under.
    fn for_stop(&self, options: &StopOptions) -> &Semaphore {
        if options.grace.is_some_and(|grace| grace.is_zero()) {
            &self.other
        } else {
            &self.stop
        }
    }
}

/// Waits for a turn. The semaphores are never closed, so there is always one in the end.
async fn turn(semaphore: &Semaphore) -> Option<SemaphorePermit<'_>> {
    semaphore.acquire().await.ok()
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<B: AgentBackend> AgentBackend for Limit<B> {
    fn kind(&self) -> BackendKind {
        self.inner.kind()
    }

    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }

    async fn check(&self) -> Result<Health> {
        let _turn = turn(&self.other).await;
        self.inner.check().await
    }

    async fn spawn(
        &self,
        id: &AgentId,
        spec: &AgentSpec,
        options: SpawnOptions,
    ) -> Result<AgentInfo> {
        let _turn = turn(&self.spawn).await;
        self.inner.spawn(id, spec, options).await
    }

    async fn inspect(&self, id: &AgentId) -> Result<AgentInfo> {
        let _turn = turn(&self.other).await;
        self.inner.inspect(id).await
    }

    async fn list(&self, options: ListOptions) -> Result<Vec<AgentInfo>> {
        let _turn = turn(&self.other).await;
        self.inner.list(options).await
    }

    async fn stop(&self, id: &AgentId, options: StopOptions) -> Result<Exit> {
        let _turn = turn(self.for_stop(&options)).await;
        self.inner.stop(id, options).await
    }

    async fn remove(&self, id: &AgentId, options: RemoveOptions) -> Result<()> {
        let _turn = turn(&self.other).await;
        self.inner.remove(id, options).await
    }

    async fn events(&self, options: EventOptions) -> Result<EventStream> {
        let _turn = turn(&self.other).await;
        self.inner.events(options).await
    }

    async fn logs(&self, id: &AgentId, options: LogOptions) -> Result<LogStream> {
        let _turn = turn(&self.other).await;
        self.inner.logs(id, options).await
    }

    fn signals(&self) -> Option<&dyn Signals> {
        self.inner.signals().map(|_| self as &dyn Signals)
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<B: AgentBackend> Signals for Limit<B> {
    async fn signal(
        &self,
        id: &AgentId,
        signal: Signal,
        incarnation: Option<Incarnation>,
    ) -> Result<()> {
        let signals = self.inner.signals().ok_or_else(|| no_signals(id))?;
        let _turn = turn(&self.other).await;
        signals.signal(id, signal, incarnation).await
    }
}

impl<B: fmt::Display> fmt::Display for Limit<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}
