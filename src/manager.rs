//! The manager of a swarm.

mod agent;
mod alive;
mod announced;
mod bulk;
mod core;
mod down;
mod engine_lease;
mod errands;
mod find;
mod intents;
mod listen;
mod look;
mod options;
mod ready;
mod restart;
mod row;
mod scale;
mod shutdown;
mod standing;
mod start;
mod store;
mod subscribe;
mod supervise;
mod supplements;
mod table;
mod up;
mod verbs;
mod wait;
mod waves;
mod wishes;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use alveary_core::{AgentBackend, AgentId, Result};
use tokio_util::sync::DropGuard;

pub use agent::{Agent, Running, Supervision};
pub use down::{DownOptions, DownReport};
pub use options::ManagerOptions;
pub use shutdown::{ShutdownGuard, ShutdownOptions, StopOutcome};
pub use subscribe::{Subscription, SwarmEvent};
pub use supplements::{Start, Supplements};
pub use up::{ProgressFn, UpAction, UpEvent, UpOptions, UpOutcome, UpPlan, UpReport, UpStep};

use self::core::Core;
use self::store::Store;
use crate::state::Lease;

/// Runs a swarm of agents on one backend.
///
/// Cheap to clone; all clones are one manager. Its background task, which listens to the engine and restarts
/// what is to be restarted, starts with the first asynchronous call and ends with the last clone. Agents do
/// not end with it: [`shutdown`](Self::shutdown) and the [`guard`](Self::guard) stop them.
///
/// [`SwarmManager::new`] gives one that keeps its records in memory and touches no disk;
/// [`open`](crate::open) gives one whose swarm outlives it. Both find what already runs.
///
/// ```
/// use alveary::{AgentSpec, MemoryBackend, StopOptions, SwarmManager};
/// use std::sync::Arc;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> alveary::Result<()> {
/// let backend = MemoryBackend::new().with_program("agent", |agent| async move {
///     agent.stop_requested().await;
///     0
/// });
/// let swarm = SwarmManager::new(Arc::new(backend));
/// let echo = swarm.spawn(AgentSpec::new("echo", ["agent"])).await?;
/// let exit = swarm.stop(&echo.id, StopOptions::default()).await?;
/// assert!(exit.is_clean());
/// # Ok(()) }
/// ```
///
/// # Cancel safety
/// Every method may be dropped at any point. What it had begun goes on or is undone by itself; what became
/// of an agent whose start was called off, [`list`](Self::list) shows.
pub struct SwarmManager<B: AgentBackend + ?Sized = dyn AgentBackend> {
    handle: Arc<Handle<B>>,
}

struct Handle<B: ?Sized> {
    core: Arc<Core<B>>,
    /// The last clone ends the background task.
    _closing: DropGuard,
}

impl<B: ?Sized> Drop for Handle<B> {
    fn drop(&mut self) {
        // The background task may live a moment longer.
        self.core.store.intend_no_more();
    }
}

impl<B: AgentBackend + ?Sized> Clone for SwarmManager<B> {
    fn clone(&self) -> Self {
        Self {
            handle: Arc::clone(&self.handle),
        }
    }
}

impl<B: AgentBackend + ?Sized> fmt::Debug for SwarmManager<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SwarmManager")
            .field("backend", &self.core().backend)
            .field("core", self.core())
            .finish()
    }
}

impl<B: AgentBackend + ?Sized> SwarmManager<B> {
    /// A manager that keeps its records in memory: it touches no disk and needs no runtime yet. It restarts
    /// its agents itself.
    pub fn new(backend: Arc<B>) -> Self {
        Self::with_options(backend, ManagerOptions::default())
    }

    /// As [`new`](Self::new), with a say in how it works.
    pub fn with_options(backend: Arc<B>, options: ManagerOptions) -> Self {
        Self::over(backend, Store::in_memory(), options, true)
    }

    fn over(backend: Arc<B>, store: Store, options: ManagerOptions, supervise: bool) -> Self {
        let core = Core::new(backend, store, options, supervise);
        let closing = core.closing.clone().drop_guard();
        Self {
            handle: Arc::new(Handle {
                core: Arc::new(core),
                _closing: closing,
            }),
        }
    }

    /// A manager whose records are in a state folder.
    pub(crate) fn in_folder(
        backend: Arc<B>,
        folder: crate::state::Folder,
        journal: crate::state::Journal,
        secrets: Option<PathBuf>,
        options: ManagerOptions,
        supervise: bool,
    ) -> Result<Self> {
        let store = Store::on_disk(folder, journal, secrets)?;
        Ok(Self::over(backend, store, options, supervise))
    }

    fn core(&self) -> &Arc<Core<B>> {
        &self.handle.core
    }

    /// The backend that runs the agents.
    pub fn backend(&self) -> &Arc<B> {
        &self.core().backend
    }

    /// The folder in which the swarm keeps its state; `None` where it keeps it in memory.
    pub fn state_dir(&self) -> Option<&Path> {
        self.core().store.folder()
    }

    /// The file that keeps records of the swarm which could not be read, from the next change on and until somebody
    /// removes it; `None` where there are none. Whom no other record knows may be in one of those.
    pub fn damaged_records(&self) -> Option<PathBuf> {
        self.core().store.damaged()
    }

    /// Whether the agent runs, from memory: never the last value, but [`Running::Unknown`], while the engine
    /// cannot be heard. Meant to be asked often; it costs some ten nanoseconds.
    ///
    /// A `bool` would have to guess while nothing is known, and either guess has somebody act on it: start a second agent,
    /// or wait for one that is gone. Compare with the answer that is meant:
    /// `swarm.is_running(&id) == Running::Yes`.
    pub fn is_running(&self, id: &AgentId) -> Running {
        self.core().table.running(id)
    }

    /// Who restarts the swarm's agents at this moment.
    pub fn supervision(&self) -> Result<Supervision> {
        if self.core().leads() {
            return Ok(Supervision::Us);
        }
        let holder = match self.state_dir() {
            Some(folder) => Lease::holder(folder)?,
            None => None,
        };
        Ok(holder.map_or(Supervision::Nobody, Supervision::Other))
    }

    /// Waits until it is this manager that restarts the swarm's agents: at once where it keeps its state in
    /// memory, else when nobody else does. Never where it was opened without
    /// [`supervise`](crate::OpenOptions::supervise).
    pub async fn wait_supervising(&self) {
        self.core().attach_if_possible().await;
        self.core().leading().await;
    }

    /// What happens, from a snapshot on, as long as the manager lives.
    pub async fn subscribe(&self) -> Subscription {
        self.core().attach_if_possible().await;
        Subscription::new(self.core())
    }
}
