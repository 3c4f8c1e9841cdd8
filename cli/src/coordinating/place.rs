//! Where a coordinator keeps what it keeps.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use alveary_coordinator::{Token, Tokens};

use crate::failure::Failure;

/// The folder in a swarm's state folder that is its coordinator's.
pub(super) const FOLDER: &str = "coordinator";

/// The files of a coordinator.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    /// Its tasks.
    pub(crate) db: PathBuf,
    /// What its tokens are made of.
    key: PathBuf,
    /// The token of who may do everything.
    pub(crate) admin: PathBuf,
}

impl Place {
    /// All of it beside the file of its tasks.
    pub(crate) fn beside(db: &Path) -> Self {
        let with = |ending: &str| {
            let mut name = db.as_os_str().to_owned();
            name.push(ending);
            PathBuf::from(name)
        };
        Self {
            key: with(".key"),
            admin: with(".token"),
            db: db.to_owned(),
        }
    }

    /// All of it in a folder of the swarm's state, but for the file of its tasks where that is elsewhere.
    pub(crate) fn in_state(state: &Path, db: Option<&Path>) -> Self {
        let folder = state.join(FOLDER);
        Self {
            db: db.map_or_else(|| folder.join("tasks.db"), Path::to_owned),
            key: folder.join("key"),
            admin: folder.join("admin.token"),
        }
    }

    /// What makes its tokens, and knows them again.
    pub(crate) fn tokens(&self) -> Result<Tokens, Failure> {
        Tokens::load_or_create(&self.key).map_err(|error| {
            let what = match error.kind() {
                // It says all by itself.
                io::ErrorKind::InvalidData => error.to_string(),
                _ => format!(
                    "the key of the coordinator's tokens, {}, cannot be read or made: {error}",
                    self.key.display()
                ),
            };
            Failure::input(
                what,
                "see that its folder is there and that this user may write it",
            )
        })
    }

    /// Puts the admin's token where only this user reads it.
    pub(super) fn leave(&self, token: &Token) -> Result<(), Failure> {
        write_for_owner(&self.admin, token.expose().as_bytes()).map_err(|error| {
            Failure::input(
                format!(
                    "the admin's token cannot be written into {}: {error}",
                    self.admin.display()
                ),
                "see that its folder is there and that this user may write it",
            )
        })
    }
}

/// Replaces a file as a whole by one that only its owner reads.
pub(super) fn write_for_owner(file: &Path, content: &[u8]) -> io::Result<()> {
    let folder = file
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    let mut draft = tempfile::NamedTempFile::new_in(folder.unwrap_or(Path::new(".")))?;
    draft.write_all(content)?;
    draft.persist(file)?;
    Ok(())
}
