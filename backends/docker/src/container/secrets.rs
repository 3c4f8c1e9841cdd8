//! Secrets as files: in the host's memory, seen by the agent alone.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt, fchown};
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

    /// Writes them, for the agent's user alone.
    pub(super) fn place(&self, plan: &Plan, values: &Values) -> Result<()> {
        if values.is_empty() {
            return Ok(());
        }
        let Some(folder) = self.of_plan(plan) else {
            return Ok(());
        };
        place(&folder, owner(plan), values).map_err(|error| {
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

/// The agent's user, where it is known by number.
fn owner(plan: &Plan) -> Option<(u32, u32)> {
    let user = plan.user.as_ref()?;
    let (uid, gid) = user.split_once(':').unwrap_or((user, user));
    Some((uid.parse().ok()?, gid.parse().ok()?))
}

fn place(folder: &Path, owner: Option<(u32, u32)>, values: &Values) -> io::Result<()> {
    let (parent, mut dir) = (folder.parent(), fs::DirBuilder::new());
    dir.recursive(true).mode(0o711);
    if let Some(parent) = parent {
        dir.create(parent)?;
    }
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)?;
    for (key, secret) in values {
        let (path, value) = (folder.join(key), secret.expose().as_bytes());
        // The same start, again.
        if !lies_there(&path, value, owner) {
            lay(&path, value, owner)?;
        }
    }
    if let Some((uid, gid)) = owner {
        std::os::unix::fs::chown(folder, Some(uid), Some(gid))?;
    }
    Ok(())
}

fn lies_there(path: &Path, value: &[u8], owner: Option<(u32, u32)>) -> bool {
    let is_whose = |file: fs::Metadata| owner.is_none_or(|owner| (file.uid(), file.gid()) == owner);
    fs::metadata(path).is_ok_and(is_whose) && fs::read(path).is_ok_and(|there| there == value)
}

/// Whole and its owner's, or not at all: whoever is killed in between leaves nothing under its name.
fn lay(path: &Path, value: &[u8], owner: Option<(u32, u32)>) -> io::Result<()> {
    let folder = path.parent().unwrap_or(path);
    let mut file = tempfile::Builder::new()
        .prefix(".new")
        .permissions(fs::Permissions::from_mode(0o400))
        .tempfile_in(folder)?;
    file.write_all(value)?;
    if let Some((uid, gid)) = owner {
        fchown(file.as_file(), Some(uid), Some(gid))?;
    }
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
