//! An engine as the conformance suite wants it, by either way.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use alveary_conformance::{
    Behaviour, Harness, ProcWitness, ShellBehaviours, Stranger, StrangerKind, Strangers, Thing,
    Things, Witness,
};
use alveary_core::{
    AgentBackend, AgentId, AgentSpec, BackendConfig, ConnectContext, Declared, Result, SwarmName,
    SwarmUid,
};
use async_trait::async_trait;

use crate::common::{IMAGE, TestEngine};

/// A way to an engine, for the suite.
pub(crate) struct Docker<C> {
    name: String,
    engine: TestEngine,
    way: std::marker::PhantomData<fn() -> C>,
}

impl<C: BackendConfig> Docker<C> {
    pub(crate) fn on(engine: &TestEngine) -> Self {
        Self {
            name: format!("{}-on-{}", C::NAME, engine.name),
            engine: engine.clone(),
            way: std::marker::PhantomData,
        }
    }

    /// Whether the agents are in the engine's own network, as they are unless a file says otherwise. To make a
    /// container's network is half of what its start costs, and one way to one engine shows that it is no matter.
    fn networked(&self) -> bool {
        C::NAME == "docker-api" && self.engine.name == "docker-new"
    }
}

/// The same for one swarm in each process of a test run.
fn folder(swarm: &SwarmUid) -> PathBuf {
    std::env::temp_dir().join(format!("alveary-docker-conformance-{swarm}"))
}

fn secrets(swarm: &SwarmUid) -> PathBuf {
    PathBuf::from(format!("/dev/shm/alveary-docker-conformance-{swarm}"))
}

#[async_trait]
impl<C: BackendConfig> Harness for Docker<C> {
    fn name(&self) -> &str {
        &self.name
    }

    async fn connect(&self, swarm: &SwarmUid) -> Result<Arc<dyn AgentBackend>> {
        self.connect_with(swarm, Declared::default()).await
    }

    async fn connect_with(
        &self,
        swarm: &SwarmUid,
        declared: Declared,
    ) -> Result<Arc<dyn AgentBackend>> {
        let state = folder(swarm).join(C::FAMILY);
        std::fs::create_dir_all(&state).expect("the temporary folder can be written");
        std::fs::create_dir_all(secrets(swarm)).expect("memory can be written");
        let name = SwarmName::new("conformance").expect("a good name");
        let context = ConnectContext::new(name, *swarm)
            .with_declared(declared)
            .with_state_dir(state)
            .with_secrets_dir(secrets(swarm));
        let mut settings = serde_json::json!({
            "image": IMAGE,
            "host": self.engine.host,
            "name_prefix": format!("ct-{swarm}"),
            "timeout": { "start": "60s", "remove": "60s", "ask": "30s" },
        });
        if C::NAME == "docker-cli" {
            settings["program"] = self.engine.program().into();
        }
        let config: C = serde_json::from_value(settings).expect("good settings");
        config.connect(context).await
    }

    fn spec(&self, behaviour: &Behaviour) -> Option<AgentSpec> {
        let mut spec = ShellBehaviours::default().spec(behaviour)?;
        if !self.networked() {
            spec.container.networks = vec!["host".to_owned()];
        }
        Some(spec)
    }

    fn deadline(&self) -> Duration {
        // An engine makes eight containers in a second, for all trials together.
        Duration::from_mins(3)
    }

    fn witness(&self) -> Option<&dyn Witness> {
        Some(&ProcWitness)
    }

    fn strangers(&self) -> Option<&dyn Strangers> {
        Some(self)
    }

    fn things(&self) -> Option<&dyn Things> {
        Some(self)
    }

    fn state_dirs(&self, swarm: &SwarmUid) -> Vec<PathBuf> {
        vec![folder(swarm), secrets(swarm)]
    }

    async fn clean_up(&self, swarm: &SwarmUid) {
        for folder in [folder(swarm), secrets(swarm)] {
            let _best_effort = std::fs::remove_dir_all(folder);
        }
    }
}

#[async_trait]
impl<C: BackendConfig> Strangers for Docker<C> {
    fn can_be(&self, _: StrangerKind) -> bool {
        true
    }

    async fn make(
        &self,
        kind: StrangerKind,
        swarm: &SwarmUid,
        id: &AgentId,
    ) -> Result<Box<dyn Stranger>> {
        let name = match kind {
            StrangerKind::HoldsTheName => format!("ct-{swarm}-{id}"),
            // All the marks, as if from the image of an agent that was committed, and another name.
            _ => format!("by-hand-ct-{swarm}-{id}"),
        };
        let hash = "0".repeat(32);
        let mut args = vec!["run".to_owned(), "-d".to_owned(), format!("--name={name}")];
        if kind == StrangerKind::LooksAlike {
            for (key, value) in [
                ("swarm", swarm.to_string()),
                ("agent-id", id.to_string()),
                ("name", "conformance".to_owned()),
                ("incarnation", swarm.to_string()),
                ("spec-hash", hash),
                ("grace-ms", "10000".to_owned()),
            ] {
                args.push(format!("--label=alveary.{key}={value}"));
            }
        }
        if !self.networked() {
            args.push("--network=host".to_owned());
        }
        args.extend([IMAGE, "sleep", "1000"].map(ToOwned::to_owned));
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        self.engine.client(&args);
        Ok(Box::new(ByHand {
            engine: self.engine.clone(),
            name,
        }))
    }
}

fn word(thing: Thing) -> &'static str {
    match thing {
        Thing::Network => "network",
        _ => "volume",
    }
}

#[async_trait]
impl<C: BackendConfig> Things for Docker<C> {
    async fn is_there(&self, thing: Thing, name: &str) -> bool {
        let inspected = self.engine.try_client(&[word(thing), "inspect", name]);
        inspected.status.success()
    }

    async fn make(&self, thing: Thing, name: &str) {
        self.engine.client(&[word(thing), "create", name]);
    }

    async fn take_away(&self, thing: Thing, name: &str) {
        let _ = self.engine.try_client(&[word(thing), "rm", name]);
    }
}

/// A container that somebody made without alveary.
struct ByHand {
    engine: TestEngine,
    name: String,
}

#[async_trait]
impl Stranger for ByHand {
    async fn lives(&self) -> bool {
        let format = "--format={{.State.Running}}";
        self.engine.client(&["inspect", format, &self.name]) == "true"
    }

    async fn end(self: Box<Self>) {
        self.engine.client(&["rm", "-f", &self.name]);
    }
}
