//! Groups that are made before they are needed: making one takes about as long as a quarter of a spawn.
//!
//! Each is used once. What an agent may have done to its group, or left in it, no other agent finds.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// How many wait. A burst of more makes the rest as it goes.
const AHEAD: usize = 8;

/// Empty groups beneath a swarm's own that nobody is in yet.
#[derive(Debug)]
pub(super) struct Spares {
    swarm: PathBuf,
    made: Mutex<Made>,
}

#[derive(Debug, Default)]
struct Made {
    waiting: Vec<PathBuf>,
    count: u64,
}

impl Spares {
    pub(super) fn beneath(swarm: &Path) -> Self {
        Self {
            swarm: swarm.to_owned(),
            made: Mutex::default(),
        }
    }

    pub(super) fn take(&self) -> Option<PathBuf> {
        self.lock().waiting.pop()
    }

    /// Makes as many as are missing.
    pub(super) fn make(&self) {
        let mut made = self.lock();
        while made.waiting.len() < AHEAD {
            made.count += 1;
            let group = self
                .swarm
                .join(format!("next-{}-{}", std::process::id(), made.count));
            // A start that finds none makes its own, and can say why that fails.
            if fs::create_dir(&group).is_err() {
                return;
            }
            made.waiting.push(group);
        }
    }

    pub(super) fn remove(&self) {
        for group in self.lock().waiting.drain(..) {
            // Nobody was ever in it. Should it stay all the same, the next keeper sweeps it.
            let _best_effort = fs::remove_dir(group);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Made> {
        self.made.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
