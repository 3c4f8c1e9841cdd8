//! By what a file is known to have changed.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Which file it is, and how it was written last. Reading changes none of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Print {
    file: (u64, u64),
    size: u64,
    written: (i64, i64),
    mode: u32,
}

impl Print {
    /// That of the file at this path, behind links; none where there is none.
    pub(super) fn of(path: &Path) -> Option<Self> {
        let meta = path.metadata().ok().filter(|meta| meta.is_file())?;
        Some(Self {
            file: (meta.dev(), meta.ino()),
            size: meta.size(),
            written: (meta.mtime(), meta.mtime_nsec()),
            mode: meta.mode(),
        })
    }
}
