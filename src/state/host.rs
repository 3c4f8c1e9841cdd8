//! The few facts of this host that a state folder records.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use alveary_core::Result;

use super::files::io_error;

/// Which boot of the host this is, where the system says.
pub(super) fn boot_id() -> Option<String> {
    std::fs::read_to_string("/proc/sys/kernel/random/boot_id")
        .ok()
        .map(|id| id.trim().to_owned())
        .filter(|id| !id.is_empty())
}

/// What it is called, for people.
pub(super) fn name() -> String {
    let name = rustix::system::uname();
    let name = name.nodename().to_string_lossy();
    let plain = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
    name.chars().filter(|c| plain(*c)).collect()
}

/// A word for this very folder in this boot of this host: no copy of the folder and no other host has it.
pub(super) fn place(folder: &Path) -> Result<String> {
    let metadata = std::fs::metadata(folder).map_err(|error| io_error("see", folder, error))?;
    let boot = boot_id().unwrap_or_else(name);
    Ok(format!("{boot}-{:x}-{:x}", metadata.dev(), metadata.ino()))
}

/// The user as whom this process acts.
pub(super) fn effective_user() -> u32 {
    rustix::process::geteuid().as_raw()
}

/// The number under which this process sees users that its user namespace does not know, root of the host among
/// them; `None` where it knows all.
pub(super) fn unmapped_user() -> Option<u32> {
    let map = std::fs::read_to_string("/proc/self/uid_map").ok()?;
    let ids: Vec<_> = map.split_whitespace().collect();
    if ids == ["0", "0", "4294967295"] {
        return None;
    }
    let unmapped = std::fs::read_to_string("/proc/sys/kernel/overflowuid").ok()?;
    unmapped.trim().parse().ok()
}

/// The kind of file system on which this stands, in the system's word, where the system says.
pub(super) fn file_system(path: &Path) -> Option<String> {
    let path = std::fs::canonicalize(path).ok()?;
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").ok()?;
    kind_of_mount(&path, &mounts)
}

fn kind_of_mount(path: &Path, mounts: &str) -> Option<String> {
    let parsed = mounts.lines().filter_map(|line| {
        let (mount, file_system) = line.split_once(" - ")?;
        let at = unescaped(mount.split(' ').nth(4)?);
        let kind = file_system.split(' ').next()?;
        path.starts_with(&at).then(|| (at.len(), kind.to_owned()))
    });
    // The innermost, and of several in one place the last: it lies over the others.
    parsed.max_by_key(|(depth, _)| *depth).map(|(_, kind)| kind)
}

/// What the kernel writes as `\040` and the like.
fn unescaped(text: &str) -> String {
    text.replace("\\040", " ")
        .replace("\\011", "\t")
        .replace("\\012", "\n")
        .replace("\\134", "\\")
}

/// Wall-clock milliseconds, by which two processes agree on when something was.
pub(crate) fn wall_millis() -> u64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or(Duration::ZERO);
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_innermost_mount_tells_on_what_a_folder_stands() {
        let mounts = "22 1 8:1 / / rw - ext4 /dev/sda1 rw\n\
                      23 22 0:5 / /dev rw shared:2 - devtmpfs udev rw\n\
                      24 23 0:6 / /dev/shm rw - tmpfs tmpfs rw\n\
                      25 22 0:7 / /my\\040folder rw - ext4 /dev/sdb rw\n\
                      26 22 0:8 / /my\\040folder rw - ramfs none rw\n";
        for (path, kind) in [
            ("/home/x", "ext4"),
            ("/dev/shm/alveary-0", "tmpfs"),
            ("/dev/shmem", "devtmpfs"),
            ("/my folder/x", "ramfs"),
        ] {
            let found = kind_of_mount(Path::new(path), mounts);
            assert_eq!(found.as_deref(), Some(kind), "{path}");
        }
    }
}
