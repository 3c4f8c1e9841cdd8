//! Agents whose engine starts them again: nobody else does.

use std::sync::Arc;
use std::time::Duration;

use alveary::{
    Agent, AgentBackend, AgentId, AgentInfo, AgentSpec, BackendKind, Capabilities, ErrorKind,
    EventOptions, EventStream, Exit, Health, ListOptions, LogOptions, LogStream, MemoryBackend,
    RemoveOptions, Restart, Result, SpawnOptions, StopOptions, SwarmManager,
};
use async_trait::async_trait;

use crate::house::{memory, swarm, until};

/// Memory that says it restarts its agents, and gives each up at once.
#[derive(Debug)]
struct Restarting(MemoryBackend);

impl std::fmt::Display for Restarting {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("memory that restarts")
    }
}

#[async_trait]
impl AgentBackend for Restarting {
    fn kind(&self) -> BackendKind {
        self.0.kind()
    }
    fn capabilities(&self) -> Capabilities {
        let mut capabilities = self.0.capabilities();
        capabilities.engine_restarts = true;
        capabilities
    }
    async fn check(&self) -> Result<Health> {
        self.0.check().await
    }
    async fn spawn(&self, id: &AgentId, spec: &AgentSpec, o: SpawnOptions) -> Result<AgentInfo> {
        self.capabilities().admit(spec)?;
        let spec = spec.clone().restart(Restart::never());
        self.0.spawn(id, &spec, o).await
    }
    async fn inspect(&self, id: &AgentId) -> Result<AgentInfo> {
        self.0.inspect(id).await
    }
    async fn list(&self, o: ListOptions) -> Result<Vec<AgentInfo>> {
        self.0.list(o).await
    }
    async fn stop(&self, id: &AgentId, o: StopOptions) -> Result<Exit> {
        self.0.stop(id, o).await
    }
    async fn remove(&self, id: &AgentId, o: RemoveOptions) -> Result<()> {
        self.0.remove(id, o).await
    }
    async fn events(&self, o: EventOptions) -> Result<EventStream> {
        self.0.events(o).await
    }
    async fn logs(&self, id: &AgentId, o: LogOptions) -> Result<LogStream> {
        self.0.logs(id, o).await
    }
}

#[tokio::test(start_paused = true)]
async fn an_agent_that_its_engine_restarts_is_not_restarted_by_the_manager_too() {
    let swarm = SwarmManager::new(Arc::new(Restarting(memory())));
    let spec = |name, restart| AgentSpec::new(name, ["exit", "7"]).restart(restart);
    let left = swarm
        .spawn(spec("left", Restart::always().by_engine()))
        .await
        .unwrap();
    swarm.spawn(spec("ours", Restart::always())).await.unwrap();
    // The other is restarted meanwhile, until its restarts are used up.
    until(&swarm, "everybody settled", |agents| {
        agents.iter().all(Agent::is_settled)
    })
    .await;
    let agent = swarm.get(&left.id).await.unwrap();
    assert_eq!(agent.info.incarnation, left.incarnation);
    assert_eq!((agent.restarts, agent.restarting), (0, false));
    let exit = swarm.wait_settled(&left.id).await.unwrap();
    assert_eq!(exit.code(), Some(7));
}

#[tokio::test]
async fn an_engine_that_cannot_restart_agents_is_not_left_to_do_so() {
    let swarm = swarm();
    let spec = AgentSpec::new("echo", ["stay"]).restart(Restart::always().by_engine());
    let error = swarm.spawn(spec).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    let sentence = error.to_string();
    assert!(sentence.contains("restart.by = \"engine\""), "{sentence}");
    assert!(sentence.contains("choose a backend that can"), "{sentence}");
    // Its own pauses are the engine's own affair.
    let pauses = Restart::always().delay(Duration::from_secs(7), Duration::from_secs(9));
    let spec = AgentSpec::new("echo", ["stay"]).restart(pauses.by_engine());
    assert_eq!(
        swarm.spawn(spec).await.unwrap_err().kind(),
        ErrorKind::InvalidSpec
    );
}
