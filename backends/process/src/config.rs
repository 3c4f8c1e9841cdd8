//! The table `[backends.process]`.

use alveary_core::ByteSize;
use serde::{Deserialize, Serialize};

/// The word that picks this backend.
pub(crate) const NAME: &str = "process";

/// The settings of the process backend: the table `[backends.process]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct ProcessConfig {
    /// How much of each stream of an agent's output is kept at least. 16 MiB by default.
    pub log_size: ByteSize,
    /// Whether a keeper of its own keeps the agents, where a program for it can be found. Yes by default.
    /// Otherwise the manager's process does, and what happens while there is none is lost.
    pub keeper: bool,
    /// Whether control groups are used where they can be had. Yes by default.
    pub cgroups: bool,
}

impl Default for ProcessConfig {
    fn default() -> Self {
        Self {
            log_size: ByteSize::mib(16),
            keeper: true,
            cgroups: true,
        }
    }
}

impl ProcessConfig {
    /// Sets how much of each stream of an agent's output is kept at least.
    #[must_use]
    pub fn with_log_size(mut self, size: ByteSize) -> Self {
        self.log_size = size;
        self
    }

    /// Says whether a keeper of its own keeps the agents.
    #[must_use]
    pub fn with_keeper(mut self, keeper: bool) -> Self {
        self.keeper = keeper;
        self
    }

    /// Says whether control groups are used.
    #[must_use]
    pub fn with_cgroups(mut self, cgroups: bool) -> Self {
        self.cgroups = cgroups;
        self
    }
}
