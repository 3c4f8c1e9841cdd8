//! The conformance suite, for agents kept by a keeper, by the manager's own process, without control groups,
//! and on a kernel that makes children as of old.

#[path = "shared/old_kernel.rs"]
mod old_kernel;

use std::path::PathBuf;
use std::process::{Child, Command, ExitCode};
use std::sync::{Arc, Mutex};

use alveary_conformance::{
    Behaviour, Harness, ProcWitness, ShellBehaviours, Stranger, StrangerKind, Strangers, Witness,
    Wrapped, run,
};
use alveary_core::{
    AgentBackend, AgentId, AgentSpec, BackendConfig, ConnectContext, Incarnation, Result,
    SwarmName, SwarmUid,
};
use alveary_process::{ProcessConfig, keeper};
use async_trait::async_trait;
use old_kernel::{Lacking, Lacks};

fn main() -> ExitCode {
    old_kernel::refuse_what_is_lacking();
    keeper::run_if_asked();
    let process = |name, config: ProcessConfig| Process {
        name,
        config,
        keeper: None,
        witness: ProcWitness,
    };
    let old = Lacking::new(Lacks::Clone3);
    let on_an_old_kernel = Process {
        keeper: Some(old.program().to_owned()),
        ..process("process-without-clone3", ProcessConfig::default())
    };
    let mut inline = ProcessConfig::default();
    inline.keeper = false;
    let mut without_cgroups = ProcessConfig::default();
    without_cgroups.cgroups = false;
    run(
        std::env::args_os(),
        vec![
            Box::new(process("process", ProcessConfig::default())),
            Box::new(process("process-inline", inline)),
            Box::new(process("process-without-cgroups", without_cgroups)),
            Box::new(on_an_old_kernel),
            Box::new(Wrapped::new(
                "process-in-arc",
                process("", ProcessConfig::default()),
                |backend| Arc::new(backend),
            )),
        ],
    )
}

struct Process {
    name: &'static str,
    config: ProcessConfig,
    /// Which program keeps, if not this one.
    keeper: Option<PathBuf>,
    witness: ProcWitness,
}

impl Process {
    /// The same for one swarm in each process of a test run.
    fn folder(swarm: &SwarmUid) -> PathBuf {
        std::env::temp_dir().join(format!("alveary-conformance-{swarm}"))
    }
}

#[async_trait]
impl Harness for Process {
    fn name(&self) -> &str {
        self.name
    }

    async fn connect(&self, swarm: &SwarmUid) -> Result<Arc<dyn AgentBackend>> {
        let folder = Self::folder(swarm);
        std::fs::create_dir_all(&folder).expect("the temporary folder can be written");
        let name = SwarmName::new("conformance").expect("a good name");
        let mut context = ConnectContext::new(name, *swarm).with_state_dir(folder);
        context.keeper.clone_from(&self.keeper);
        self.config.clone().connect(context).await
    }

    fn spec(&self, behaviour: &Behaviour) -> Option<AgentSpec> {
        ShellBehaviours::default().spec(behaviour)
    }

    fn witness(&self) -> Option<&dyn Witness> {
        Some(&self.witness)
    }

    fn strangers(&self) -> Option<&dyn Strangers> {
        Some(self)
    }

    fn state_dirs(&self, swarm: &SwarmUid) -> Vec<PathBuf> {
        vec![Self::folder(swarm)]
    }

    async fn clean_up(&self, swarm: &SwarmUid) {
        // A keeper that is about to end may still write.
        let _best_effort = std::fs::remove_dir_all(Self::folder(swarm));
    }
}

#[async_trait]
impl Strangers for Process {
    fn can_be(&self, kind: StrangerKind) -> bool {
        // A process has no name that it could hold against another.
        kind == StrangerKind::LooksAlike
    }

    async fn make(&self, _: StrangerKind, _: &SwarmUid, id: &AgentId) -> Result<Box<dyn Stranger>> {
        let child = Command::new("sleep")
            .arg("1000")
            .env("ALVEARY_SWARM", SwarmUid::random().to_string())
            .env("ALVEARY_AGENT_ID", id.as_str())
            .env("ALVEARY_INCARNATION", Incarnation::random().to_string())
            .spawn()
            .expect("sleep starts");
        Ok(Box::new(Lookalike(Mutex::new(child))))
    }
}

/// A process that says in its environment that it is an agent, and was never started as one.
struct Lookalike(Mutex<Child>);

#[async_trait]
impl Stranger for Lookalike {
    async fn lives(&self) -> bool {
        let mut child = self.0.lock().expect("nobody panicked");
        child.try_wait().expect("it can be asked").is_none()
    }

    async fn end(self: Box<Self>) {
        let mut child = self.0.into_inner().expect("nobody panicked");
        child.kill().expect("it can be killed");
        child.wait().expect("it ends");
    }
}
