//! A swarm for a test: a fleet file, a state folder, and an engine in memory that outlives its managers.

#![expect(
    clippy::unwrap_used,
    reason = "this is a test's, though not inside a `#[test]`"
)]

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use alveary::{
    AgentBackend, AgentContext, AgentSpec, BackendConfig, ConnectContext, ErrorKind, Fleet,
    LoadOptions, MemoryBackend, MemoryEngine, OpenOptions, Opened, Registry, Result, Running,
    SwarmManager,
};
use async_trait::async_trait;

use crate::lines::Lines;

/// What agents can be told to do by their command.
pub(crate) fn programs(engine: MemoryEngine) -> MemoryEngine {
    engine
        .with_program("stay", |agent: AgentContext| async move {
            agent.stop_requested().await;
            0
        })
        .with_program("stubborn", |_| std::future::pending::<i32>())
        .with_program("exit", |agent: AgentContext| async move {
            agent.args()[0].parse::<i32>().unwrap()
        })
        .with_program("exit-after", |agent: AgentContext| async move {
            let wait: u64 = agent.args()[0].parse().unwrap();
            tokio::time::sleep(Duration::from_millis(wait)).await;
            agent.args()[1].parse::<i32>().unwrap()
        })
        .with_program("say", |agent: AgentContext| async move {
            let wait: u64 = agent.args()[0].parse().unwrap();
            tokio::time::sleep(Duration::from_millis(wait)).await;
            agent.print(format!("{}\n", agent.args()[1]));
            agent.stop_requested().await;
            0
        })
}

pub(crate) fn memory() -> MemoryBackend {
    MemoryBackend::on(&programs(MemoryEngine::new()), alveary::SwarmUid::random())
}

pub(crate) fn swarm() -> SwarmManager<MemoryBackend> {
    SwarmManager::new(Arc::new(memory()))
}

/// The engines of this process's tests: a backend's settings can name one, and cannot hold one.
static ENGINES: LazyLock<Mutex<HashMap<String, MemoryEngine>>> = LazyLock::new(Mutex::default);

#[derive(Debug, Default, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct InMemory {
    engine: String,
}

#[async_trait]
impl BackendConfig for InMemory {
    const NAME: &'static str = "memory";

    async fn connect(self, context: ConnectContext) -> Result<Arc<dyn AgentBackend>> {
        let engines = ENGINES.lock().unwrap();
        Ok(Arc::new(MemoryBackend::on(
            &engines[&self.engine],
            context.uid,
        )))
    }
}

/// The same, that starts nobody: its engine is away then.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(transparent)]
pub(crate) struct StartsNobody(InMemory);

#[async_trait]
impl BackendConfig for StartsNobody {
    const NAME: &'static str = InMemory::NAME;

    async fn connect(self, context: ConnectContext) -> Result<Arc<dyn AgentBackend>> {
        let engines = ENGINES.lock().unwrap();
        let inner = MemoryBackend::on(&engines[&self.0.engine], context.uid);
        let lines = Lines::over(inner);
        lines.refuse_starts(ErrorKind::EngineUnavailable);
        Ok(lines)
    }
}

/// A swarm with a state folder.
pub(crate) struct House {
    root: Arc<tempfile::TempDir>,
    /// Beneath which the swarm's folder is.
    states: PathBuf,
    engine: String,
}

