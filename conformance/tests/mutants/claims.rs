//! Harnesses of backends that claim what they do not keep: agents that outlive their manager, strangers that
//! are told from their own, files that nobody else can read.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use alveary_conformance::{
    Behaviour, Harness, MemoryHarness, Stranger, StrangerKind, Strangers, Witness,
};
use alveary_core::*;
use async_trait::async_trait;

use crate::flaw::Case;

pub(crate) fn cases() -> Vec<Case> {
    vec![
        Case {
            name: "ClaimsThatItsAgentsSurvive",
            harness: || Arc::new(ClaimsThatItsAgentsSurvive::default()),
            failed_by: &[
                "orphans::agents_that_start_while_their_manager_is_killed_are_all_found",
                "orphans::an_end_that_no_manager_saw_is_known",
                "orphans::what_was_written_before_a_manager_was_killed_is_read",
            ],
        },
        Case {
            name: "TakesStrangersForItsOwn",
            harness: || Arc::new(TakesStrangersForItsOwn::default()),
            failed_by: &[
                "identity::a_stranger_that_holds_the_name_is_a_conflict",
                "orphans::a_stranger_that_looks_alike_is_neither_listed_nor_harmed",
            ],
        },
        Case {
            name: "LeavesSecretsLyingAbout",
            harness: || Arc::new(LeavesSecretsLyingAbout::default()),
            failed_by: &["secrets::others_can_read_no_file_that_holds_a_secret"],
        },
    ]
}

const DEADLINE: Duration = Duration::from_secs(2);

/// A harness that is the memory backend's but for what stands in braces.
macro_rules! like_memory {
    ($harness:ident { $($own:item)* }) => {
        #[async_trait]
        impl Harness for $harness {
            fn name(&self) -> &'static str {
                stringify!($harness)
            }
            fn spec(&self, behaviour: &Behaviour) -> Option<AgentSpec> {
                self.memory.spec(behaviour)
            }
            fn reconnects(&self, _capabilities: &Capabilities) -> bool {
                true
            }
            fn deadline(&self) -> Duration {
                DEADLINE
            }
            fn witness(&self) -> Option<&dyn Witness> {
                self.memory.witness()
            }
            $($own)*
        }
    };
}

#[derive(Default)]
pub(crate) struct ClaimsThatItsAgentsSurvive {
    memory: MemoryHarness,
}

like_memory!(ClaimsThatItsAgentsSurvive {
    async fn connect(&self, swarm: &SwarmUid) -> Result<Arc<dyn AgentBackend>> {
        Ok(Arc::new(Claiming(self.memory.connect(swarm).await?)))
    }
});

/// Stands for more than it is, and does nothing else.
#[derive(Debug)]
struct Claiming(Arc<dyn AgentBackend>);

impl std::fmt::Display for Claiming {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

#[async_trait]
impl AgentBackend for Claiming {
    fn kind(&self) -> BackendKind {
        self.0.kind()
    }
    fn capabilities(&self) -> Capabilities {
        let mut capabilities = self.0.capabilities();
        capabilities.survives = Survival::ALL;
        capabilities
    }
    async fn check(&self) -> Result<Health> {
        self.0.check().await
    }
    async fn spawn(&self, id: &AgentId, spec: &AgentSpec, o: SpawnOptions) -> Result<AgentInfo> {
        self.0.spawn(id, spec, o).await
    }
    async fn inspect(&self, id: &AgentId) -> Result<AgentInfo> {
        self.0.inspect(id).await
    }
    async fn list(&self, options: ListOptions) -> Result<Vec<AgentInfo>> {
        self.0.list(options).await
    }
    async fn stop(&self, id: &AgentId, options: StopOptions) -> Result<Exit> {
        self.0.stop(id, options).await
    }
    async fn remove(&self, id: &AgentId, options: RemoveOptions) -> Result<()> {
        self.0.remove(id, options).await
    }
    async fn events(&self, options: EventOptions) -> Result<EventStream> {
        self.0.events(options).await
    }
    async fn logs(&self, id: &AgentId, options: LogOptions) -> Result<LogStream> {
        self.0.logs(id, options).await
    }
}

/// A stranger is made as an agent of the swarm: to this backend it is one.
#[derive(Default)]
struct TakesStrangersForItsOwn {
    memory: MemoryHarness,
}

like_memory!(TakesStrangersForItsOwn {
    async fn connect(&self, swarm: &SwarmUid) -> Result<Arc<dyn AgentBackend>> {
        self.memory.connect(swarm).await
    }
    fn strangers(&self) -> Option<&dyn Strangers> {
        Some(self)
    }
});

#[async_trait]
impl Strangers for TakesStrangersForItsOwn {
    fn can_be(&self, _kind: StrangerKind) -> bool {
        true
    }
    async fn make(
        &self,
        _kind: StrangerKind,
        swarm: &SwarmUid,
        id: &AgentId,
    ) -> Result<Box<dyn Stranger>> {
        let backend = self.memory.connect(swarm).await?;
        let spec = self.memory.spec(&Behaviour::Sleep).unwrap();
        backend.spawn(id, &spec, SpawnOptions::default()).await?;
        Ok(Box::new(Adopted(backend, id.clone())))
    }
}

struct Adopted(Arc<dyn AgentBackend>, AgentId);

#[async_trait]
impl Stranger for Adopted {
    async fn lives(&self) -> bool {
        self.0.exists(&self.1).await.unwrap()
    }
    async fn end(self: Box<Self>) {
        let force = RemoveOptions::default().with_force(true);
        // It may have been harmed already.
        let _ = self.0.remove(&self.1, force).await;
    }
}

/// Writes every spec, secrets and all, into a folder that anybody can read.
#[derive(Default)]
struct LeavesSecretsLyingAbout {
    memory: MemoryHarness,
}

fn folder(swarm: &SwarmUid) -> PathBuf {
    std::env::temp_dir().join(format!("alveary-mutant-{swarm}"))
}

like_memory!(LeavesSecretsLyingAbout {
    async fn connect(&self, swarm: &SwarmUid) -> Result<Arc<dyn AgentBackend>> {
        let folder = folder(swarm);
        std::fs::create_dir_all(&folder).unwrap();
        Ok(Arc::new(crate::flaw::Mutant::new(
            self.memory.connect(swarm).await?,
            WritesSpecsDown(folder),
        )))
    }
    fn state_dirs(&self, swarm: &SwarmUid) -> Vec<PathBuf> {
        vec![folder(swarm)]
    }
    async fn clean_up(&self, swarm: &SwarmUid) {
        std::fs::remove_dir_all(folder(swarm)).unwrap();
    }
});

#[derive(Default)]
struct WritesSpecsDown(PathBuf);

#[async_trait]
impl crate::flaw::Flaw for WritesSpecsDown {
    async fn spawn(
        &self,
        inner: &crate::flaw::Inner,
        id: &AgentId,
        spec: AgentSpec,
        options: SpawnOptions,
    ) -> Result<AgentInfo> {
        let environment = spec.env.values().cloned().collect::<String>();
        std::fs::write(self.0.join(id.as_str()), environment).unwrap();
        inner.spawn(id, &spec, options).await
    }
}
