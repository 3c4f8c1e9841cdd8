//! Files about which something was heard, and when to look at them.

use std::collections::HashSet;
use std::path::PathBuf;
use std::time::Duration;

use tokio::time::Instant;

/// What changes within this of another change is one change: a build and an editor write more than once.
const QUIET: Duration = Duration::from_millis(200);

/// How long a file that is written again and again is waited for.
const PATIENCE: Duration = Duration::from_secs(5);

/// Files about which something was heard, and that have not been looked at since.
#[derive(Debug, Default)]
pub(super) struct Touched {
    files: HashSet<PathBuf>,
    /// When that was so first, and last.
    heard: Option<(Instant, Instant)>,
}

impl Touched {
    pub(super) fn add(&mut self, files: impl IntoIterator<Item = PathBuf>) {
        for file in files {
            self.files.insert(file);
            let now = Instant::now();
            let first = self.heard.map_or(now, |(first, _)| first);
            self.heard = Some((first, now));
        }
    }

    /// When they are to be looked at; `None` where there are none.
    pub(super) fn due(&self) -> Option<Instant> {
        let (first, last) = self.heard?;
        Some((last + QUIET).min(first + PATIENCE))
    }

    pub(super) fn take(&mut self) -> HashSet<PathBuf> {
        std::mem::take(self).files
    }
}
