//! A backend that notes each call before it makes it, so that a trial that hangs says in which.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use alveary_core::{
    AgentBackend, AgentId, AgentInfo, AgentSpec, BackendKind, Capabilities, EventOptions,
    EventStream, Exec, Exit, Files, Health, ListOptions, LogOptions, LogStream, Operation, Pause,
    Plans, RemoveOptions, Result, Signals, SpawnOptions, Stats, StopOptions,
};
use async_trait::async_trait;

/// What a trial began last.
#[derive(Debug, Clone, Default)]
pub(crate) struct Step(Arc<Mutex<String>>);

impl Step {
    pub(crate) fn set(&self, step: impl Into<String>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = step.into();
    }

    pub(crate) fn get(&self) -> String {
        let step = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        step.clone()
    }
}

pub(crate) struct Noted {
    pub(crate) inner: Arc<dyn AgentBackend>,
    pub(crate) step: Step,
}

impl Noted {
    fn note(&self, operation: Operation, id: &AgentId, options: &impl fmt::Debug) {
        self.step
            .set(format!("{operation} agent {id} with {options:?}"));
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl AgentBackend for Noted {
    fn kind(&self) -> BackendKind {
        self.inner.kind()
    }
    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }
    async fn check(&self) -> Result<Health> {
        self.step.set(Operation::Check.to_string());
        self.inner.check().await
    }
    async fn spawn(&self, id: &AgentId, spec: &AgentSpec, o: SpawnOptions) -> Result<AgentInfo> {
        self.note(Operation::Spawn, id, &o);
        self.inner.spawn(id, spec, o).await
    }
    async fn inspect(&self, id: &AgentId) -> Result<AgentInfo> {
        self.step.set(format!("{} agent {id}", Operation::Inspect));
        self.inner.inspect(id).await
    }
    async fn list(&self, options: ListOptions) -> Result<Vec<AgentInfo>> {
        self.step.set(Operation::List.to_string());
        self.inner.list(options).await
    }
    async fn stop(&self, id: &AgentId, options: StopOptions) -> Result<Exit> {
        self.note(Operation::Stop, id, &options);
        self.inner.stop(id, options).await
    }
    async fn remove(&self, id: &AgentId, options: RemoveOptions) -> Result<()> {
        self.note(Operation::Remove, id, &options);
        self.inner.remove(id, options).await
    }
    async fn events(&self, options: EventOptions) -> Result<EventStream> {
        self.step.set(Operation::Events.to_string());
        self.inner.events(options).await
    }
    async fn logs(&self, id: &AgentId, options: LogOptions) -> Result<LogStream> {
        self.note(Operation::Logs, id, &options);
        self.inner.logs(id, options).await
    }
    fn signals(&self) -> Option<&dyn Signals> {
        self.inner.signals()
    }
    fn exec(&self) -> Option<&dyn Exec> {
        self.inner.exec()
    }
    fn stats(&self) -> Option<&dyn Stats> {
        self.inner.stats()
    }
    fn files(&self) -> Option<&dyn Files> {
        self.inner.files()
    }
    fn pause(&self) -> Option<&dyn Pause> {
        self.inner.pause()
    }
    fn plans(&self) -> Option<&dyn Plans> {
        self.inner.plans()
    }
    fn belongings(&self) -> Option<&dyn alveary_core::Belongings> {
        self.inner.belongings()
    }
    fn leases(&self) -> Option<&dyn alveary_core::Leases> {
        self.inner.leases()
    }
}

impl fmt::Debug for Noted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.inner, f)
    }
}

impl fmt::Display for Noted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.inner, f)
    }
}
