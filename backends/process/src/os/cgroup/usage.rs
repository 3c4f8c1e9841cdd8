//! What the processes of a control group have used up, as far as its files say.

use std::fs;
use std::path::Path;
use std::time::Duration;

use super::{Cgroup, groups_in};

impl Cgroup {
    /// Processor time of all that were ever in it. The kernel counts that in every group.
    pub(crate) fn cpu(&self) -> Option<Duration> {
        counter(&self.tree.join("cpu.stat"), "usage_usec").map(Duration::from_micros)
    }

    /// Memory, without file contents that the kernel would give back unasked.
    pub(crate) fn memory(&self) -> Option<u64> {
        let (folder, used, cached) = match &self.memory {
            Some(v1) => (v1, "memory.usage_in_bytes", "total_inactive_file"),
            None => (&self.tree, "memory.current", "inactive_file"),
        };
        let used = number(&folder.join(used))?;
        let cached = counter(&folder.join("memory.stat"), cached).unwrap_or(0);
        Some(used.saturating_sub(cached))
    }

    /// The most memory that it may have; `None`: as much as there is.
    pub(crate) fn memory_limit(&self) -> Option<u64> {
        match &self.memory {
            // Only where there is a limit is there such a group.
            Some(v1) => number(&v1.join("memory.limit_in_bytes")),
            None => number(&self.tree.join("memory.max")),
        }
    }

    /// Processes and threads that are in it now.
    pub(crate) fn threads(&self) -> u64 {
        threads_in(&self.tree)
    }

    /// Bytes that were read from disks, and written to them.
    pub(crate) fn io(&self) -> Option<(u64, u64)> {
        let text = fs::read_to_string(self.tree.join("io.stat")).ok()?;
        let sum = |key: &str| {
            text.split_ascii_whitespace()
                .filter_map(|field| field.strip_prefix(key)?.parse::<u64>().ok())
                .sum()
        };
        Some((sum("rbytes="), sum("wbytes=")))
    }
}

fn threads_in(group: &Path) -> u64 {
    let own = fs::read_to_string(group.join("cgroup.threads")).unwrap_or_default();
    let beneath: u64 = groups_in(group).map(|beneath| threads_in(&beneath)).sum();
    own.lines().count() as u64 + beneath
}

/// A file that holds one number, or a word where there is none.
fn number(path: &Path) -> Option<u64> {
    fs::read_to_string(path).ok()?.trim().parse().ok()
}

/// A file of lines that are a word and a number each.
fn counter(path: &Path, name: &str) -> Option<u64> {
    fs::read_to_string(path).ok()?.lines().find_map(|line| {
        let (key, value) = line.split_once(' ')?;
        if key == name {
            value.trim().parse().ok()
        } else {
            None
        }
    })
}
