//! Who has recorded starts that are still to be made, and whether he is there to make them.
//!
//! A start is recorded before the engine is called, and in a large swarm it may be long until its turn comes.
//! Whoever records one says in it who he is, and holds a lock of that name for as long as he lives. So a start
//! whose turn has not come is told from one that nobody will make.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use alveary_core::{Incarnation, Result};

use super::files::{Hold, io_error, open_lock, stands_at, try_lock};
use super::folder::Folder;

/// What the names of these files begin with, among those of the gates.
const PREFIX: &str = "by-";

/// A process that is there to make the starts that it has recorded, for as long as this lives.
#[derive(Debug)]
pub(crate) struct Intender {
    name: Incarnation,
    path: PathBuf,
    _file: File,
}

impl Intender {
    pub(crate) fn new(folder: &Folder) -> Result<Self> {
        tidy(folder)?;
        loop {
            let name = Incarnation::random();
            let path = path_of(folder, name)?;
            let file = open_lock(&path)?;
            // Whoever tidies up at this moment may have taken it for a dead one's.
            if try_lock(&file, &path, Hold::Alone)? && stands_at(&file, &path) {
                return Ok(Self {
                    name,
                    path,
                    _file: file,
                });
            }
        }
    }

    pub(crate) fn name(&self) -> Incarnation {
        self.name
    }

    /// Whether the one of this name is still there.
    pub(crate) fn lives(folder: &Folder, name: Incarnation) -> Result<bool> {
        let path = path_of(folder, name)?;
        match path.try_exists() {
            Ok(false) => return Ok(false),
            Ok(true) => {}
            Err(error) => return Err(io_error("look at", &path, error)),
        }
        Ok(!remove_if_dead(&path)?)
    }
}

/// Removes what those have left behind who were killed.
fn tidy(folder: &Folder) -> Result<()> {
    let dir = folder.subfolder("starts")?;
    let entries = fs::read_dir(&dir).map_err(|error| io_error("read", &dir, error))?;
    for entry in entries.flatten() {
        if entry
            .file_name()
            .as_encoded_bytes()
            .starts_with(PREFIX.as_bytes())
        {
            remove_if_dead(&entry.path())?;
        }
    }
    Ok(())
}

/// Removes the file of one who is there no more. No other process takes the same name.
fn remove_if_dead(path: &Path) -> Result<bool> {
    let file = open_lock(path)?;
    let dead = try_lock(&file, path, Hold::Shared)?;
    if dead {
        // While the lock is held, so that nobody takes the file who is about to be removed from under him.
        remove(path);
    }
    Ok(dead)
}

impl Drop for Intender {
    fn drop(&mut self) {
        remove(&self.path);
    }
}

fn path_of(folder: &Folder, name: Incarnation) -> Result<PathBuf> {
    Ok(folder.subfolder("starts")?.join(format!("{PREFIX}{name}")))
}

/// What stays is some bytes of litter, and no lie: the lock counts.
fn remove(path: &Path) {
    if let Err(error) = fs::remove_file(path) {
        tracing::debug!(%error, path = %path.display(), "a lock file stays behind");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_has_gone_is_known_not_to_live_and_leaves_no_file() {
        let root = tempfile::tempdir().unwrap();
        let name = alveary_core::SwarmName::new("demo").unwrap();
        let folder = Folder::prepare(root.path(), &name).unwrap();
        let one = Intender::new(&folder).unwrap();
        let name = one.name();
        assert!(Intender::lives(&folder, name).unwrap());
        drop(one);
        assert!(!Intender::lives(&folder, name).unwrap());

        // One who was killed leaves his file, and nobody holds it.
        let path = path_of(&folder, name).unwrap();
        drop(open_lock(&path).unwrap());
        assert!(!Intender::lives(&folder, name).unwrap());
        assert!(!path.exists());

        // The next tidies up, and leaves alone who lives.
        let living = Intender::new(&folder).unwrap();
        drop(open_lock(&path).unwrap());
        let next = Intender::new(&folder).unwrap();
        assert!(!path.exists());
        for one in [&living, &next] {
            assert!(Intender::lives(&folder, one.name()).unwrap());
        }
    }
}
