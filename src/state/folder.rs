//! The folder itself: where it is, and whether it can be trusted.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use alveary_core::{Error, ErrorKind, Operation, Result, SwarmName};
use etcetera::BaseStrategy;

use super::files::io_error;
use super::trust;

/// A swarm's state folder: it exists, is ours, and nobody else reads it.
#[derive(Debug, Clone)]
pub(crate) struct Folder(PathBuf);

/// Where swarms keep their state: `$ALVEARY_STATE_DIR`, else `$XDG_STATE_HOME/alveary`, else
/// `~/.local/state/alveary`.
pub(crate) fn default_root() -> Result<PathBuf> {
    if let Some(root) = std::env::var_os("ALVEARY_STATE_DIR").filter(|root| !root.is_empty()) {
        return Ok(PathBuf::from(root));
    }
    let strategy = etcetera::choose_base_strategy().map_err(|error| {
        Error::new(
            ErrorKind::Unsupported,
            Operation::State,
            "there is no home folder to keep state in",
        )
        .with_cure("set ALVEARY_STATE_DIR to a folder of yours")
        .with_source(error)
    })?;
    let state = strategy.state_dir().unwrap_or_else(|| strategy.data_dir());
    Ok(state.join("alveary"))
}

/// The names of the folders in `root` that can be swarms', in order; none where there is no such place.
pub(crate) fn swarms_in(root: &Path) -> Result<Vec<SwarmName>> {
    let entries = match fs::read_dir(root) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(io_error("look into", root, error)),
    };
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry.map_err(|error| io_error("look into", root, error))?;
        if let Some(name) = entry.file_name().to_str()
            && let Ok(name) = SwarmName::new(name)
            && entry.file_type().is_ok_and(|kind| kind.is_dir())
        {
            names.push(name);
        }
    }
    names.sort_unstable_by(|one, other| one.as_str().cmp(other.as_str()));
    Ok(names)
}

impl Folder {
    /// The folder of this swarm if there is one that can be trusted.
    pub(crate) fn existing(root: &Path, swarm: &SwarmName) -> Result<Option<Self>> {
        let path = absolute(root)?.join(swarm.as_str());
        trust::way_to(&path)?;
        match fs::symlink_metadata(&path) {
            Ok(metadata) => {
                trust::folder(&path, &metadata, 0o700)?;
                Ok(Some(Self(path)))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(io_error("look at the state folder", &path, error)),
        }
    }

    /// The folder of this swarm, made if need be.
    pub(crate) fn prepare(root: &Path, swarm: &SwarmName) -> Result<Self> {
        let path = absolute(root)?.join(swarm.as_str());
        trust::way_to(&path)?;
        prepare_dir(&path, 0o700)?;
        Ok(Self(path))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// A folder inside for somebody's own use, made if need be.
    pub(crate) fn subfolder(&self, name: &str) -> Result<PathBuf> {
        let path = self.0.join(name);
        prepare_dir(&path, 0o700)?;
        Ok(path)
    }
}

pub(super) fn absolute(path: &Path) -> Result<PathBuf> {
    std::path::absolute(path).map_err(|error| io_error("find the folder", path, error))
}

/// Makes a folder of this mode, its parents too, and makes sure that it is one that can be trusted.
pub(super) fn prepare_dir(path: &Path, mode: u32) -> Result<()> {
    let make = |path: &Path| {
        DirBuilder::new()
            .recursive(true)
            .mode(mode)
            .create(path)
            .map_err(|error| io_error("make the folder", path, error))
    };
    let metadata = match fs::symlink_metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            make(path)?;
            fs::symlink_metadata(path).map_err(|error| io_error("look at", path, error))?
        }
        Err(error) => return Err(io_error("look at", path, error)),
    };
    trust::folder(path, &metadata, mode)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{MetadataExt, PermissionsExt};

    use super::*;

    fn name() -> SwarmName {
        SwarmName::new("demo").unwrap()
    }

    #[test]
    fn a_new_folder_is_closed_to_others() {
        let root = tempfile::tempdir().unwrap();
        let folder = Folder::prepare(&root.path().join("a/b"), &name()).unwrap();
        let mode = fs::metadata(folder.path()).unwrap().mode();
        assert_eq!(mode & 0o777, 0o700);
    }

    #[test]
    fn a_folder_that_others_could_read_is_closed() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("demo");
        fs::create_dir(&path).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        Folder::prepare(root.path(), &name()).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o700);
    }

    #[test]
    fn a_symbolic_link_and_a_file_are_refused_by_name() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("demo");
        std::os::unix::fs::symlink(root.path(), &path).unwrap();
        let link = Folder::prepare(root.path(), &name()).unwrap_err();
        assert_eq!(link.kind(), ErrorKind::PermissionDenied);
        assert!(link.to_string().contains("symbolic link"), "{link}");

        fs::remove_file(&path).unwrap();
        fs::write(&path, "").unwrap();
        let file = Folder::prepare(root.path(), &name()).unwrap_err();
        assert!(file.to_string().contains("is not a folder"), "{file}");
    }

    #[test]
    fn a_swarm_that_never_was_has_no_folder_and_gets_none_by_looking() {
        let root = tempfile::tempdir().unwrap();
        assert!(Folder::existing(root.path(), &name()).unwrap().is_none());
        assert!(fs::read_dir(root.path()).unwrap().next().is_none());
    }
}
