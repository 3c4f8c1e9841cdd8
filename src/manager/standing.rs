//! How agents stand, from memory: for who counts them.

use std::sync::Arc;
use std::time::Duration;

use alveary_core::AgentBackend;

use super::SwarmManager;
use super::core::Core;
use super::table::Hearing;
use crate::metrics::{Standing, SwarmMetrics};

/// How long an engine may take to say its first word. Who asks for numbers waits no longer: that it says nothing is one of
/// them.
const FIRST_WORD: Duration = Duration::from_secs(1);

impl<B: AgentBackend + ?Sized> SwarmManager<B> {
    /// Who counts what happens, where somebody does.
    pub fn metrics(&self) -> Option<&SwarmMetrics> {
        self.core().options.metrics.as_ref()
    }

    /// As the manager has it now. The engine is not asked, but listened to from now on.
    pub(crate) async fn standing(&self) -> Standing {
        let attached = self.core().attach_if_possible();
        let _late_or_not = tokio::time::timeout(FIRST_WORD, attached).await;
        self.core().standing()
    }

    /// Looks whenever it is called, for as long as there is a manager; it keeps none alive.
    #[cfg(feature = "otel")]
    pub(crate) fn looker(&self) -> impl Fn() -> Option<Standing> + Send + Sync + use<B> {
        let core = Arc::downgrade(self.core());
        move || Some(core.upgrade()?.standing())
    }
}

impl<B: AgentBackend + ?Sized> Core<B> {
    fn standing(self: &Arc<Self>) -> Standing {
        let (agents, _) = self.table.subscribe();
        let heard = matches!(*self.table.hearing().borrow(), Hearing::Heard);
        Standing::of(self.backend.kind(), &agents, heard)
    }
}
