//! The few facts of this host that a state folder records.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Which boot of the host this is, where the system says.
pub(super) fn boot_id() -> Option<String> {
    std::fs::read_to_string("/proc/sys/kernel/random/boot_id")
        .ok()
        .map(|id| id.trim().to_owned())
        .filter(|id| !id.is_empty())
}

/// The user as whom this process acts.
pub(super) fn effective_user() -> u32 {
    rustix::process::geteuid().as_raw()
}

/// Wall-clock milliseconds, by which two processes agree on when something was.
pub(crate) fn wall_millis() -> u64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or(Duration::ZERO);
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
