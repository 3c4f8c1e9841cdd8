//! Where secrets lie while agents run: in memory, never on a disk.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use alveary_core::{Result, SwarmUid};

use super::folder::{absolute, prepare_dir};
use super::{host, trust};

/// Others may pass through, since an agent may run as another user, and see nothing.
const PASS_THROUGH: u32 = 0o711;

/// A folder for this swarm's secrets, in `root` or where the system offers memory; `None` where it does not.
///
/// A `root` is its caller's choice: where it is not in memory, that is said and it is taken all the same.
pub(crate) fn secrets_dir(root: Option<&Path>, uid: SwarmUid) -> Result<Option<PathBuf>> {
    let chosen = root.map(absolute).transpose()?;
    let Some(base) = chosen.clone().or_else(in_memory) else {
        return Ok(None);
    };
    let dir = base.join(uid.to_string());
    trust::way_to(&base)?;
    // Each level is looked at for itself: in a folder that all can write, the first may be somebody's trap.
    prepare_dir(&base, PASS_THROUGH)?;
    if let Some(disk) = chosen.as_deref().and_then(not_in_memory) {
        tracing::warn!(folder = %base.display(), file_system = disk, "secrets lie in a folder that is not in memory: they may be read from the disk later");
    }
    // Who takes the swarm down at this moment may have deleted it in between.
    prepare_dir(&dir, PASS_THROUGH).or_else(|_| prepare_dir(&dir, PASS_THROUGH))?;
    Ok(Some(dir))
}

/// What lies in the folder of a swarm's secrets at one moment: a manager that dies between a start's secrets and the start
/// leaves some that are nobody's.
#[derive(Debug)]
pub(crate) struct LeftSecrets {
    folder: PathBuf,
    starts: Vec<PathBuf>,
}

impl LeftSecrets {
    pub(crate) fn in_folder(folder: &Path) -> Self {
        let entries = fs::read_dir(folder).into_iter().flatten().flatten();
        Self {
            folder: folder.to_owned(),
            starts: entries.map(|entry| entry.path()).collect(),
        }
    }

    /// Deletes them, and the folder with them unless there are others by now. Whoever has secrets to lay out makes it anew.
    pub(crate) fn delete(self) {
        for start in &self.starts {
            match fs::remove_dir_all(start) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    tracing::warn!(folder = %start.display(), %error, "secrets are left behind");
                }
                _ => {}
            }
        }
        let _others_or_gone = fs::remove_dir(&self.folder);
    }
}

/// `$XDG_RUNTIME_DIR` is for its owner alone, so that root, whose agents may run as other users, takes the
/// shared memory instead. Neither is believed to be in memory by its name alone.
fn in_memory() -> Option<PathBuf> {
    let me = host::effective_user();
    let runtime = std::env::var_os("XDG_RUNTIME_DIR")
        .map(PathBuf::from)
        .filter(|dir| me != 0 && dir.is_absolute());
    let runtime = runtime.map(|runtime| (runtime.clone(), runtime.join("alveary")));
    let shared = PathBuf::from("/dev/shm");
    let shared = Some((shared.clone(), shared.join(format!("alveary-{me}"))));
    [runtime, shared]
        .into_iter()
        .flatten()
        .find(|(place, _)| place.is_dir() && not_in_memory(place).is_none())
        .map(|(_, folder)| folder)
}

/// On what a folder stands that is not in memory; `None` where it is, or the system does not say.
fn not_in_memory(folder: &Path) -> Option<String> {
    host::file_system(folder).filter(|kind| !matches!(kind.as_str(), "tmpfs" | "ramfs"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_a_caller_chose_is_taken_and_one_that_others_can_change_is_not() {
        let root = tempfile::tempdir().unwrap();
        let uid = SwarmUid::random();
        let dir = secrets_dir(Some(&root.path().join("secrets")), uid).unwrap();
        assert_eq!(dir, Some(root.path().join("secrets").join(uid.to_string())));
        let open = root.path().join("open");
        fs::create_dir(&open).unwrap();
        let all = std::os::unix::fs::PermissionsExt::from_mode(0o777);
        fs::set_permissions(&open, all).unwrap();
        secrets_dir(Some(&open.join("secrets")), uid).unwrap_err();
        assert!(!open.join("secrets").exists());
    }

    #[test]
    fn what_the_system_offers_is_in_memory_or_not_taken() {
        if let Some(folder) = in_memory() {
            let place = folder.parent().unwrap();
            assert_eq!(not_in_memory(place), None, "{}", place.display());
        }
        assert!(not_in_memory(Path::new("/proc")).is_some());
    }
}
