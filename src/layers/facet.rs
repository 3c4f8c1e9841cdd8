//! What the wrapped facets share.

use alveary_core::{
    AgentBackend, AgentId, Error, Exec, Files, Operation, Pause, Result, Signals, Stats,
};

/// A backend that had the facet when it was asked for has it no more.
fn gone(operation: Operation, id: &AgentId) -> Error {
    Error::unsupported(
        operation,
        "this backend can do so no more",
        "choose a backend that can, or do without",
    )
    .with_agent(id)
}

pub(super) fn signals<'a>(inner: &'a impl AgentBackend, id: &AgentId) -> Result<&'a dyn Signals> {
    inner.signals().ok_or_else(|| gone(Operation::Signal, id))
}

pub(super) fn exec<'a>(inner: &'a impl AgentBackend, id: &AgentId) -> Result<&'a dyn Exec> {
    inner.exec().ok_or_else(|| gone(Operation::Exec, id))
}

pub(super) fn stats<'a>(inner: &'a impl AgentBackend, id: &AgentId) -> Result<&'a dyn Stats> {
    inner.stats().ok_or_else(|| gone(Operation::Stats, id))
}

pub(super) fn files<'a>(
    inner: &'a impl AgentBackend,
    operation: Operation,
    id: &AgentId,
) -> Result<&'a dyn Files> {
    inner.files().ok_or_else(|| gone(operation, id))
}

pub(super) fn pause<'a>(
    inner: &'a impl AgentBackend,
    operation: Operation,
    id: &AgentId,
) -> Result<&'a dyn Pause> {
    inner.pause().ok_or_else(|| gone(operation, id))
}
