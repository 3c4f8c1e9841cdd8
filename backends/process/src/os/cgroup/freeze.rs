//! Holding all processes of a control group still.

use std::fs;
use std::io;

use super::{Cgroup, set};

impl Cgroup {
    /// Has all of it held still from now on, or go on. That it stands still is seen a moment later.
    pub(crate) fn set_frozen(&self, frozen: bool) -> io::Result<()> {
        let value = if frozen { "1" } else { "0" };
        set(&self.tree.join("cgroup.freeze"), value)
    }

    /// Whether it has been told to hold still.
    pub(crate) fn is_to_be_frozen(&self) -> bool {
        fs::read_to_string(self.tree.join("cgroup.freeze")).is_ok_and(|text| text.trim() == "1")
    }

    /// Whether all of it stands still.
    pub(crate) fn is_frozen(&self) -> bool {
        fs::read_to_string(self.tree.join("cgroup.events"))
            .is_ok_and(|text| text.lines().any(|line| line == "frozen 1"))
    }
}
