//! What the system says, told as an error with its cure.

use std::io;

use alveary_core::{Error, ErrorKind, Operation};
use rustix::io::Errno;

/// An error of this operation from what the system said.
pub(crate) fn from_io(operation: Operation, what: &str, error: io::Error) -> Error {
    let (kind, cure) = match Errno::from_io_error(&error) {
        Some(Errno::NOSPC | Errno::DQUOT) => (
            ErrorKind::OutOfResources,
            Some("make room on the disk that holds the swarm's state"),
        ),
        Some(Errno::MFILE | Errno::NFILE) => (
            ErrorKind::OutOfResources,
            Some("raise the limit of open files (`ulimit -n`)"),
        ),
        Some(Errno::AGAIN) => (
            ErrorKind::OutOfResources,
            Some("raise the limit of processes (`ulimit -u`), or end some"),
        ),
        Some(Errno::NOMEM) => (ErrorKind::OutOfResources, Some("free some memory")),
        Some(Errno::ACCESS | Errno::PERM | Errno::ROFS) => (ErrorKind::PermissionDenied, None),
        _ => (ErrorKind::Engine, None),
    };
    let told = Error::new(kind, operation, what)
        .with_engine_words(error.to_string())
        .with_source(error);
    match cure {
        Some(cure) => told.with_cure(cure),
        None => told,
    }
}
