//! The lease: at most one process restarts a swarm's agents.

use std::fs::File;
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use alveary_core::Result;
use serde::{Deserialize, Serialize};

use super::files::{Hold, io_error, open_lock, stands_at, try_lock};

/// How often a process that waits for the lease looks whether it is free.
const LOOK: Duration = Duration::from_millis(200);

/// The right to restart a swarm's agents. The kernel takes it back when its holder dies, however it dies;
/// agents never inherit it, since the descriptor is closed on exec.
#[derive(Debug)]
pub(crate) struct Lease {
    file: File,
    path: PathBuf,
}

/// Who has the lease of a swarm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct LeaseHolder {
    /// Its process number.
    pub pid: u32,
}

impl Lease {
    fn path(folder: &Path) -> PathBuf {
        folder.join("lease")
    }

    /// Takes the lease if nobody has it.
    pub(crate) fn try_take(folder: &Path) -> Result<Option<Self>> {
        let path = Self::path(folder);
        let mut file = open_lock(&path)?;
        if !try_lock(&file, &path, Hold::Alone)? || !stands_at(&file, &path) {
            return Ok(None);
        }
        // For people and for messages. Whoever reads it believes it only while the lock is held.
        let line = format!("{{\"pid\":{}}}\n", std::process::id());
        file.set_len(0)
            .and_then(|()| file.seek(SeekFrom::Start(0)))
            .and_then(|_| file.write_all(line.as_bytes()))
            .map_err(|error| io_error("write", &path, error))?;
        Ok(Some(Self { file, path }))
    }

    /// Whether it is worth nothing any more: its file was removed, or another put in its place, which somebody
    /// else can hold.
    pub(crate) fn is_lost(&self) -> bool {
        !stands_at(&self.file, &self.path)
    }

    /// Waits until the lease is free and takes it. Dropping the call gives up waiting.
    pub(crate) async fn take(folder: &Path) -> Result<Self> {
        loop {
            if let Some(lease) = Self::try_take(folder)? {
                return Ok(lease);
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Who has it at this moment, if anybody has.
    pub(crate) fn holder(folder: &Path) -> Result<Option<LeaseHolder>> {
        let path = Self::path(folder);
        if !path.exists() {
            return Ok(None);
        }
        let file = open_lock(&path)?;
        // Shared, so that two who ask do not see each other. One who tries to take it at this very moment
        // tries again.
        if try_lock(&file, &path, Hold::Shared)? {
            return Ok(None);
        }
        let text =
            std::fs::read_to_string(&path).map_err(|error| io_error("read", &path, error))?;
        Ok(Some(
            serde_json::from_str(&text).unwrap_or(LeaseHolder { pid: 0 }),
        ))
    }
}
