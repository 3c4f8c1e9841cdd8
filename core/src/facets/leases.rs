//! The right to restart a swarm's agents, held in the engine itself.

use async_trait::async_trait;

use crate::error::Result;

/// Holding the right to restart a swarm's agents where managers of several hosts reach the same engine, and none sees
/// another's lock.
///
/// The right is held for *terms*, which are numbered. Of all who begin a term one has it, by whatever an engine does for
/// one caller alone, such as the making of what bears a name. Whoever has a term keeps the right by beginning the next
/// in time; how long that may take is the managers' own affair, and no clock of an engine is asked.
///
/// A backend whose engine is of this host has no such facet: a lock of the host is better.
#[async_trait]
pub trait Leases: Send + Sync {
    /// The newest term; `None` where there never was one, or all were forgotten.
    async fn newest(&self) -> Result<Option<Term>>;

    /// Begins the term of this number, for this holder, unless somebody has begun it: gives the one that there is.
    ///
    /// Told of the term by its answer or not, a caller that asks again with the same holder finds it as its own.
    async fn begin(&self, number: u64, holder: &str) -> Result<Term>;

    /// Forgets the terms of numbers below this one; there is nothing to be known of them any more.
    async fn forget_before(&self, number: u64) -> Result<()>;
}

/// A term for which somebody holds the right to restart a swarm's agents.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Term {
    /// Which it is, from 1.
    pub number: u64,
    /// Whose it is: one word that its holder has chosen.
    pub holder: String,
}

impl Term {
    /// For backends: a term as the engine tells of it.
    pub fn new(number: u64, holder: impl Into<String>) -> Self {
        Self {
            number,
            holder: holder.into(),
        }
    }
}
