//! Keeping agents in this very process, where no keeper is to be had.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use alveary_core::{Error, ErrorKind, Operation, Result};
use tempfile::TempDir;
use tokio::time::{Instant, sleep};

use crate::keep::{Keep, WeakKeep};
use crate::keeper::Settings;
use crate::lock::KeeperLock;

/// How long another process may take to give up a folder whose agents have all ended.
const GIVING_UP_TAKES_AT_MOST: Duration = Duration::from_secs(2);
const PAUSE: Duration = Duration::from_millis(5);

/// Those that this process keeps: who opens a folder twice gets the same keeping twice, with the settings of
/// the first.
static KEPT: Mutex<Option<HashMap<PathBuf, WeakKeep>>> = Mutex::new(None);

/// A keeping in this process, begun when it is first needed.
#[derive(Debug)]
pub(crate) struct Here {
    settings: Settings,
    /// The folder of a swarm that keeps nothing on disk: it goes with the last agent of that.
    passing: Option<Arc<TempDir>>,
    begun: Mutex<Option<Keep>>,
}

impl Here {
    pub(crate) fn new(settings: Settings) -> Self {
        Self {
            settings,
            passing: None,
            begun: Mutex::new(None),
        }
    }

    /// Of a swarm that nobody finds again: dropping this ends its agents.
    pub(crate) fn passing(settings: Settings, folder: TempDir) -> Self {
        Self {
            settings,
            passing: Some(Arc::new(folder)),
            begun: Mutex::new(None),
        }
    }

    pub(crate) fn is_passing(&self) -> bool {
        self.passing.is_some()
    }

    /// The keeping, if it has begun.
    pub(crate) fn begun(&self) -> Option<Keep> {
        lock(&self.begun).clone()
    }

    /// The keeping. `Conflict`: another process keeps this folder's agents, and does not give them up.
    pub(crate) async fn keep(&self) -> Result<Keep> {
        let give_up_at = Instant::now() + GIVING_UP_TAKES_AT_MOST;
        loop {
            if let Some(keep) = self.try_keep()? {
                return Ok(keep);
            }
            if Instant::now() >= give_up_at {
                return Err(held(&self.settings.folder));
            }
            sleep(PAUSE).await;
        }
    }

    /// `None`: somebody else has the lock.
    fn try_keep(&self) -> Result<Option<Keep>> {
        let mut begun = lock(&self.begun);
        if begun.is_none() {
            *begun = self.begin()?;
        }
        Ok(begun.clone())
    }

    fn begin(&self) -> Result<Option<Keep>> {
        let folder = &self.settings.folder;
        let mut kept = lock(&KEPT);
        let kept = kept.get_or_insert_default();
        kept.retain(|_, keep| keep.upgrade().is_some());
        if let Some(keep) = kept.get(folder).and_then(WeakKeep::upgrade) {
            if keep.swarm() != self.settings.swarm {
                return Err(another_swarms(folder));
            }
            return Ok(Some(keep));
        }
        let trouble = |error| {
            crate::trouble::from_io(Operation::Connect, "the state folder cannot be used", error)
        };
        let Some(lock) = KeeperLock::try_take(folder).map_err(trouble)? else {
            return Ok(None);
        };
        let mut options = self.settings.keep_options(false);
        options.passing.clone_from(&self.passing);
        let keep = Keep::open(options, lock)?;
        kept.insert(folder.clone(), keep.downgrade());
        Ok(Some(keep))
    }
}

impl Drop for Here {
    fn drop(&mut self) {
        if self.is_passing()
            && let Some(keep) = self.begun()
        {
            keep.end_all_by_force();
        }
    }
}

fn another_swarms(folder: &Path) -> Error {
    let what = format!(
        "this process keeps the agents of another swarm in {}",
        folder.display()
    );
    Error::new(ErrorKind::Conflict, Operation::Connect, what)
        .with_cure("give each swarm a state folder of its own")
}

fn held(folder: &Path) -> Error {
    let what = format!("another process keeps the agents of {}", folder.display());
    Error::new(ErrorKind::Conflict, Operation::Connect, what).with_cure(
        "end that process, or let a keeper keep them: call `run_if_asked()` first in `main`, or name its program",
    )
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
