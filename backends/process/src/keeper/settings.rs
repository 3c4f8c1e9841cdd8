//! What a keeper is started with.

use std::ffi::OsStr;
use std::path::PathBuf;

use alveary_core::{SwarmName, SwarmUid};
use serde::{Deserialize, Serialize};

use crate::keep::KeepOptions;

/// The variable that makes a program a keeper.
pub(crate) const SETTINGS_VARIABLE: &str = "ALVEARY_KEEPER";

/// The variable by which a keeper that gives way to another program hands over its lock and its socket.
pub(crate) const FDS_VARIABLE: &str = "ALVEARY_KEEPER_FDS";

/// What a keeper is started with: nothing secret, since any process of the user can read it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Settings {
    pub(crate) name: SwarmName,
    pub(crate) swarm: SwarmUid,
    pub(crate) folder: PathBuf,
    pub(crate) secrets: PathBuf,
    pub(crate) log_bytes: u64,
    pub(crate) cgroups: bool,
}

impl Settings {
    pub(crate) fn from_variable(value: &OsStr) -> Result<Self, String> {
        let text = value.to_str().ok_or("the settings are not UTF-8")?;
        serde_json::from_str(text).map_err(|error| format!("the settings cannot be read: {error}"))
    }

    pub(crate) fn to_variable(&self) -> serde_json::Result<String> {
        serde_json::to_string(self)
    }

    pub(crate) fn keep_options(&self, own_process: bool) -> KeepOptions {
        KeepOptions {
            swarm: self.swarm,
            folder: self.folder.clone(),
            secrets: self.secrets.clone(),
            log_bytes: self.log_bytes,
            cgroups: self.cgroups,
            own_process,
            passing: None,
        }
    }
}
