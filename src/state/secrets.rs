//! Where secrets lie while agents run: in memory, never on a disk.

use std::path::{Path, PathBuf};

use alveary_core::{Result, SwarmUid};

use super::folder::prepare_dir;
use super::host;

/// Others may pass through, since an agent may run as another user, and see nothing.
const PASS_THROUGH: u32 = 0o711;

/// A folder in memory for this swarm's secrets; `None` where the system offers no memory to put one in.
///
/// `$XDG_RUNTIME_DIR` is for its owner alone, so that root, whose agents may run as other users, takes the
/// shared memory instead.
pub(crate) fn secrets_dir(uid: SwarmUid) -> Result<Option<PathBuf>> {
    let me = host::effective_user();
    let runtime = std::env::var_os("XDG_RUNTIME_DIR")
        .map(PathBuf::from)
        .filter(|dir| me != 0 && dir.is_absolute() && dir.is_dir());
    let base = match runtime {
        Some(runtime) => runtime.join("alveary"),
        None if Path::new("/dev/shm").is_dir() => {
            Path::new("/dev/shm").join(format!("alveary-{me}"))
        }
        None => return Ok(None),
    };
    let dir = base.join(uid.to_string());
    // Each level is looked at for itself: in a folder that all can write, the first may be somebody's trap.
    prepare_dir(&base, PASS_THROUGH)?;
    prepare_dir(&dir, PASS_THROUGH)?;
    Ok(Some(dir))
}
