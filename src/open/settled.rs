//! Whether the swarm's agents say what its backend is, and not the file.

use super::OpenOptions;
use crate::config::Fleet;
use crate::state::{Journal, SwarmRecord};

impl OpenOptions {
    /// Whether the swarm's agents outweigh what the file says.
    pub(super) fn may_follow(&self, fleet: &Fleet) -> bool {
        self.follow && !fleet.backend.is_demanded() && !fleet.backend.is_auto()
    }

    /// Whether it is the swarm's agents that say what the backend is, where there are some.
    pub(super) fn is_undecided(&self, fleet: &Fleet) -> bool {
        fleet.backend.is_auto() || self.may_follow(fleet)
    }

    /// The backend that the swarm's agents run on, where that decides it.
    pub(super) fn settled(
        &self,
        fleet: &Fleet,
        journal: &Journal,
        record: &SwarmRecord,
    ) -> Option<String> {
        if !self.is_undecided(fleet) || journal.records().len() == 0 {
            return None;
        }
        let theirs = record.backend.clone()?;
        // Another way to the same agents that the file names is as good.
        let ours = fleet.backend.as_str();
        let sees_them = self.registry.family(ours) == self.registry.family(&theirs);
        (!sees_them).then_some(theirs)
    }
}
