//! Files and sockets as only Linux does them.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{FallocateFlags, Mode, OFlags};

/// What holes are made of: a hole begins and ends at a multiple of this.
pub(crate) const BLOCK: u64 = 4096;

/// Gives the disk back what stands in `from..to`, without moving what follows.
pub(crate) fn punch_hole(file: &File, from: u64, to: u64) -> io::Result<()> {
    let how = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
    Ok(rustix::fs::fallocate(file.as_fd(), how, from, to - from)?)
}

/// Whether the file system of this folder can give back a part of a file.
pub(crate) fn can_punch_holes(folder: &Path) -> bool {
    let try_it = || {
        let file = tempfile::tempfile_in(folder)?;
        file.set_len(2 * BLOCK)?;
        punch_hole(&file, 0, BLOCK)
    };
    try_it().is_ok()
}

/// A path to `name` in `folder` that a unix socket's address can hold, however deep the folder is. It is
/// good for as long as the returned descriptor lives.
pub(crate) fn short_path(folder: &Path, name: &str) -> io::Result<(OwnedFd, PathBuf)> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let folder = rustix::fs::open(folder, flags, Mode::empty())?;
    let path = PathBuf::from(format!("/proc/self/fd/{}/{name}", folder.as_raw_fd()));
    Ok((folder, path))
}
