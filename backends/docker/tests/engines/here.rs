//! A swarm on an engine, by either way, that is taken away at the end.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use alveary_core::{
    AgentBackend, AgentBackendExt, AgentId, AgentSpec, BackendConfig, ConnectContext, ListOptions,
    LogOptions, LogStreamKind, RemoveOptions, SwarmName, SwarmUid,
};
use alveary_docker::{DockerApiConfig, DockerCliConfig};

use crate::common::{IMAGE, TestEngine};

/// A swarm of one trial.
pub(crate) struct Here {
    pub(crate) engine: TestEngine,
    pub(crate) uid: SwarmUid,
    folder: PathBuf,
    /// Settings above those that every trial has.
    pub(crate) settings: serde_json::Map<String, serde_json::Value>,
}

impl Here {
    pub(crate) fn on(engine: &TestEngine) -> Self {
        let uid = SwarmUid::random();
        let folder = std::env::temp_dir().join(format!("alveary-engines-{uid}"));
        std::fs::create_dir_all(&folder).expect("the temporary folder can be written");
        Self {
            engine: engine.clone(),
            uid,
            folder,
            settings: serde_json::Map::new(),
        }
    }

    async fn connect<C: BackendConfig>(&self) -> Arc<dyn AgentBackend> {
        let backend = self.unasked::<C>().await;
        backend.check().await.expect("the engine answers");
        backend
    }

    /// Whether or not an engine answers.
    pub(crate) async fn unasked<C: BackendConfig>(&self) -> Arc<dyn AgentBackend> {
        // Both ways are managers of one swarm, and share what is known of it.
        let state = self.folder.join(C::FAMILY);
        std::fs::create_dir_all(&state).expect("the folder can be written");
        std::fs::create_dir_all(self.secrets()).expect("the folder can be written");
        let context = ConnectContext::new(SwarmName::new("engines").expect("a name"), self.uid)
            .with_state_dir(state)
            .with_secrets_dir(self.secrets());
        let mut settings = serde_json::json!({
            "image": IMAGE,
            "host": self.engine.host,
            "name_prefix": self.prefix(),
            "timeout": { "start": "60s", "remove": "60s", "ask": "30s" },
        });
        if C::NAME == DockerCliConfig::NAME {
            settings["program"] = self.engine.program().into();
        }
        for (key, value) in &self.settings {
            settings[key] = value.clone();
        }
        let config: C = serde_json::from_value(settings).expect("good settings");
        config.connect(context).await.expect("it connects")
    }

    pub(crate) async fn api(&self) -> Arc<dyn AgentBackend> {
        self.connect::<DockerApiConfig>().await
    }

    pub(crate) async fn cli(&self) -> Arc<dyn AgentBackend> {
        self.connect::<DockerCliConfig>().await
    }

    /// Where the secrets of agents lie on this host, by id.
    pub(crate) fn secrets(&self) -> PathBuf {
        self.folder.join("secrets")
    }

    pub(crate) fn prefix(&self) -> String {
        format!("en-{}", self.uid)
    }

    pub(crate) fn name_of(&self, id: &AgentId) -> String {
        format!("{}-{id}", self.prefix())
    }

    /// All that the engine has of this swarm, in the engine's own words.
    pub(crate) fn containers(&self) -> Vec<String> {
        let label = format!("--filter=label=alveary.swarm={}", self.uid);
        let names = self
            .engine
            .client(&["ps", "-a", &label, "--format={{.Names}}"]);
        names.lines().map(ToOwned::to_owned).collect()
    }
}

impl Drop for Here {
    fn drop(&mut self) {
        for name in self.containers() {
            self.engine.try_client(&["rm", "-f", "-v", &name]);
        }
        let _best_effort = std::fs::remove_dir_all(&self.folder);
    }
}

/// Both ways to it, of which each is a manager of the same swarm.
pub(crate) async fn both(here: &Here) -> [Arc<dyn AgentBackend>; 2] {
    [here.api().await, here.cli().await]
}

pub(crate) fn sh(script: &str) -> AgentSpec {
    AgentSpec::new("trial", ["sh", "-c", script])
}

/// A script that says that it is ready, and ends at TERM with this code.
pub(crate) fn until_term(code: u8) -> AgentSpec {
    sh(&format!(
        "trap 'echo caught; exit {code}' TERM; echo ready; while :; do sleep 0.05; done"
    ))
}

pub(crate) async fn written(backend: &dyn AgentBackend, id: &AgentId, text: &str) -> Vec<u8> {
    let deadline = tokio::time::Instant::now() + Duration::from_mins(1);
    loop {
        let logs = backend.logs(id, LogOptions::default()).await.expect("logs");
        let output = logs
            .collect_bytes(LogStreamKind::Stdout)
            .await
            .expect("read");
        if output
            .windows(text.len())
            .any(|part| part == text.as_bytes())
        {
            return output;
        }
        assert!(
            tokio::time::Instant::now() < deadline,
            "`{text}` was not written"
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

pub(crate) async fn run_to_its_end(
    backend: &dyn AgentBackend,
    spec: &AgentSpec,
) -> (AgentId, alveary_core::Exit) {
    let id = AgentId::random();
    let options = alveary_core::SpawnOptions::default();
    backend.spawn(&id, spec, options).await.expect("it starts");
    let exit = backend.wait(&id).await.expect("it ends");
    (id, exit)
}

pub(crate) async fn remove_all(backend: &dyn AgentBackend) {
    for info in backend.list(ListOptions::default()).await.expect("a list") {
        let force = RemoveOptions::default().with_force(true);
        backend.remove(&info.id, force).await.expect("it goes");
    }
}
