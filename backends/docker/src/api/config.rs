//! The settings of the way by the Engine API, and what they lead to.

use std::sync::Arc;

use alveary_core::{
    AgentBackend, BackendConfig, ConnectContext, EngineCandidate, Error, ErrorKind, Namesake,
    Operation, Result,
};
use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::{Api, connect, facts};
use crate::classify::{Class, Trouble};
use crate::config::Settings;
use crate::container::Containers;
use crate::find::{Candidate, Surroundings};
use crate::http::Http;

/// The settings of the backend that speaks the Engine API: the table `[backends.docker-api]`.
///
/// ```
/// use alveary_docker::{DockerApiConfig, Settings};
///
/// let config = DockerApiConfig::from(Settings::default().with_image("agent:1"));
/// # assert_eq!(config.0.image.as_deref(), Some("agent:1"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct DockerApiConfig(pub Settings);

impl From<Settings> for DockerApiConfig {
    fn from(settings: Settings) -> Self {
        Self(settings)
    }
}

#[async_trait]
impl BackendConfig for DockerApiConfig {
    const NAME: &'static str = "docker-api";
    const FAMILY: &'static str = crate::config::FAMILY;

    async fn connect(self, context: ConnectContext) -> Result<Arc<dyn AgentBackend>> {
        if self.0.program.is_some() {
            return Err(Error::new(
                ErrorKind::InvalidSpec,
                Operation::Connect,
                "`program` says nothing to a backend that starts none",
            )
            .with_cure("leave it out, or choose the backend `docker-cli`"));
        }
        let engine = Api::new(&self.0)?;
        Ok(Arc::new(Containers::new(engine, self.0, &context)?))
    }

    async fn namesakes(self, context: ConnectContext) -> Result<Vec<Namesake>> {
        let engine = Api::new(&self.0)?;
        Containers::new(engine, self.0, &context)?.namesakes().await
    }

    #[cfg(feature = "schema")]
    fn schema() -> Option<serde_json::Value> {
        Some(alveary_core::schema::of::<Settings>())
    }

    async fn candidates(&self) -> Vec<EngineCandidate> {
        let patience = self.0.timeout.ask;
        let ask = |candidate: Candidate| async move {
            let unreached = |why| Trouble::new(Class::Unreachable, why);
            let http = Http::new(
                connect::Direct::to(candidate.endpoint.map_err(unreached)?),
                patience,
            );
            Ok::<_, Trouble>(facts(&http.facts().await?).health())
        };
        Surroundings::of_this_process(&self.0).look(ask).await
    }
}
