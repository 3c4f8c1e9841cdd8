//! A backend of which a test says what it is to be asked, and what it answers.

use std::fmt;

use async_trait::async_trait;

use crate::{
    AgentBackend, AgentId, AgentInfo, AgentSpec, BackendKind, Capabilities, EventOptions,
    EventStream, Exit, Health, ListOptions, LogOptions, LogStream, RemoveOptions, Result,
    SpawnOptions, StopOptions,
};

mockall::mock! {
    /// A backend of which a test says what it is to be asked, and what it answers; feature `mock`.
    ///
    /// A call that is not expected panics, and so does dropping it while an expected call is missing. Where
    /// only a working backend is needed, [`MemoryBackend`](crate::MemoryBackend) is the shorter way.
    ///
    /// ```
    /// use alveary_core::{AgentBackend, AgentId, Error, ErrorKind, MockAgentBackend, Operation, StopOptions};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), alveary_core::InvalidId> {
    /// let mut backend = MockAgentBackend::new();
    /// backend
    ///     .expect_stop()
    ///     .once()
    ///     .returning(|id, _| Err(Error::agent_not_found(Operation::Stop, id)));
    ///
    /// let stopped = backend.stop(&AgentId::new("echo")?, StopOptions::default()).await;
    /// assert_eq!(stopped.unwrap_err().kind(), ErrorKind::NotFound);
    /// # Ok(()) }
    /// ```
    pub AgentBackend {}

    // The provided methods are left out, so that they keep their defaults instead of panicking.
    #[async_trait]
    impl AgentBackend for AgentBackend {
        fn kind(&self) -> BackendKind;
        fn capabilities(&self) -> Capabilities;
        async fn check(&self) -> Result<Health>;
        async fn spawn(&self, id: &AgentId, spec: &AgentSpec, options: SpawnOptions) -> Result<AgentInfo>;
        async fn inspect(&self, id: &AgentId) -> Result<AgentInfo>;
        async fn list(&self, options: ListOptions) -> Result<Vec<AgentInfo>>;
        async fn stop(&self, id: &AgentId, options: StopOptions) -> Result<Exit>;
        async fn remove(&self, id: &AgentId, options: RemoveOptions) -> Result<()>;
        async fn events(&self, options: EventOptions) -> Result<EventStream>;
        async fn logs(&self, id: &AgentId, options: LogOptions) -> Result<LogStream>;
    }
}

impl fmt::Debug for MockAgentBackend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MockAgentBackend")
    }
}

impl fmt::Display for MockAgentBackend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("mock")
    }
}
