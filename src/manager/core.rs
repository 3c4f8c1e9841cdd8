//! What all handles of one manager share.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use alveary_core::{AgentBackend, Error, ErrorKind, Operation, Result};
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

use super::options::ManagerOptions;
use super::store::Store;
use super::table::{Hearing, Table};
use crate::state::{EngineLease, Lease};

/// By what a manager may restart agents where others might want to.
#[derive(Debug, Default)]
pub(super) struct Right {
    /// Before others of this host.
    pub(super) lease: Option<Lease>,
    /// Before those of other hosts.
    pub(super) in_engine: Option<EngineLease>,
}

impl Right {
    /// What was lost is somebody else's, or soon will be.
    fn holds(&self) -> bool {
        !self.lease.as_ref().is_some_and(Lease::is_lost)
            && self.in_engine.as_ref().is_none_or(EngineLease::holds)
    }
}

/// What all handles of one manager share with its background task.
pub(super) struct Core<B: ?Sized> {
    pub(super) backend: Arc<B>,
    pub(super) table: Table,
    pub(super) store: Store,
    pub(super) options: ManagerOptions,
    /// Whether it restarts agents as soon as nobody else does.
    pub(super) supervise: bool,
    /// Whether it is the one that restarts agents.
    leads: watch::Sender<bool>,
    /// By what it may, where others might want to.
    right: Mutex<Right>,
    /// Held while a term of the engine's lease is begun, so that none is begun when all are forgotten.
    pub(super) terms: tokio::sync::Mutex<()>,
    /// Whether the background task is there.
    attached: AtomicBool,
    /// The engine knows one no more that is recorded: whoever removed it is about to forget it.
    pub(super) bereft: Notify,
    /// Ends everything in the background; nothing in the engine.
    pub(super) closing: CancellationToken,
}

impl<B: ?Sized> fmt::Debug for Core<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Core")
            .field("options", &self.options)
            .field("supervise", &self.supervise)
            .field("leads", &*self.leads.borrow())
            .field("folder", &self.store.folder())
            .finish_non_exhaustive()
    }
}

impl<B: AgentBackend + ?Sized> Core<B> {
    pub(super) fn new(
        backend: Arc<B>,
        store: Store,
        options: ManagerOptions,
        supervise: bool,
    ) -> Self {
        let table = Table::new();
        store.show_all(&table);
        Self {
            backend,
            table,
            store,
            options,
            supervise,
            leads: watch::Sender::new(false),
            right: Mutex::default(),
            terms: tokio::sync::Mutex::default(),
            attached: AtomicBool::new(false),
            bereft: Notify::new(),
            closing: CancellationToken::new(),
        }
    }

    pub(super) fn leads(&self) -> bool {
        *self.leads.borrow()
    }

    /// From now on it is this manager that restarts agents: by this right, or because nobody else could.
    pub(super) fn lead(&self, right: Right) {
        *self.right() = right;
        self.leads.send_replace(true);
    }

    /// It restarts none any more.
    pub(super) fn step_down(&self) {
        self.leads.send_replace(false);
        *self.right() = Right::default();
    }

    /// Whether it leads, and may.
    pub(super) fn may_restart(&self) -> bool {
        self.leads() && self.right().holds()
    }

    /// As [`may_restart`](Self::may_restart), asked of the engine where others could have taken the lease there.
    pub(super) async fn may_restart_now(&self) -> Result<bool> {
        if !self.may_restart() {
            return Ok(false);
        }
        let in_engine = self.right().in_engine.clone();
        match (in_engine, self.backend.leases()) {
            (Some(lease), Some(leases)) => Ok(lease.is_ours(leases).await? && self.may_restart()),
            _ => Ok(true),
        }
    }

    fn right(&self) -> MutexGuard<'_, Right> {
        self.right.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until it is this manager that restarts agents.
    pub(super) async fn leading(&self) {
        let mut leads = self.leads.subscribe();
        // The sender lives as long as `self`.
        let _ = leads.wait_for(|leads| *leads).await;
    }

    /// Begins to listen to the engine, at the first call, and waits until it has said something or cannot
    /// be heard.
    pub(super) async fn attach(self: &Arc<Self>, operation: Operation) -> Result<()> {
        if !self.attached.load(Ordering::Acquire) {
            self.begin(operation)?;
        }
        let mut hearing = self.table.hearing();
        let heard = hearing
            .wait_for(|hearing| !matches!(hearing, Hearing::NotYet))
            .await;
        // The table, and with it the sender, lives as long as `self`.
        match heard.as_deref() {
            Ok(Hearing::Lost(lost)) => Err(lost.error(operation)),
            _ => Ok(()),
        }
    }

    /// As [`attach`](Self::attach), for those who can do without news for a while: an engine that was heard
    /// and is not now makes the states unknown; one that never was is an error.
    pub(super) async fn attach_if_ever_heard(self: &Arc<Self>, operation: Operation) -> Result<()> {
        match self.attach(operation).await {
            Err(error) if !self.table.was_ever_heard() => Err(error),
            _ => Ok(()),
        }
    }

    /// As [`attach`](Self::attach), for those who ask the engine themselves: whether it answers them, they
    /// will see.
    pub(super) async fn attach_if_possible(self: &Arc<Self>) {
        if let Err(error) = self.attach(Operation::Events).await {
            tracing::debug!(kind = %error.kind(), why = error.message(), "the engine cannot be heard");
        }
    }

    fn begin(self: &Arc<Self>, operation: Operation) -> Result<()> {
        let runtime = tokio::runtime::Handle::try_current().map_err(|error| {
            Error::new(
                ErrorKind::Unsupported,
                operation,
                "a swarm's manager works inside a Tokio runtime",
            )
            .with_cure("call it from `#[tokio::main]` or `Runtime::block_on`")
            .with_source(error)
        })?;
        if !self.attached.swap(true, Ordering::AcqRel) {
            // What an earlier listener, or its end, has left is not what this one will hear.
            self.table.listen_anew();
            let attached = Attached(Arc::clone(self));
            runtime.spawn(async move {
                let core = &attached.0;
                core.closing
                    .run_until_cancelled(async {
                        tokio::join!(core.listen(), core.supervise());
                    })
                    .await;
            });
        }
        Ok(())
    }
}

/// While this lives somebody listens. Should the task end, by a panic or with its runtime, nothing is known
/// any more, and the next call begins anew.
struct Attached<B: AgentBackend + ?Sized>(Arc<Core<B>>);

impl<B: AgentBackend + ?Sized> Drop for Attached<B> {
    fn drop(&mut self) {
        self.0.step_down();
        self.0.table.lose(
            &Error::new(
                ErrorKind::EngineUnavailable,
                Operation::Events,
                "nobody listens to the engine any more",
            )
            .with_cure("call again: the next call listens anew"),
        );
        self.0.attached.store(false, Ordering::Release);
    }
}
