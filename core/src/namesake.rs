//! Swarms of the same names.

use crate::id::SwarmUid;

/// A swarm of which something bears the very names in an engine that another swarm's would have: see
/// [`BackendConfig::namesakes`](crate::BackendConfig::namesakes).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Namesake {
    /// Its identity.
    pub uid: SwarmUid,
    /// How many of its agents are there.
    pub agents: usize,
    /// How many of these run.
    pub living: usize,
    /// What of its own is there beside them, such as `network demo_net`.
    pub belongings: Vec<String>,
}

impl Namesake {
    /// A swarm of which nothing was found yet.
    pub fn new(uid: SwarmUid) -> Self {
        Self {
            uid,
            agents: 0,
            living: 0,
            belongings: Vec::new(),
        }
    }
}
