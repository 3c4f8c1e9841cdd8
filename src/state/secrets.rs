//! Where secrets lie while agents run: in memory, never on a disk.

use std::path::{Path, PathBuf};

use alveary_core::{Result, SwarmUid};

use super::folder::prepare_dir;
use super::host;

/// Others may pass through, since an agent may run as another user, and see nothing.
const PASS_THROUGH: u32 = 0o711;

/// A folder for this swarm's secrets, in `root` or where the system offers memory; `None` where it does not.
pub(crate) fn secrets_dir(root: Option<&Path>, uid: SwarmUid) -> Result<Option<PathBuf>> {
    let Some(base) = root.map(Path::to_owned).or_else(in_memory) else {
        return Ok(None);
    };
    let dir = base.join(uid.to_string());
    // Each level is looked at for itself: in a folder that all can write, the first may be somebody's trap.
    prepare_dir(&base, PASS_THROUGH)?;
    prepare_dir(&dir, PASS_THROUGH)?;
    Ok(Some(dir))
}

/// `$XDG_RUNTIME_DIR` is for its owner alone, so that root, whose agents may run as other users, takes the
/// shared memory instead.
fn in_memory() -> Option<PathBuf> {
    let me = host::effective_user();
    let runtime = std::env::var_os("XDG_RUNTIME_DIR")
        .map(PathBuf::from)
        .filter(|dir| me != 0 && dir.is_absolute() && dir.is_dir());
    let shared = Path::new("/dev/shm");
    runtime.map(|runtime| runtime.join("alveary")).or_else(|| {
        shared
            .is_dir()
            .then(|| shared.join(format!("alveary-{me}")))
    })
}
