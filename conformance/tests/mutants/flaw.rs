//! A backend with one flaw, around one without.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use alveary_conformance::{Harness, MemoryHarness, Wrapped};
use alveary_core::*;
use async_trait::async_trait;
use futures_util::{StreamExt, stream};

pub(crate) type Inner = Arc<dyn AgentBackend>;

/// Long enough for every trial that passes, short for those that wait in vain.
const DEADLINE: Duration = Duration::from_secs(2);

/// One flaw: whatever is not said is done as the unbroken backend does it.
#[async_trait]
pub(crate) trait Flaw: Default + Send + Sync + 'static {
    fn kind(&self, inner: &Inner) -> BackendKind {
        inner.kind()
    }
    /// Under which id an agent is really kept.
    fn id(&self, id: &AgentId) -> AgentId {
        id.clone()
    }
    /// How an agent is told, whoever tells of it.
    fn info(&self, info: AgentInfo) -> AgentInfo {
        info
    }
    /// How an event is told.
    fn event(&self, event: AgentEvent) -> Vec<AgentEvent> {
        vec![event]
    }
    fn error(&self, error: Error) -> Error {
        error
    }
    async fn check(&self, inner: &Inner) -> Result<Health> {
        inner.check().await
    }
    async fn spawn(
        &self,
        inner: &Inner,
        id: &AgentId,
        spec: AgentSpec,
        options: SpawnOptions,
    ) -> Result<AgentInfo> {
        inner.spawn(id, &spec, options).await
    }
    async fn inspect(&self, inner: &Inner, id: &AgentId) -> Result<AgentInfo> {
        inner.inspect(id).await
    }
    async fn list(&self, inner: &Inner, options: ListOptions) -> Result<Vec<AgentInfo>> {
        inner.list(options).await
    }
    async fn stop(&self, inner: &Inner, id: &AgentId, options: StopOptions) -> Result<Exit> {
        inner.stop(id, options).await
    }
    async fn remove(&self, inner: &Inner, id: &AgentId, options: RemoveOptions) -> Result<()> {
        inner.remove(id, options).await
    }
    async fn events(&self, inner: &Inner) -> Result<EventStream> {
        inner.events(EventOptions::default()).await
    }
    async fn logs(&self, inner: &Inner, id: &AgentId, options: LogOptions) -> Result<LogStream> {
        inner.logs(id, options).await
    }
    fn signals<'a>(&'a self, inner: &'a Inner) -> Option<&'a dyn Signals> {
        inner.signals()
    }
    fn exec<'a>(&'a self, inner: &'a Inner) -> Option<&'a dyn Exec> {
        inner.exec()
    }
    fn stats<'a>(&'a self, inner: &'a Inner) -> Option<&'a dyn Stats> {
        inner.stats()
    }
    fn files<'a>(&'a self, inner: &'a Inner) -> Option<&'a dyn Files> {
        inner.files()
    }
    fn pause<'a>(&'a self, inner: &'a Inner) -> Option<&'a dyn Pause> {
        inner.pause()
    }
    /// The manager goes.
    fn gone(&self, inner: &Inner) {
        let _ = inner;
    }
}

pub(crate) struct Mutant<F: Flaw> {
    inner: Inner,
    flaw: Arc<F>,
}

impl<F: Flaw> Mutant<F> {
    pub(crate) fn new(inner: Inner, flaw: F) -> Self {
        Self {
            inner,
            flaw: Arc::new(flaw),
        }
    }
}

/// The memory backend with this flaw.
pub(crate) fn with<F: Flaw>() -> Arc<dyn Harness> {
    let memory = MemoryHarness::default().with_deadline(DEADLINE);
    Arc::new(Wrapped::new(short_name::<F>(), memory, |inner| {
        Arc::new(Mutant::new(inner, F::default()))
    }))
}

