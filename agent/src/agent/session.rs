//! What the parts of a running agent share.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::error::Result;
use crate::handler::Handler;
use crate::patience::persist;
use crate::pricing::Pricing;
use crate::protocol::{AttemptToken, Capabilities, Capability, Registration, Welcome};
use crate::transport::Transport;

/// What a running agent's parts share.
pub(super) struct Session {
    pub(super) transport: Arc<dyn Transport>,
    pub(super) registration: Registration,
    pub(super) handlers: Handlers,
    pub(super) pricing: Pricing,
    pub(super) time_limit: Option<Duration>,
    /// Calls off all work.
    pub(super) abandon: CancellationToken,
    /// The work under way.
    pub(super) works: TaskTracker,
    /// The last welcome. A new one means that the coordinator did not know the agent any more.
    welcome: watch::Sender<Option<Welcome>>,
    holding: Mutex<BTreeMap<AttemptToken, CancellationToken>>,
    counts: Counts,
}

#[derive(Default)]
struct Counts {
    completed: AtomicU64,
    failed: AtomicU64,
    superseded: AtomicU64,
    given_back: AtomicU64,
}

/// What became of the tasks that an agent took up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Summary {
    /// Done, and the result is delivered.
    pub completed: u64,
    /// Reported as failed.
    pub failed: u64,
    /// Another agent's before they were reported.
    pub superseded: u64,
    /// Not finished before the agent ended.
    pub given_back: u64,
}

/// How the work on one task ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ended {
    Completed,
    Failed,
    Superseded,
    GivenBack,
}

impl Session {
    pub(super) fn new(
        transport: Arc<dyn Transport>,
        registration: Registration,
        handlers: Handlers,
        pricing: Pricing,
        time_limit: Option<Duration>,
    ) -> Self {
        Self {
            transport,
            registration,
            handlers,
            pricing,
            time_limit,
            abandon: CancellationToken::new(),
            works: TaskTracker::new(),
            welcome: watch::Sender::new(None),
            holding: Mutex::default(),
            counts: Counts::default(),
        }
    }

    /// Presents the agent, and waits for a coordinator that is not there.
    pub(super) async fn register(&self) -> Result<()> {
        let registration = &self.registration;
        let call = || self.transport.register(registration);
        let welcome = persist("register with the coordinator", call).await?;
        tracing::info!(
            "registered as {} ({}), able to {}",
            registration.name,
            registration.agent_id,
            if registration.capabilities.is_empty() {
                "do what asks for nothing".to_owned()
            } else {
                registration.capabilities.to_string()
            },
        );
        self.welcome.send_replace(Some(welcome));
        Ok(())
    }

    /// Tells of every later welcome.
    pub(super) fn welcomes(&self) -> watch::Receiver<Option<Welcome>> {
        self.welcome.subscribe()
    }

    /// After how long without a pulse an attempt is taken for lost.
    pub(super) fn heartbeat(&self) -> Duration {
        let told = self
            .welcome
            .borrow()
            .as_ref()
            .map(|welcome| welcome.heartbeat);
        told.unwrap_or(Duration::from_secs(30))
    }

    pub(super) async fn leave(&self) -> Result<()> {
        let agent = &self.registration.agent_id;
        persist("take leave of the coordinator", || {
            self.transport.leave(agent)
        })
        .await
    }

    /// Counts an attempt among those held; what it gives says when to stop.
    pub(super) fn hold(&self, attempt: AttemptToken) -> CancellationToken {
        let cancelled = self.abandon.child_token();
        self.held().insert(attempt, cancelled.clone());
        cancelled
    }

    pub(super) fn let_go(&self, attempt: AttemptToken, ended: Ended) {
        self.held().remove(&attempt);
        let count = match ended {
            Ended::Completed => &self.counts.completed,
            Ended::Failed => &self.counts.failed,
            Ended::Superseded => &self.counts.superseded,
            Ended::GivenBack => &self.counts.given_back,
        };
        count.fetch_add(1, Ordering::Relaxed);
    }

    /// Calls off the work on an attempt that is another agent's now.
    pub(super) fn call_off(&self, attempt: AttemptToken) {
        if let Some(cancelled) = self.held().get(&attempt) {
            cancelled.cancel();
        }
    }

    pub(super) fn holding(&self) -> Vec<AttemptToken> {
        self.held().keys().copied().collect()
    }

    fn held(&self) -> MutexGuard<'_, BTreeMap<AttemptToken, CancellationToken>> {
        // Whoever panicked left the map whole.
        self.holding.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn summary(&self) -> Summary {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        Summary {
            completed: read(&self.counts.completed),
            failed: read(&self.counts.failed),
            superseded: read(&self.counts.superseded),
            given_back: read(&self.counts.given_back),
        }
    }
}

/// Who does which tasks.
pub(super) struct Handlers {
    first: Arc<dyn Handler>,
    of: BTreeMap<Capability, Arc<dyn Handler>>,
}

impl Handlers {
    /// `None` if there are none.
    pub(super) fn new(all: &[(Option<Capability>, Arc<dyn Handler>)]) -> Option<Self> {
        let unnamed = all.iter().find(|(capability, _)| capability.is_none());
        let (_, first) = unnamed.or(all.first())?;
        Some(Self {
            first: first.clone(),
            of: all
                .iter()
                .filter_map(|(capability, handler)| Some((capability.clone()?, handler.clone())))
                .collect(),
        })
    }

    /// Who does a task that asks for these.
    pub(super) fn pick(&self, wanted: &Capabilities) -> Arc<dyn Handler> {
        let named = wanted.iter().find_map(|capability| self.of.get(capability));
        named.unwrap_or(&self.first).clone()
    }
}
