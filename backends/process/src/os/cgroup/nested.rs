//! A group beneath an agent's own, for what is run beside it.

use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::path::PathBuf;

use alveary_core::Incarnation;
use rustix::fs::{Mode, OFlags};

use super::{Cgroup, remove_with_all_beneath, set};

/// A group beneath an agent's: what is in it ends and stands still with the agent, and can be ended without
/// it.
#[derive(Debug)]
pub(crate) struct Nested(PathBuf);

impl Cgroup {
    /// Makes one.
    pub(crate) fn nest(&self) -> io::Result<Nested> {
        let folder = self.tree.join(format!("beside-{}", Incarnation::random()));
        fs::create_dir(&folder)?;
        Ok(Nested(folder))
    }
}

impl Nested {
    /// The folder of the group, in which a process can be born.
    pub(crate) fn birthplace(&self) -> io::Result<OwnedFd> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Ok(rustix::fs::open(&self.0, flags, Mode::empty())?)
    }

    /// Ends all that is in it.
    pub(crate) fn kill(&self) -> io::Result<()> {
        match set(&self.0.join("cgroup.kill"), "1") {
            // It went away with its agent.
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// Takes it away, unless something is left in it: then it goes with its agent.
    pub(crate) fn remove(&self) {
        let _in_use = remove_with_all_beneath(&self.0);
    }
}
