//! What the system says, told as an error with its cure.

use std::io;

use alveary_core::{Error, ErrorKind, Operation};
use rustix::io::Errno;

/// An error of this operation from what the system said.
pub(crate) fn from_io(operation: Operation, what: &str, error: io::Error) -> Error {
    let (kind, cure) = match Errno::from_io_error(&error) {
        Some(Errno::NOSPC | Errno::DQUOT) => (
            ErrorKind::OutOfResources,
            "make room on the disk that holds the swarm's state",
        ),
        Some(Errno::MFILE | Errno::NFILE) => (
            ErrorKind::OutOfResources,
            "raise the limit of open files (`ulimit -n`)",
        ),
        Some(Errno::AGAIN) => (
            ErrorKind::OutOfResources,
            "raise the limit of processes (`ulimit -u`), or end some",
        ),
        Some(Errno::NOMEM) => (ErrorKind::OutOfResources, "free some memory"),
        Some(Errno::ACCESS | Errno::PERM | Errno::ROFS) => (
            ErrorKind::PermissionDenied,
            "give yourself the right, or act as somebody who has it",
        ),
        _ => (ErrorKind::Engine, "see to what the system says"),
    };
    Error::new(kind, operation, what)
        .with_engine_words(error.to_string())
        .with_cure(cure)
        .with_source(error)
}
