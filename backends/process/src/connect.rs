//! From settings to a backend: who will keep the agents.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use alveary_core::{
    AgentBackend, BackendConfig, ConnectContext, Error, ErrorKind, Operation, Result,
};
use async_trait::async_trait;
use tempfile::TempDir;

use crate::backend::{Keeping, ProcessBackend};
use crate::client::{Client, Program};
use crate::config::{NAME, ProcessConfig};
use crate::here::Here;
use crate::keeper::{self, Settings};

#[async_trait]
impl BackendConfig for ProcessConfig {
    const NAME: &'static str = NAME;

    async fn connect(self, context: ConnectContext) -> Result<Arc<dyn AgentBackend>> {
        Ok(Arc::new(ProcessBackend::connect(&self, context)?))
    }

    #[cfg(feature = "schema")]
    fn schema() -> Option<serde_json::Value> {
        Some(alveary_core::schema::of::<Self>())
    }
}

impl ProcessBackend {
    /// Makes the backend of one swarm. Starts no keeper yet.
    ///
    /// Needs a tokio runtime around it. The state folder may be given by any path, which must lead to it now.
    /// Without one the swarm is a passing one: this process keeps it, nobody else can find its agents, and
    /// they go with the last handle on the backend.
    pub fn connect(config: &ProcessConfig, context: ConnectContext) -> Result<Self> {
        if keeper::was_asked_in_vain() {
            return Err(Error::new(
                ErrorKind::EngineUnavailable,
                Operation::Connect,
                "this program was started to be a keeper and does not know how",
            )
            .with_cure("call `alveary_process::keeper::run_if_asked()` first in its `main`"));
        }
        let place = Place::of(context.state_dir).map_err(|error| {
            crate::trouble::from_io(Operation::Connect, "the state folder cannot be used", error)
        })?;
        let folder = place.folder().to_owned();
        let settings = Settings {
            name: context.swarm,
            swarm: context.uid,
            secrets: match context.secrets_dir {
                // Agents are told where theirs lie, and stand elsewhere.
                Some(secrets) => std::path::absolute(&secrets).unwrap_or(secrets),
                None => folder.join("secrets"),
            },
            log_bytes: config.log_size.0,
            cgroups: config.cgroups,
            folder: folder.clone(),
        };
        let program = match context.keeper {
            Some(path) => Some(Program::At(path)),
            None => keeper::can_be_keeper().then_some(Program::ThisOne),
        };
        let keeping = match (place, program.filter(|_| config.keeper)) {
            (Place::Lasting(_), Some(program)) => Keeping::Apart(Client::new(settings, program)),
            (Place::Lasting(_), None) => Keeping::Here(Here::new(settings)),
            (Place::Passing(folder), _) => Keeping::Here(Here::passing(settings, folder)),
        };
        Ok(Self::new(context.uid, folder, keeping))
    }
}

/// Where a swarm's journal and logs are.
enum Place {
    Lasting(PathBuf),
    /// Of a swarm that keeps nothing on disk: only until it is over.
    Passing(TempDir),
}

impl Place {
    /// The folder is named as everybody can find it, whichever path led us to it and wherever they stand.
    fn of(state_dir: Option<PathBuf>) -> io::Result<Self> {
        match state_dir {
            Some(folder) => Ok(Self::Lasting(folder.canonicalize()?)),
            None => {
                let folder = tempfile::Builder::new().prefix("alveary-").tempdir()?;
                Ok(Self::Passing(folder))
            }
        }
    }

    fn folder(&self) -> &Path {
        match self {
            Self::Lasting(folder) => folder,
            Self::Passing(folder) => folder.path(),
        }
    }
}
