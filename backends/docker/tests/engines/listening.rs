//! A backend that tells when somebody has begun to listen.

use std::fmt;
use std::sync::Arc;

use alveary_core::{
    AgentBackend, AgentId, AgentInfo, AgentSpec, BackendKind, Capabilities, EventOptions,
    EventStream, Exit, Health, ListOptions, LogOptions, LogStream, RemoveOptions, Result,
    SpawnOptions, StopOptions,
};
use async_trait::async_trait;
use tokio::sync::Notify;

/// Whoever waits for an agent subscribes, looks at it, and listens from then on.
pub(crate) struct Listening {
    pub(crate) inner: Arc<dyn AgentBackend>,
    /// An agent was looked at, and what was seen is on its way to who asked.
    pub(crate) looked: Notify,
}

#[async_trait]
impl AgentBackend for Listening {
    fn kind(&self) -> BackendKind {
        self.inner.kind()
    }
    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }
    async fn check(&self) -> Result<Health> {
        self.inner.check().await
    }
    async fn spawn(&self, id: &AgentId, spec: &AgentSpec, o: SpawnOptions) -> Result<AgentInfo> {
        self.inner.spawn(id, spec, o).await
    }
    async fn inspect(&self, id: &AgentId) -> Result<AgentInfo> {
        let seen = self.inner.inspect(id).await;
        self.looked.notify_one();
        seen
    }
    async fn list(&self, options: ListOptions) -> Result<Vec<AgentInfo>> {
        self.inner.list(options).await
    }
    async fn stop(&self, id: &AgentId, options: StopOptions) -> Result<Exit> {
        self.inner.stop(id, options).await
    }
    async fn remove(&self, id: &AgentId, options: RemoveOptions) -> Result<()> {
        self.inner.remove(id, options).await
    }
    async fn events(&self, options: EventOptions) -> Result<EventStream> {
        self.inner.events(options).await
    }
    async fn logs(&self, id: &AgentId, options: LogOptions) -> Result<LogStream> {
        self.inner.logs(id, options).await
    }
}

impl fmt::Debug for Listening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.inner, f)
    }
}

impl fmt::Display for Listening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.inner, f)
    }
}
