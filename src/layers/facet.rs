//! What the wrapped facets share.

use alveary_core::{AgentId, Error, Operation};

/// A backend that had the facet when it was asked for has it no more.
pub(super) fn no_signals(id: &AgentId) -> Error {
    Error::unsupported(
        Operation::Signal,
        "this backend sends no signals",
        "stop the agent instead",
    )
    .agent(id)
}
