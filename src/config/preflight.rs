//! What agents need of this host, looked at before the first of them is started.

use std::collections::HashSet;
use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use alveary_core::{AgentId, AgentSpec, Escaped};

use super::agent::{FleetAgent, Member};
use super::error::ConfigError;
use super::expand;
use super::fleet::Fleet;
use super::place::Place;

/// What is wrong and what to do about it, and the key that it is about.
struct Problem {
    key: &'static str,
    message: String,
    cure: String,
}

impl Fleet {
    /// Whether what these members need is there now: their secrets, and on this host their working directories
    /// and programs.
    ///
    /// A backend looks again when it starts one, and its look is the one that counts. This one comes before
    /// the first start, so that a mistake in the last agent does not leave the others running.
    pub fn preflight<'a>(
        &self,
        members: impl IntoIterator<Item = &'a Member>,
        place: &Place,
    ) -> Result<(), ConfigError> {
        // The members of a group mostly need the same.
        let mut seen = HashSet::new();
        let id = AgentId::random();
        for member in members {
            let Some(agent) = self.agent(&member.group) else {
                continue;
            };
            let spec = expand::spec(self, agent, member, &id, place);
            let program = spec.command.first().cloned();
            if seen.insert((member.group.clone(), spec.cwd.clone(), program)) {
                look(&spec, place).map_err(|problem| self.blame(agent, member, problem))?;
            }
        }
        Ok(())
    }

    fn blame(&self, agent: &FleetAgent, member: &Member, problem: Problem) -> ConfigError {
        ConfigError::new(format!("the agent `{}`: {}", member.name, problem.message))
            .with_cure(problem.cure)
            .at(self.source(), &agent.written.key(&[problem.key]))
    }
}

fn look(spec: &AgentSpec, place: &Place) -> Result<(), Problem> {
    for (key, secret) in &spec.secrets {
        secret.read(key).map_err(|error| Problem {
            key: "secrets",
            message: error.message().to_owned(),
            cure: error.cure().unwrap_or_default().to_owned(),
        })?;
    }
    // Only agents that work in folders of this host run programs of this host.
    if !place.in_folder {
        return Ok(());
    }
    if let Some(cwd) = &spec.cwd {
        working_directory(cwd)?;
    }
    match spec.command.first() {
        Some(name) => program(name, spec),
        None => Err(Problem {
            key: "command",
            message: "it has no command, and no image says one where agents are plain processes"
                .to_owned(),
            cure: "give it a `command`".to_owned(),
        }),
    }
}

fn working_directory(cwd: &Path) -> Result<(), Problem> {
    let what = match cwd.metadata() {
        Ok(meta) if meta.is_dir() => return Ok(()),
        Ok(_) => "is not a folder".to_owned(),
        Err(error) => format!("cannot be used: {error}"),
    };
    Err(Problem {
        key: "cwd",
        message: format!("its working directory {} {what}", shown(cwd)),
        cure: "make the folder, or correct `cwd`".to_owned(),
    })
}

/// A name with a `/` is seen from the working directory; any other is looked for in the agent's `PATH`.
fn program(name: &str, spec: &AgentSpec) -> Result<(), Problem> {
    let candidates: Vec<PathBuf> = if name.contains('/') {
        vec![spec.cwd.as_deref().unwrap_or(Path::new("/")).join(name)]
    } else {
        let path = match spec.env.get("PATH") {
            Some(own) => Some(OsString::from(own)),
            None => env::var_os("PATH"),
        };
        let folders = path.unwrap_or_default();
        env::split_paths(&folders)
            .map(|folder| folder.join(name))
            .collect()
    };
    if candidates.iter().any(|candidate| can_run(candidate)) {
        return Ok(());
    }
    let (message, cure) = match candidates.iter().find(|candidate| candidate.is_file()) {
        Some(file) => (
            format!("its program {} may not be run", shown(file)),
            format!("make it executable: chmod +x {}", shown(file)),
        ),
        None if name.contains('/') => (
            format!("there is no program `{}`", Escaped(name)),
            "correct `command`: a relative path begins at the agent's working directory".to_owned(),
        ),
        None => (
            format!("there is no program `{}` in PATH", Escaped(name)),
            "install it, or correct `command`".to_owned(),
        ),
    };
    Err(Problem {
        key: "command",
        message,
        cure,
    })
}

#[cfg(unix)]
fn can_run(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    path.metadata()
        .is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

#[cfg(not(unix))]
fn can_run(path: &Path) -> bool {
    path.is_file()
}

fn shown(path: &Path) -> String {
    Escaped(&path.to_string_lossy()).to_string()
}
