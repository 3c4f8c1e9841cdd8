//! Whom news are about.

use alveary_core::AgentId;

use crate::state::Change;

/// Whom the record says something new about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Touched {
    These(Vec<AgentId>),
    /// It was read anew from the beginning.
    All,
}

impl Default for Touched {
    fn default() -> Self {
        Self::These(Vec::new())
    }
}

impl Touched {
    pub(crate) fn by(changes: &[Change]) -> Self {
        let about: Option<Vec<_>> = changes.iter().map(|c| c.about().cloned()).collect();
        about.map_or(Self::All, Self::These)
    }

    pub(crate) fn add(&mut self, other: Self) {
        match (self, other) {
            (Self::All, _) => {}
            (these, Self::All) => *these = Self::All,
            (Self::These(these), Self::These(more)) => these.extend(more),
        }
    }
}
