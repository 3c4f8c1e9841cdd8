//! From a word in a config file to a backend.

use std::fmt::Debug;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use serde::de::DeserializeOwned;

use crate::backend::AgentBackend;
use crate::error::Result;
use crate::health::EngineCandidate;
use crate::id::{SwarmName, SwarmUid};
use crate::namesake::Namesake;
use crate::spec::Declared;

/// The settings of one kind of backend: the table `[backends.NAME]` of a config file.
///
/// Derive `Deserialize` with `#[serde(deny_unknown_fields, default)]`, so that a misspelt key is an error
/// and an absent table means the defaults.
#[async_trait]
pub trait BackendConfig: Debug + Default + DeserializeOwned + Send + Sync + 'static {
    /// The word that picks this backend.
    const NAME: &'static str;

    /// Backends of one family are ways to the same agents: a swarm that was brought up by one is listed and ended
    /// by the others. They share the state folder that they are given.
    const FAMILY: &'static str = Self::NAME;

    /// Makes the backend for one swarm. Needs no living engine: whether there is one is
    /// [`check`](AgentBackend::check)'s to say.
    async fn connect(self, context: ConnectContext) -> Result<Arc<dyn AgentBackend>>;

    /// Every place where an engine may be, in the order in which they count, each asked who is there: for who wants
    /// to know why an engine is not found. None for a backend whose engine is in no such place.
    async fn candidates(&self) -> Vec<EngineCandidate> {
        Vec::new()
    }

    /// Swarms of which something bears the very name in the engine that this swarm's would have, and another uid: this
    /// swarm itself, before its state was lost, or somebody else's of the same name. Changes nothing. None for a backend
    /// whose engine several swarms do not share.
    async fn namesakes(self, context: ConnectContext) -> Result<Vec<Namesake>> {
        drop(context);
        Ok(Vec::new())
    }

    /// The JSON Schema (draft 7) of the table, which is set into that of the fleet file and so has no references in it:
    /// what `alveary_core::schema::of` makes of a type, with the feature `schema`. `None`: any table may stand there.
    fn schema() -> Option<serde_json::Value> {
        None
    }
}

/// For which swarm a backend is made.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ConnectContext {
    /// The swarm's name.
    pub swarm: SwarmName,
    /// The swarm's identity, which engines are shown.
    pub uid: SwarmUid,
    /// A folder that is the backend's own and lasts: mode 0700, and it exists. `None` for a swarm that
    /// keeps nothing on disk.
    pub state_dir: Option<PathBuf>,
    /// A folder in memory for secrets, of mode 0711; the backend makes one in it for each agent.
    pub secrets_dir: Option<PathBuf>,
    /// The program that can be asked to stay and keep what this process leaves; see each backend.
    pub keeper: Option<PathBuf>,
    /// The networks and volumes that are the swarm's own, for a backend that has such things.
    pub declared: Declared,
    /// Whether an engine may take the place of the one that the swarm was brought up with. Unless it may, a backend that
    /// knows engines from each other refuses the other with `Conflict`, and asks nothing of it.
    pub adopt: bool,
}

impl ConnectContext {
    /// A swarm that keeps nothing on disk.
    pub fn new(swarm: SwarmName, uid: SwarmUid) -> Self {
        Self {
            swarm,
            uid,
            state_dir: None,
            secrets_dir: None,
            keeper: None,
            declared: Declared::default(),
            adopt: false,
        }
    }

    /// Gives the backend a folder of its own.
    #[must_use]
    pub fn with_state_dir(mut self, dir: impl Into<PathBuf>) -> Self {
        self.state_dir = Some(dir.into());
        self
    }

    /// Gives the backend a folder in memory for secrets.
    #[must_use]
    pub fn with_secrets_dir(mut self, dir: impl Into<PathBuf>) -> Self {
        self.secrets_dir = Some(dir.into());
        self
    }

    /// Names the keeper's program.
    #[must_use]
    pub fn with_keeper(mut self, program: impl Into<PathBuf>) -> Self {
        self.keeper = Some(program.into());
        self
    }

    /// Declares networks and volumes.
    #[must_use]
    pub fn with_declared(mut self, declared: Declared) -> Self {
        self.declared = declared;
        self
    }

    /// Lets another engine take the place of the one that the swarm was brought up with.
    #[must_use]
    pub fn with_adopt(mut self, adopt: bool) -> Self {
        self.adopt = adopt;
        self
    }
}
