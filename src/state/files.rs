//! Writing small files whole or not at all, and saying what is wrong when that fails.

use std::fs::{File, Metadata, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use alveary_core::{Error, ErrorKind, Operation, Result};
use atomic_write_file::AtomicWriteFile;
use atomic_write_file::unix::OpenOptionsExt as _;
use tokio::time::Instant;

/// How long a process may keep another from a lock that is meant to be held for microseconds.
const PATIENCE: Duration = Duration::from_secs(10);

/// An error of the file system as a sentence: what could not be done, to which file, and the cure.
pub(super) fn io_error(what: &str, path: &Path, error: io::Error) -> Error {
    use io::ErrorKind as Io;
    let too_many_files = matches!(error.raw_os_error(), Some(23 | 24));
    let (kind, cure) = match error.kind() {
        Io::StorageFull | Io::QuotaExceeded | Io::FileTooLarge => (
            ErrorKind::OutOfResources,
            "free some space there, or choose another folder by ALVEARY_STATE_DIR",
        ),
        _ if too_many_files => (
            ErrorKind::OutOfResources,
            "raise the limit on open files (`ulimit -n`)",
        ),
        Io::PermissionDenied | Io::ReadOnlyFilesystem => (
            ErrorKind::PermissionDenied,
            "make it yours and writable, or choose another folder by ALVEARY_STATE_DIR",
        ),
        _ => (
            ErrorKind::Engine,
            "see to the file, or choose another folder by ALVEARY_STATE_DIR",
        ),
    };
    Error::new(
        kind,
        Operation::State,
        format!("cannot {what} {}", path.display()),
    )
    .with_engine_words(error.to_string())
    .with_cure(cure)
    .with_source(error)
}

/// Replaces a file by this content, for the owner's eyes alone; it survives a loss of power.
pub(super) fn write_atomically(path: &Path, content: &[u8]) -> Result<()> {
    let write = || {
        let mut options = AtomicWriteFile::options();
        options.mode(0o600).preserve_mode(false);
        let mut file = options.open(path)?;
        file.write_all(content)?;
        file.commit()
    };
    write().map_err(|error| io_error("write", path, error))
}

/// Keeps what could not be read, so that nothing is destroyed by going on. Gives the copy's path.
pub(super) fn keep_corrupt(path: &Path) -> Result<PathBuf> {
    let mut name = path.as_os_str().to_owned();
    name.push(".corrupt");
    let copy = PathBuf::from(name);
    let content = std::fs::read(path).map_err(|error| io_error("read", path, error))?;
    write_atomically(&copy, &content)?;
    Ok(copy)
}

/// Opens a file that is there to be locked, and makes it if need be.
pub(super) fn open_lock(path: &Path) -> Result<File> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)
        .map_err(|error| io_error("open", path, error))
}

/// How a lock is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hold {
    /// Beside others who want it so too.
    Shared,
    /// Alone.
    Alone,
}

/// Takes a lock if it is free at this moment.
pub(super) fn try_lock(file: &File, path: &Path, hold: Hold) -> Result<bool> {
    let attempt = match hold {
        Hold::Shared => file.try_lock_shared(),
        Hold::Alone => file.try_lock(),
    };
    match attempt {
        Ok(()) => Ok(true),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(error)) => Err(io_error("lock", path, error)),
    }
}

/// Whether this is the file that stands at the path now. What cannot be seen is taken for unchanged.
pub(super) fn stands_at(file: &File, path: &Path) -> bool {
    let there = match std::fs::metadata(path) {
        Ok(there) => there,
        Err(error) => return error.kind() != io::ErrorKind::NotFound,
    };
    let same = |own: Metadata| (own.dev(), own.ino()) == (there.dev(), there.ino());
    file.metadata().map_or(true, same)
}

/// Waits between attempts at a lock: a little longer each time, and not for ever, since the holder may be a
/// stopped process.
#[derive(Debug)]
pub(crate) struct Patience {
    until: Instant,
    pause: Duration,
}

impl Patience {
    pub(crate) fn new() -> Self {
        Self {
            until: Instant::now() + PATIENCE,
            pause: Duration::from_micros(200),
        }
    }

    /// Waits once more; the error says that this has been going on for too long.
    pub(crate) async fn pause(&mut self, path: &Path) -> Result<()> {
        if Instant::now() >= self.until {
            return Err(Error::new(
                ErrorKind::Conflict,
                Operation::State,
                format!(
                    "another process has held {} for {} seconds",
                    path.display(),
                    PATIENCE.as_secs()
                ),
            )
            .with_cure(
                "look for a stopped `alveary` process (`fuser` names it) and end or continue it",
            ));
        }
        tokio::time::sleep(self.pause).await;
        self.pause = (self.pause * 2).min(Duration::from_millis(20));
        Ok(())
    }
}