impl House {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let engine = NEXT.fetch_add(1, Ordering::Relaxed).to_string();
        ENGINES
            .lock()
            .unwrap()
            .insert(engine.clone(), programs(MemoryEngine::new()));
        let root = tempfile::tempdir().unwrap();
        Self {
            states: root.path().to_owned(),
            root: Arc::new(root),
            engine,
        }
    }

    /// The same swarm on another host, which has a copy of the folder as it is now, and reaches the same engine.
    pub(crate) fn copied(&self) -> Self {
        let there = Self {
            states: self.root.path().join("elsewhere"),
            root: Arc::clone(&self.root),
            engine: self.engine.clone(),
        };
        std::fs::create_dir(&there.states).unwrap();
        let copied = std::process::Command::new("cp")
            .arg("-a")
            .args([self.state(), there.state()])
            .status();
        assert!(copied.unwrap().success());
        there
    }

    /// The folder of the swarm's state.
    pub(crate) fn state(&self) -> PathBuf {
        self.states.join("demo")
    }

    pub(crate) fn fleet(&self, agents: &str) -> Fleet {
        self.fleet_in("alveary.toml", agents)
    }

    pub(crate) fn fleet_in(&self, file: &str, agents: &str) -> Fleet {
        let text = format!(
            "swarm = \"demo\"\nbackend = \"memory\"\n[backends.memory]\nengine = \"{}\"\n{agents}",
            self.engine
        );
        let nowhere: [(&str, &str); 0] = [];
        let load = LoadOptions::default()
            .with_state_dir(&self.states)
            .with_environment(nowhere);
        Fleet::parse(&text, self.root.path().join(file), &load).unwrap()
    }

    pub(crate) async fn try_open(&self, fleet: Fleet, supervise: bool) -> Result<Opened> {
        self.open_by::<InMemory>(fleet, supervise).await
    }

    async fn open_by<C>(&self, fleet: Fleet, supervise: bool) -> Result<Opened>
    where
        C: BackendConfig + Default + serde::de::DeserializeOwned,
    {
        OpenOptions::new()
            .registry(Registry::new().with::<C>())
            .supervise(supervise)
            .secrets_root(self.root.path().join("secrets"))
            .open_fleet(fleet)
            .await
    }

    /// A manager that restarts agents, once nobody else does.
    pub(crate) async fn supervisor(&self) -> SwarmManager {
        let opened = self.try_open(self.fleet(SOMEBODY), true).await.unwrap();
        opened.swarm
    }

    /// A manager that only asks and tells, as a command in another shell does.
    pub(crate) async fn shell(&self) -> SwarmManager {
        let opened = self.try_open(self.fleet(SOMEBODY), false).await.unwrap();
        opened.swarm
    }

    /// One whose starts come to nothing.
    pub(crate) async fn shell_that_starts_nobody(&self) -> SwarmManager {
        let opened = self.open_by::<StartsNobody>(self.fleet(SOMEBODY), false);
        opened.await.unwrap().swarm
    }

    /// By which name the backend's settings know the engine.
    pub(crate) fn engine(&self) -> &str {
        &self.engine
    }

    /// The swarm's agents as the engine has them, past every manager.
    pub(crate) async fn behind_the_managers(&self) -> MemoryBackend {
        let opened = self.try_open(self.fleet(SOMEBODY), false).await.unwrap();
        let engines = ENGINES.lock().unwrap();
        MemoryBackend::on(&engines[&self.engine], opened.record.uid)
    }

    pub(crate) fn path(&self) -> &Path {
        self.root.path()
    }
}

/// A fleet file has at least one agent.
pub(crate) const SOMEBODY: &str = "[agents.somebody]\ncommand = [\"stay\"]\n";

/// Waits until this holds of the swarm, told by its own events; a minute is the longest.
pub(crate) async fn until<B: AgentBackend + ?Sized>(
    swarm: &SwarmManager<B>,
    what: &str,
    mut holds: impl FnMut(&[alveary::Agent]) -> bool,
) {
    use futures_util::StreamExt;
    let mut events = swarm.subscribe().await;
    let waiting = async {
        loop {
            if let Ok(agents) = swarm.list().await
                && holds(&agents)
            {
                return;
            }
            events.next().await.expect("the manager lives");
        }
    };
    tokio::time::timeout(Duration::from_mins(10), waiting)
        .await
        .unwrap_or_else(|_| panic!("it never came to be that {what}"));
}

pub(crate) fn names(agents: &[alveary::Agent]) -> Vec<String> {
    agents.iter().map(|agent| agent.name().to_owned()).collect()
}

pub(crate) fn is_running<B: AgentBackend + ?Sized>(
    swarm: &SwarmManager<B>,
    id: &alveary::AgentId,
) -> bool {
    swarm.is_running(id) == Running::Yes
}

/// One that runs until it is stopped.
pub(crate) fn stay(name: &str) -> AgentSpec {
    AgentSpec::new(name, ["stay"])
}
