//! What SQLite says, for this crate alone.

use std::fmt;

use crate::error::Error;

/// A statement failed. Nobody outside of this crate is to know that the book is SQLite's.
#[derive(Debug)]
pub(crate) struct Fault(rusqlite::Error);

pub(crate) type Result<T, E = Fault> = std::result::Result<T, E>;

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        Self(error)
    }
}

impl From<Fault> for Error {
    fn from(fault: Fault) -> Self {
        Self::of_file("the coordinator's file", fault.0)
    }
}
