//! Secrets as files, for as long as their agent runs.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

use alveary_core::{AgentId, Incarnation, User};

use super::Keep;

impl Keep {
    /// Deletes the secrets of all but these, whose keeper did not live to do it.
    pub(super) fn keep_secrets_of(&self, living: &[(AgentId, Incarnation)]) {
        let Ok(folders) = fs::read_dir(&self.0.options.secrets) else {
            return;
        };
        for folder in folders.flatten() {
            if let Some(id) = folder
                .file_name()
                .to_str()
                .and_then(|name| AgentId::new(name).ok())
                && !living.iter().any(|(living, _)| *living == id)
            {
                self.forget_secrets(&id);
            }
        }
    }

    pub(super) fn forget_secrets(&self, id: &AgentId) {
        match fs::remove_dir_all(self.secrets_of(id)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                tracing::warn!(agent = %id, %error, "its secrets could not be deleted");
            }
            _ => {}
        }
    }
}

/// Lays an agent's secrets out as files that only its user can read, and says under which variables it finds
/// them.
pub(super) fn write_secrets(
    folder: &Path,
    user: Option<User>,
    secrets: &BTreeMap<String, String>,
) -> io::Result<BTreeMap<String, String>> {
    if secrets.is_empty() {
        return Ok(BTreeMap::new());
    }
    // What an earlier start left must not be found by this one.
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    if let Some(parent) = folder.parent().filter(|parent| !parent.exists()) {
        fs::create_dir_all(parent)?;
        // An agent that runs as another user passes through and sees nothing of the others.
        fs::set_permissions(parent, fs::Permissions::from_mode(0o711))?;
    }
    fs::DirBuilder::new().mode(0o700).create(folder)?;
    let give = |path: &Path| match user {
        Some(user) => std::os::unix::fs::chown(path, Some(user.uid), Some(user.gid)),
        None => Ok(()),
    };
    let mut variables = BTreeMap::new();
    for (key, value) in secrets {
        let path = folder.join(key);
        let mut file = File::options()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path)?;
        file.write_all(value.as_bytes())?;
        file.set_permissions(fs::Permissions::from_mode(0o400))?;
        give(&path)?;
        variables.insert(format!("{key}_FILE"), path.to_string_lossy().into_owned());
    }
    give(folder)?;
    Ok(variables)
}
