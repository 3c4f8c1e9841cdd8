//! What can go wrong between us and a keeper.

use std::time::Duration;

use alveary_core::{Error, ErrorKind, Operation, Retry};

use crate::wire::{Facts, VERSION};

/// Whether something came of it is not known where it may have begun something.
fn kind(operation: Operation) -> ErrorKind {
    if operation == Operation::Spawn {
        ErrorKind::Indeterminate
    } else {
        ErrorKind::EngineUnavailable
    }
}

/// The keeper went away before it answered.
pub(super) fn lost(operation: Operation) -> Error {
    let what = "the keeper went away before it answered";
    Error::new(kind(operation), operation, what)
        .with_cure("ask again: another keeper takes up what it left")
        .with_retry(Retry::SameId)
}

/// The keeper is there and says nothing. Of [`Operation::Connect`] nothing had been asked of it yet.
pub(super) fn silent(operation: Operation, after: Duration) -> Error {
    let seconds = after.as_secs_f64().round();
    let what = format!("the keeper has not answered within {seconds} s");
    Error::new(kind(operation), operation, what)
        .with_cure("look whether its process is stopped or the machine is overloaded; killing it harms no agent")
        .with_retry(Retry::SameId)
}

/// An answer that does not fit its question: a keeper of a version that we do not understand.
pub(crate) fn unexpected(operation: Operation) -> Error {
    Error::new(
        ErrorKind::Engine,
        operation,
        "the keeper's answer cannot be understood",
    )
    .with_cure("use the version of alveary that started the swarm, or stop it and start it anew")
}

/// A keeper whose wire has in common with ours what is frozen, and no more.
pub(super) fn other_version(operation: Operation, keeper: &Facts) -> Error {
    let what = format!(
        "the swarm's keeper is alveary {} and speaks version {} of the wire, this program speaks version {VERSION}",
        keeper.build, keeper.version
    );
    Error::new(ErrorKind::Unsupported, operation, what).with_cure(format!(
        "use alveary {}, or stop the agents, which this program can, and start them anew",
        keeper.build
    ))
}