pub(crate) fn short_name<F>() -> &'static str {
    let name = std::any::type_name::<F>();
    name.rsplit("::").next().unwrap_or(name)
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<F: Flaw> AgentBackend for Mutant<F> {
    fn kind(&self) -> BackendKind {
        self.flaw.kind(&self.inner)
    }
    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }
    async fn check(&self) -> Result<Health> {
        self.flaw.check(&self.inner).await
    }
    async fn spawn(&self, id: &AgentId, spec: &AgentSpec, o: SpawnOptions) -> Result<AgentInfo> {
        let (id, spec) = (self.flaw.id(id), spec.clone());
        let spawned = self.flaw.spawn(&self.inner, &id, spec, o).await;
        spawned
            .map(|info| self.flaw.info(info))
            .map_err(|error| self.flaw.error(error))
    }
    async fn inspect(&self, id: &AgentId) -> Result<AgentInfo> {
        let inspected = self.flaw.inspect(&self.inner, &self.flaw.id(id)).await;
        inspected
            .map(|info| self.flaw.info(info))
            .map_err(|error| self.flaw.error(error))
    }
    async fn list(&self, options: ListOptions) -> Result<Vec<AgentInfo>> {
        let infos = self.flaw.list(&self.inner, options).await?;
        Ok(infos.into_iter().map(|info| self.flaw.info(info)).collect())
    }
    async fn stop(&self, id: &AgentId, options: StopOptions) -> Result<Exit> {
        let stopped = self
            .flaw
            .stop(&self.inner, &self.flaw.id(id), options)
            .await;
        stopped.map_err(|error| self.flaw.error(error))
    }
    async fn remove(&self, id: &AgentId, options: RemoveOptions) -> Result<()> {
        let id = self.flaw.id(id);
        let removed = self.flaw.remove(&self.inner, &id, options).await;
        removed.map_err(|error| self.flaw.error(error))
    }
    async fn events(&self, _options: EventOptions) -> Result<EventStream> {
        let events = self.flaw.events(&self.inner).await?;
        let flaw = self.flaw.clone();
        Ok(EventStream::new(events.flat_map(move |event| {
            stream::iter(match event {
                Ok(AgentEvent::Changed(info)) => {
                    let event = AgentEvent::Changed(flaw.info(info));
                    flaw.event(event).into_iter().map(Ok).collect()
                }
                Ok(event) => flaw.event(event).into_iter().map(Ok).collect(),
                Err(error) => vec![Err(error)],
            })
        })))
    }
    async fn logs(&self, id: &AgentId, options: LogOptions) -> Result<LogStream> {
        let id = self.flaw.id(id);
        let logs = self.flaw.logs(&self.inner, &id, options).await;
        logs.map_err(|error| self.flaw.error(error))
    }
    fn signals(&self) -> Option<&dyn Signals> {
        self.flaw.signals(&self.inner)
    }
    fn exec(&self) -> Option<&dyn Exec> {
        self.flaw.exec(&self.inner)
    }
    fn stats(&self) -> Option<&dyn Stats> {
        self.flaw.stats(&self.inner)
    }
    fn files(&self) -> Option<&dyn Files> {
        self.flaw.files(&self.inner)
    }
    fn pause(&self) -> Option<&dyn Pause> {
        self.flaw.pause(&self.inner)
    }
    fn plans(&self) -> Option<&dyn Plans> {
        self.inner.plans()
    }
    fn belongings(&self) -> Option<&dyn Belongings> {
        self.inner.belongings()
    }
    fn leases(&self) -> Option<&dyn Leases> {
        self.inner.leases()
    }
}

impl<F: Flaw> Drop for Mutant<F> {
    fn drop(&mut self) {
        self.flaw.gone(&self.inner);
    }
}

impl<F: Flaw> fmt::Debug for Mutant<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(short_name::<F>())
    }
}

impl<F: Flaw> fmt::Display for Mutant<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(short_name::<F>())
    }
}

/// Which trials must fail which backend.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) harness: fn() -> Arc<dyn Harness>,
    pub(crate) failed_by: &'static [&'static str],
}

/// `Flaw: trial, trial;` for each of a file's mutants.
macro_rules! cases {
    ($($flaw:ident: $($id:literal),+ $(,)?;)+) => {
        pub(crate) fn cases() -> Vec<crate::flaw::Case> {
            vec![$(crate::flaw::Case {
                name: crate::flaw::short_name::<$flaw>(),
                harness: crate::flaw::with::<$flaw>,
                failed_by: &[$($id),+],
            }),+]
        }
    };
}
pub(crate) use cases;
