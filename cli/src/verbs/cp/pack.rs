//! What is here, as an archive.

use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use alveary::TarStream;
use tokio::task::{JoinHandle, spawn_blocking};

use super::pipe::{Sending, received};

/// How much is sent at once.
const PIECE: usize = 64 * 1024;

/// What stands at the path and all beneath it, under this name; without one, what is in it. What becomes of the packing
/// the second tells.
pub(super) fn archive(
    from: PathBuf,
    name: Option<String>,
) -> (TarStream, JoinHandle<io::Result<()>>) {
    let (sending, told) = Sending::new();
    let packing = spawn_blocking(move || {
        let mut to = BufWriter::with_capacity(PIECE, sending);
        let packed = pack(&from, name.as_deref(), &mut to);
        let packed = packed.and_then(|()| to.flush());
        if let Err(error) = &packed {
            to.get_ref().fail(error);
        }
        packed
    });
    (TarStream::reading(received(told)), packing)
}

fn pack(from: &Path, name: Option<&str>, to: &mut impl Write) -> io::Result<()> {
    let mut archive = tar::Builder::new(to);
    archive.follow_symlinks(false);
    let is_directory = std::fs::symlink_metadata(from)?.is_dir();
    match name {
        Some(name) if is_directory => archive.append_dir_all(name, from)?,
        Some(name) => archive.append_path_with_name(from, name)?,
        None => archive.append_dir_all(".", from)?,
    }
    archive.finish()
}
