//! There is one keeper for a folder: the holder of its lock.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// The right to keep a folder's agents, until it is dropped or its process dies. Never inherited: the file is
/// closed on exec.
#[derive(Debug)]
pub(crate) struct KeeperLock {
    pub(crate) file: File,
}

impl KeeperLock {
    /// Takes the right if nobody has it.
    pub(crate) fn try_take(folder: &Path) -> io::Result<Option<Self>> {
        let mut options = OpenOptions::new();
        options.create(true).truncate(false).write(true).mode(0o600);
        let file = options.open(folder.join("keeper.lock"))?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Self { file })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }
}
