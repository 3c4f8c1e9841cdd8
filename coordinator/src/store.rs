//! The file that the book is kept in: SQLite, one connection, one owner.
//!
//! The modules below hold what is said in SQL, a function for each statement, and know nothing of why. They are
//! called inside a transaction of [`Desk`](crate::desk::Desk)'s.

use std::fs::{File, OpenOptions, TryLockError};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use alveary_agent::protocol::ProblemKind;
use rusqlite::Connection;

use crate::error::{Error, Result};

pub(crate) mod agents;
pub(crate) mod attempts;
pub(crate) mod bids;
pub(crate) mod events;
mod fault;
pub(crate) mod row;
pub(crate) mod submissions;
pub(crate) mod tasks;
mod version;

/// How long another program that writes into the file is waited for.
const BUSY: Duration = Duration::from_secs(5);

/// Where a coordinator keeps its book.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Database {
    /// In memory: it ends with the coordinator.
    Memory,
    /// In this file, which is made (mode 0600) if it is not there. Its folder must be there, and on a local disk.
    File(PathBuf),
}

/// An open book, and what keeps others from opening it.
#[derive(Debug)]
pub(crate) struct Store {
    // Before the lock, so that it is closed before another may open it.
    pub(crate) connection: Connection,
    _lock: Option<File>,
}

impl Store {
    /// Opens the book, and brings the tables of an older one up to date. One that another process has open, that a
    /// later version has written, or that is no book, is refused and left as it is.
    pub(crate) fn open(database: &Database) -> Result<Self> {
        let (name, opened, lock) = match database {
            Database::Memory => {
                let name = "the coordinator's memory".to_owned();
                (name, Connection::open_in_memory(), None)
            }
            Database::File(path) => {
                let (lock, real) = lock(path)?;
                let name = path.display().to_string();
                (name, Connection::open(real), Some(lock))
            }
        };
        let of_file = |error| Error::of_file(&name, error);
        let mut connection = opened.map_err(of_file)?;
        // For those who look at the file by other programs while we write: we never wait for ourselves.
        connection.busy_timeout(BUSY).map_err(of_file)?;
        version::check(&connection, &name)?;
        tune(&connection).map_err(of_file)?;
        version::bring_up(&mut connection, &name)?;
        Ok(Self {
            connection,
            _lock: lock,
        })
    }
}

/// Says one of the words by which transactions begin, end and are nested.
pub(crate) fn say(db: &Connection, word: &str) -> fault::Result<()> {
    db.prepare_cached(word)?.execute([])?;
    Ok(())
}

fn tune(connection: &Connection) -> rusqlite::Result<()> {
    connection.set_prepared_statement_cache_capacity(64);
    connection.pragma_update(None, "journal_mode", "WAL")?;
    // A commit survives the death of this process. Only the machine's may take the last ones along, and then the
    // file is whole.
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    connection.pragma_update(None, "foreign_keys", true)
}

/// Makes the file, so that it is this user's alone from the first, and takes the lock beside it. Says what the file
/// is called where it lies: whatever other names lead to it, it has one lock.
fn lock(path: &Path) -> Result<(File, PathBuf)> {
    let cannot = |path: &Path, error: std::io::Error| {
        Error::new(
            ProblemKind::Unavailable,
            format!("{} cannot be opened: {error}", path.display()),
        )
        .with_cure("let this user write it, and see that its folder is there")
        .with_source(error)
    };
    let open = |path: &Path| {
        OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(path)
            .map_err(|error| cannot(path, error))
    };
    open(path)?;
    let real = path.canonicalize().map_err(|error| cannot(path, error))?;
    let mut beside = real.as_os_str().to_owned();
    beside.push(".lock");
    let beside = PathBuf::from(beside);
    let lock = open(&beside)?;
    match lock.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            return Err(Error::new(
                ProblemKind::Conflict,
                format!("another coordinator has {} open", path.display()),
            )
            .with_cure("end it, or name another file"));
        }
        Err(TryLockError::Error(error)) => return Err(cannot(&beside, error)),
    }
    Ok((lock, real))
}
