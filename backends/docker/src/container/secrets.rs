//! Secrets as files: in the host's memory, seen by the agent alone.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use alveary_core::{
    AgentId, AgentSpec, Error, ErrorKind, Incarnation, Operation, Result, Secret, SecretDelivery,
    SpecHash,
};

use crate::plan::Plan;

/// What goes into files, by key.
pub(super) type Values = BTreeMap<String, Secret>;

/// The folder of one swarm's secrets, where the engine can mount it.
#[derive(Debug)]
pub(super) struct Secrets(Option<PathBuf>);

fn as_file(spec: &AgentSpec) -> impl Iterator<Item = (&String, &alveary_core::SecretSpec)> {
    spec.secrets
        .iter()
        .filter(|(_, secret)| secret.delivery == SecretDelivery::File)
}

impl Secrets {
    pub(super) fn new(folder: Option<PathBuf>) -> Self {
        Self(folder)
    }

    pub(super) fn can_be(&self) -> bool {
        self.0.is_some()
    }

    fn of(&self, id: &AgentId) -> Option<PathBuf> {
        self.0.as_ref().map(|folder| folder.join(id.as_str()))
    }

    /// Another spec has another folder: a start that is asked for with one while it lives from another touches nothing
    /// of what lives.
    fn of_start(&self, id: &AgentId, incarnation: Incarnation, spec: SpecHash) -> Option<PathBuf> {
        self.of(id)
            .map(|folder| folder.join(format!("{incarnation}-{spec}")))
    }

    fn of_plan(&self, plan: &Plan) -> Option<PathBuf> {
        let marks = &plan.marks;
        self.of_start(&marks.id, marks.incarnation, marks.spec_hash)
    }

    /// Where this start's secrets will lie; `None` where it has none.
    pub(super) fn folder(
        &self,
        id: &AgentId,
        incarnation: Incarnation,
        spec: &AgentSpec,
    ) -> Option<String> {
        as_file(spec).next()?;
        let folder = self.of_start(id, incarnation, spec.hash())?;
        Some(folder.to_string_lossy().into_owned())
    }

    /// Reads what goes into files. `InvalidSpec`: one cannot be read.
    pub(super) fn read(spec: &AgentSpec) -> Result<Values> {
        as_file(spec)
            .map(|(key, secret)| Ok((key.clone(), secret.read(key)?)))
            .collect()
    }

    /// Writes those that are not there, for all users of the agent's container and nobody else's: one that lives keeps
    /// what it has.
    pub(super) fn place(&self, plan: &Plan, values: &Values) -> Result<()> {
        self.write(plan, values, |path, _| path.exists())
    }

    /// Writes those that are not as they are to be, for an agent that has not begun.
    pub(super) fn renew(&self, plan: &Plan, values: &Values) -> Result<()> {
        self.write(plan, values, lies_there)
    }

    fn write(&self, plan: &Plan, values: &Values, stays: Stays) -> Result<()> {
        if values.is_empty() {
            return Ok(());
        }
        let Some(folder) = self.of_plan(plan) else {
            return Ok(());
        };
        write(&folder, values, stays).map_err(|error| {
            let kind = match error.kind() {
                io::ErrorKind::PermissionDenied => ErrorKind::PermissionDenied,
                io::ErrorKind::StorageFull => ErrorKind::OutOfResources,
                _ => ErrorKind::Engine,
            };
            Error::new(
                kind,
                Operation::Spawn,
                format!("its secrets cannot be written to {}", folder.display()),
            )
            .with_cure(
                "see to it that the folder can be written, or ask for the secrets as variables",
            )
            .with_source(error)
        })
    }

    /// Whether there are any of this start.
    pub(super) fn are_there(&self, plan: &Plan) -> bool {
        self.of_plan(plan).is_some_and(|folder| folder.exists())
    }

    /// The start came to nothing.
    pub(super) fn forget_start(&self, plan: &Plan) {
        if let Some(folder) = self.of_plan(plan) {
            forget(&folder);
        }
        if let Some(folder) = self.of(&plan.marks.id) {
            // Empty, or another start's.
            let _ = fs::remove_dir(folder);
        }
    }

    /// Earlier starts need theirs no more.
    pub(super) fn forget_others(&self, plan: &Plan) {
        let (Some(folder), Some(keep)) = (self.of(&plan.marks.id), self.of_plan(plan)) else {
            return;
        };
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            if entry.path() != keep {
                forget(&entry.path());
            }
        }
    }

    pub(super) fn forget(&self, id: &AgentId) {
        if let Some(folder) = self.of(id) {
            forget(&folder);
        }
    }
}

/// Who else is on this host does not get past the folder above it, and the engine mounts no more than this one.
const MANAGERS_ALONE: u32 = 0o700;

/// Inside, the agent's user is whoever its image, its spec or its own program says; none of them can change anything.
const ANY_USER_ENTERS: u32 = 0o755;
const ANY_USER_READS: u32 = 0o444;

/// Whether the file is left as it is that is to have this value.
type Stays = fn(&Path, &[u8]) -> bool;

fn write(folder: &Path, values: &Values, stays: Stays) -> io::Result<()> {
    if let Some(above) = folder.parent() {
        make(above, MANAGERS_ALONE)?;
    }
    make(folder, ANY_USER_ENTERS)?;
    for (key, secret) in values {
        let (path, value) = (folder.join(key), secret.expose().as_bytes());
        if !stays(&path, value) {
            lay(&path, value)?;
        }
    }
    Ok(())
}

/// Sees to it that there is such a folder, with these rights whatever the process gives its files.
fn make(folder: &Path, mode: u32) -> io::Result<()> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(MANAGERS_ALONE)
        .create(folder)?;
    fs::set_permissions(folder, fs::Permissions::from_mode(mode))
}

fn lies_there(path: &Path, value: &[u8]) -> bool {
    let open = |file: fs::Metadata| file.mode() & 0o777 == ANY_USER_READS;
    fs::metadata(path).is_ok_and(open) && fs::read(path).is_ok_and(|there| there == value)
}

/// Whole, or not at all: whoever is killed in between leaves nothing under its name.
fn lay(path: &Path, value: &[u8]) -> io::Result<()> {
    let folder = path.parent().unwrap_or(path);
    let mut file = tempfile::Builder::new()
        .prefix(".new")
        .tempfile_in(folder)?;
    file.write_all(value)?;
    file.as_file()
        .set_permissions(fs::Permissions::from_mode(ANY_USER_READS))?;
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
}

fn forget(folder: &Path) {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            tracing::warn!(folder = %folder.display(), %error, "secrets are left behind");
        }
        _ => {}
    }
}
