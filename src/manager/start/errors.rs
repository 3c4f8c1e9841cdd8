//! Why an agent was not started, in words.

use alveary_core::{AgentId, Error, ErrorKind, Operation};

/// Whether an error is nobody's fault who was to be started: the engine, the disk or another process stands
/// in the way for now.
pub(in crate::manager) fn passes(error: &Error) -> bool {
    error.operation() == Operation::State
        || matches!(
            error.kind(),
            ErrorKind::EngineUnavailable
                | ErrorKind::Conflict
                | ErrorKind::OutOfResources
                | ErrorKind::Timeout
        )
}

pub(in crate::manager) fn name_taken(name: &str, holder: &AgentId) -> Error {
    Error::new(
        ErrorKind::AlreadyExists,
        Operation::Spawn,
        format!("the name `{name}` belongs to agent {holder}"),
    )
    .with_cure("restart or remove that one, or choose another name")
}

pub(in crate::manager) fn id_taken(id: &AgentId, name: &str) -> Error {
    Error::new(
        ErrorKind::AlreadyExists,
        Operation::Spawn,
        format!("the id belongs to an agent, and `{name}` cannot have it too"),
    )
    .with_agent(id)
    .with_cure("restart or remove that one, or choose another id")
}

pub(in crate::manager) fn called_off(id: &AgentId) -> Error {
    Error::new(
        ErrorKind::Conflict,
        Operation::Spawn,
        "it was stopped by somebody else before it was started",
    )
    .with_agent(id)
    .with_cure("start it once more if it is to run")
}

pub(super) fn not_recorded(id: &AgentId) -> Error {
    Error::new(
        ErrorKind::NotFound,
        Operation::Spawn,
        "nobody has recorded what it is started from",
    )
    .with_agent(id)
    .with_cure("remove it, and spawn it anew")
}
