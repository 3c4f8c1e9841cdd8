//! What agents are given at each start besides their specs.

use std::fmt::Debug;
use std::path::Path;

use alveary_core::{AgentBackend, AgentId, AgentSpec, Result, Supplement};

use super::core::Core;

/// Says what agents are given at each start besides their specs: for who runs something beside a swarm that its
/// agents are to find.
///
/// It is asked at every start that a manager makes, first ones and restarts alike, and in whichever process that
/// is: what it says it had better read where all of them find it, as in the swarm's state folder. It is not waited
/// for by anybody else, and may read a small file.
pub trait Supplements: Debug + Send + Sync + 'static {
    /// What this start is given. An error is the answer to the start.
    fn supplement(&self, start: &Start<'_>) -> Result<Supplement>;
}

/// A start that is about to be made.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Start<'a> {
    /// Of whom.
    pub id: &'a AgentId,
    /// What it is to be.
    pub spec: &'a AgentSpec,
    /// Whether it is put into a container, where this host's loopback is not its own.
    pub in_container: bool,
    /// The folder in which the swarm keeps its state; `None` where it keeps it in memory.
    pub state_dir: Option<&'a Path>,
}

impl<B: AgentBackend + ?Sized> Core<B> {
    /// The spec as this start of it is made.
    pub(super) fn supplemented(&self, id: &AgentId, spec: &AgentSpec) -> Result<AgentSpec> {
        let Some(supplements) = &self.options.supplements else {
            return Ok(spec.clone());
        };
        let supplement = supplements.supplement(&Start {
            id,
            spec,
            in_container: self.backend.capabilities().container,
            state_dir: self.store.folder(),
        });
        Ok(spec.supplemented(&supplement.map_err(|error| error.with_agent(id))?))
    }
}
