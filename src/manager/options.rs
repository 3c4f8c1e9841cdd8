//! How a manager works, and what its verbs may be asked.

use std::sync::Arc;

use alveary_core::WatchOptions;

use super::supplements::Supplements;
use crate::metrics::SwarmMetrics;

/// How a manager works.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ManagerOptions {
    /// How many calls of one bulk verb are under way at once.
    pub concurrency: usize,
    /// How the engine is listened to.
    pub watch: WatchOptions,
    /// Who says what agents are given at each start besides their specs; nothing where nobody does.
    pub supplements: Option<Arc<dyn Supplements>>,
    /// Who counts what happens; nobody unless said.
    pub metrics: Option<SwarmMetrics>,
}

impl Default for ManagerOptions {
    fn default() -> Self {
        Self {
            concurrency: 32,
            watch: WatchOptions::default(),
            supplements: None,
            metrics: None,
        }
    }
}

impl ManagerOptions {
    /// Sets how many calls of one bulk verb are under way at once: at least one.
    #[must_use]
    pub fn with_concurrency(mut self, concurrency: usize) -> Self {
        self.concurrency = concurrency.max(1);
        self
    }

    /// Sets how the engine is listened to.
    #[must_use]
    pub fn with_watch(mut self, watch: WatchOptions) -> Self {
        self.watch = watch;
        self
    }

    /// Sets who says what agents are given at each start besides their specs.
    #[must_use]
    pub fn with_supplements(mut self, supplements: impl Supplements) -> Self {
        self.supplements = Some(Arc::new(supplements));
        self
    }

    /// Has what happens counted. A swarm that is [opened](crate::OpenOptions) has the calls of its backend counted, too.
    #[must_use]
    pub fn with_metrics(mut self, metrics: SwarmMetrics) -> Self {
        self.metrics = Some(metrics);
        self
    }
}
