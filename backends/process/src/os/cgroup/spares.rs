//! Groups that are made before they are needed: making one takes about as long as a quarter of a spawn.
//!
//! Each is used once. What an agent may have done to its group, or left in it, no other agent finds.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use alveary_core::Incarnation;

/// How many wait. A burst of more makes the rest as it goes.
const AHEAD: usize = 8;

/// Empty groups beneath a swarm's own that nobody is in yet.
#[derive(Debug)]
pub(super) struct Spares {
    swarm: PathBuf,
    waiting: Mutex<Vec<PathBuf>>,
}

impl Spares {
    pub(super) fn beneath(swarm: &Path) -> Self {
        Self {
            swarm: swarm.to_owned(),
            waiting: Mutex::default(),
        }
    }

    pub(super) fn take(&self) -> Option<PathBuf> {
        self.lock().pop()
    }

    /// Makes as many as are missing.
    pub(super) fn make(&self) {
        let mut waiting = self.lock();
        while waiting.len() < AHEAD {
            // A name that no group has ever had: the journal knows those of the past, and whoever clears up
            // after an agent that has ended must not find another's.
            let group = self.swarm.join(format!("next-{}", Incarnation::random()));
            // A start that finds none makes its own, and can say why that fails.
            if fs::create_dir(&group).is_err() {
                return;
            }
            waiting.push(group);
        }
    }

    pub(super) fn remove(&self) {
        for group in self.lock().drain(..) {
            // Nobody was ever in it. Should it stay all the same, the next keeper sweeps it.
            let _best_effort = fs::remove_dir(group);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<PathBuf>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
