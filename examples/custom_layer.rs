//! A layer of your own: a swarm whose agents cost money is given so many starts, and no more.
//!
//! A layer is a backend around a backend. It changes what its name says and forwards the rest; `deny` of
//! `missing_trait_methods` is what keeps it from forgetting a method that the trait is given later.

#![expect(clippy::print_stdout, reason = "an example shows what it did")]

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use alveary::{
    AgentBackend, AgentId, AgentInfo, AgentSpec, BackendKind, Belongings, Capabilities, Error,
    ErrorKind, EventOptions, EventStream, Exec, Exit, Files, Health, Leases, ListOptions,
    LoadOptions, LogOptions, LogStream, MemoryBackend, OpenOptions, Operation, Pause, Plans,
    RemoveOptions, Result, Signals, SpawnOptions, Stats, StopOptions, SwarmManager,
};
use async_trait::async_trait;

/// Refuses the starts that are above a budget.
#[derive(Debug)]
struct Budget<B> {
    inner: B,
    left: AtomicU32,
}

impl<B> Budget<B> {
    fn new(inner: B, starts: u32) -> Self {
        let left = AtomicU32::new(starts);
        Self { inner, left }
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<B: AgentBackend> AgentBackend for Budget<B> {
    // What this layer is for.

    async fn spawn(
        &self,
        id: &AgentId,
        spec: &AgentSpec,
        options: SpawnOptions,
    ) -> Result<AgentInfo> {
        let take = |left: u32| left.checked_sub(1);
        let (set, read) = (Ordering::Relaxed, Ordering::Relaxed);
        if self.left.fetch_update(set, read, take).is_err() {
            // Said before the engine is asked, so that nothing has begun, and no retry will help.
            return Err(Error::new(
                ErrorKind::OutOfResources,
                Operation::Spawn,
                "the budget of starts is used up",
            )
            .with_agent(id)
            .with_cure("give the swarm a larger one"));
        }
        // A start that failed has used the budget too: it may have cost something, and whoever tries a hundred times
        // is whom a budget is for.
        self.inner.spawn(id, spec, options).await
    }

    // The rest is the backend's own, facets and all.

    fn kind(&self) -> BackendKind {
        self.inner.kind()
    }
    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }
    async fn check(&self) -> Result<Health> {
        self.inner.check().await
    }
    async fn inspect(&self, id: &AgentId) -> Result<AgentInfo> {
        self.inner.inspect(id).await
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
    fn belongings(&self) -> Option<&dyn Belongings> {
        self.inner.belongings()
    }
    fn leases(&self) -> Option<&dyn Leases> {
        self.inner.leases()
    }
}

/// As people will read it: "… (memory)", with whatever the backend calls itself.
impl<B: fmt::Display> fmt::Display for Budget<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    around_one_backend().await?;
    around_whichever_the_file_names().await
}

/// Around a backend that is at hand.
async fn around_one_backend() -> Result<()> {
    let backend = MemoryBackend::new().with_program("think", |_| async { 0 });
    let swarm = SwarmManager::new(Arc::new(Budget::new(backend, 2)));

    swarm.spawn(AgentSpec::new("first", ["think"])).await?;
    swarm.spawn(AgentSpec::new("second", ["think"])).await?;
    let third = swarm.spawn(AgentSpec::new("third", ["think"])).await;

    let refused = third.expect_err("it is above the budget");
    assert_eq!(refused.kind(), ErrorKind::OutOfResources);
    println!("{refused}");
    Ok(())
}

/// Around the one that a fleet file names: local processes, here.
async fn around_whichever_the_file_names() -> Result<(), Box<dyn std::error::Error>> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("alveary.toml");
    std::fs::write(&file, "backend = \"process\"")?;
    let load = LoadOptions::default()
        .with_file(file)
        .with_state_dir(folder.path().join("state"));

    let swarm = OpenOptions::new()
        .load(load)
        .layer(|backend| Budget::new(backend, 0))
        .open()
        .await?
        .swarm;
    let refused = swarm.spawn(AgentSpec::new("first", ["true"])).await;
    assert_eq!(
        refused.expect_err("there is no budget").kind(),
        ErrorKind::OutOfResources
    );
    Ok(())
}
