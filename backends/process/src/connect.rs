//! From settings to a backend: who will keep the agents.

use std::sync::Arc;

use alveary_core::{
    AgentBackend, BackendConfig, ConnectContext, Error, ErrorKind, Operation, Result,
};
use async_trait::async_trait;

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
}

impl ProcessBackend {
    /// Makes the backend of one swarm. Starts no keeper yet.
    ///
    /// Needs a tokio runtime around it. `Conflict`: another process keeps this folder's agents itself.
    pub fn connect(config: &ProcessConfig, context: ConnectContext) -> Result<Self> {
        if keeper::was_asked_in_vain() {
            return Err(Error::new(
                ErrorKind::EngineUnavailable,
                Operation::Connect,
                "this program was started to be a keeper and does not know how",
            )
            .cure("call `alveary_process::keeper::run_if_asked()` first in its `main`"));
        }
        let trouble = |error| {
            crate::trouble::from_io(Operation::Connect, "the state folder cannot be used", error)
        };
        let passing = match context.state_dir {
            Some(_) => None,
            None => Some(
                tempfile::Builder::new()
                    .prefix("alveary-")
                    .tempdir()
                    .map_err(trouble)?,
            ),
        };
        let folder = match (&context.state_dir, &passing) {
            (Some(folder), _) => folder.clone(),
            (None, Some(passing)) => passing.path().to_owned(),
            (None, None) => unreachable!("one of the two was just made"),
        };
        let settings = Settings {
            name: context.swarm,
            swarm: context.uid,
            secrets: context
                .secrets_dir
                .unwrap_or_else(|| folder.join("secrets")),
            log_bytes: config.log_size.0,
            cgroups: config.cgroups,
            folder: folder.clone(),
        };
        let program = match context.keeper {
            Some(path) => Some(Program::At(path)),
            None => keeper::can_be_keeper().then_some(Program::ThisOne),
        };
        let keeping = match program.filter(|_| config.keeper && passing.is_none()) {
            Some(program) => Keeping::Apart(Client::new(settings, program)),
            None => Keeping::Here(Here::new(settings)),
        };
        Ok(Self::new(context.uid, folder, keeping, passing))
    }
}
