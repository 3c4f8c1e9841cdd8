//! How many supervisors of a detached swarm there may be: one that restarts, and one that would take over.
//!
//! The lease says who restarts agents, and a foreground `up` may have it, too. A seat says that somebody is there
//! who stays beyond that. Seats are locks, which the kernel takes back from the dead.

use std::fs::{File, OpenOptions, TryLockError};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use alveary::{Error, ErrorKind, Operation};

/// Where many are started at once, the second is harmless, and the rest find no seat.
const SEATS: [&str; 2] = ["supervisor.1.lock", "supervisor.2.lock"];

/// A supervisor's place beside a swarm, for as long as this lives.
#[derive(Debug)]
pub(crate) struct Seat {
    _file: File,
}

impl Seat {
    /// Takes a seat if one is free.
    pub(crate) fn take(folder: &Path) -> Result<Option<Self>, Error> {
        for name in SEATS {
            let path = folder.join(name);
            let file = OpenOptions::new()
                .create(true)
                .truncate(false)
                .write(true)
                .mode(0o600)
                .open(&path)
                .map_err(|error| unusable(&path, error))?;
            match file.try_lock() {
                Ok(()) => return Ok(Some(Self { _file: file })),
                Err(TryLockError::WouldBlock) => {}
                Err(TryLockError::Error(error)) => return Err(unusable(&path, error)),
            }
        }
        Ok(None)
    }

    /// Whether anybody has one.
    pub(crate) fn is_any_taken(folder: &Path) -> Result<bool, Error> {
        for name in SEATS {
            let path = folder.join(name);
            let file = match File::open(&path) {
                Ok(file) => file,
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
                Err(error) => return Err(unusable(&path, error)),
            };
            // Shared, so that two who look do not see each other. One who would sit down at this very moment
            // takes the other seat.
            match file.try_lock_shared() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Ok(true),
                Err(TryLockError::Error(error)) => return Err(unusable(&path, error)),
            }
        }
        Ok(false)
    }
}

fn unusable(path: &Path, error: std::io::Error) -> Error {
    Error::new(
        ErrorKind::Engine,
        Operation::State,
        format!("cannot use {}", path.display()),
    )
    .with_engine_words(error.to_string())
    .with_cure("see to the file, or choose another folder by ALVEARY_STATE_DIR")
    .with_source(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_two_seats_and_whoever_goes_leaves_his_free() {
        let folder = tempfile::tempdir().unwrap();
        let take = || Seat::take(folder.path()).unwrap();
        let any_taken = || Seat::is_any_taken(folder.path()).unwrap();
        assert!(!any_taken());
        let (first, second) = (take(), take());
        assert!(first.is_some() && second.is_some());
        assert!(take().is_none());
        drop(first);
        assert!(any_taken(), "the second sits there");
        let third = take();
        assert!(third.is_some());
        drop((second, third));
        assert!(!any_taken());
    }
}
