//! The settings of the way by a program, and what they lead to.

use std::sync::Arc;

use alveary_core::{
    AgentBackend, BackendConfig, ConnectContext, EngineCandidate, Namesake, Operation, Result,
};
use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::child::Program;
use super::known::Known;
use super::{Cli, environment};
use crate::classify::Trouble;
use crate::config::Settings;
use crate::container::Containers;
use crate::find::{Candidate, Surroundings};

/// The settings of the backend that runs a program: the table `[backends.docker-cli]`.
///
/// ```
/// use alveary_docker::{DockerCliConfig, Settings};
///
/// let config = DockerCliConfig::from(Settings::default().with_image("agent:1"));
/// # assert_eq!(config.0.image.as_deref(), Some("agent:1"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct DockerCliConfig(pub Settings);

impl From<Settings> for DockerCliConfig {
    fn from(settings: Settings) -> Self {
        Self(settings)
    }
}

#[async_trait]
impl BackendConfig for DockerCliConfig {
    const NAME: &'static str = "docker-cli";
    const FAMILY: &'static str = crate::config::FAMILY;

    async fn connect(self, context: ConnectContext) -> Result<Arc<dyn AgentBackend>> {
        let engine = Cli::new(&self.0);
        Ok(Arc::new(Containers::new(engine, self.0, &context)?))
    }

    async fn namesakes(self, context: ConnectContext) -> Result<Vec<Namesake>> {
        let engine = Cli::new(&self.0);
        Containers::new(engine, self.0, &context)?.namesakes().await
    }

    #[cfg(feature = "schema")]
    fn schema() -> Option<serde_json::Value> {
        Some(alveary_core::schema::of::<Settings>())
    }

    async fn candidates(&self) -> Vec<EngineCandidate> {
        let settings = &self.0;
        let here = Surroundings::of_this_process(settings);
        let ours = |key: &str| std::env::var_os(key);
        let name = settings.program.clone();
        let name = name.unwrap_or_else(|| "docker".to_owned());
        let patience = settings.timeout.ask;
        if environment::speaks_podman(settings) {
            let env = environment::of_program(settings, &here, ours);
            let program = Program { name, env };
            let known = Known::ask(&program, patience).await;
            let answer = known.map(|known| known.facts().health());
            let answer = answer.map_err(|trouble| trouble.error(Operation::Check));
            let named_by = format!("what `{}` finds by itself", program.name);
            return vec![EngineCandidate::new(named_by, answer).with_chosen(true)];
        }
        let ask = |candidate: Candidate| {
            let env = environment::of_program_at(settings, &here, &candidate, ours);
            let program = Program {
                name: name.clone(),
                env,
            };
            async move {
                let known = Known::ask(&program, patience).await?;
                Ok::<_, Trouble>(known.facts().health())
            }
        };
        here.look(ask).await
    }
}
