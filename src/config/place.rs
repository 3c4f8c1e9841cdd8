//! Where an agent will run, as far as its spec depends on it.

use std::path::{Path, PathBuf};

use alveary_core::Capabilities;

/// Where agents will run, as far as their specs depend on it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Place {
    /// This program, which `{exe}` stands for.
    pub exe: PathBuf,
    /// Whether agents are put into containers: folders and programs of this host are then not theirs.
    pub container: bool,
    /// Whether an agent that names no `cwd` works in the file's folder.
    pub in_folder: bool,
}

impl Place {
    /// On this host, beside us.
    pub fn host(exe: impl Into<PathBuf>) -> Self {
        Self {
            exe: exe.into(),
            container: false,
            in_folder: true,
        }
    }

    /// In a container.
    pub fn container(exe: impl Into<PathBuf>) -> Self {
        Self {
            exe: exe.into(),
            container: true,
            in_folder: false,
        }
    }

    /// Where a backend of these capabilities puts agents.
    pub fn of(exe: impl AsRef<Path>, capabilities: &Capabilities) -> Self {
        Self {
            exe: exe.as_ref().to_owned(),
            container: capabilities.container,
            in_folder: capabilities.cwd && !capabilities.container,
        }
    }
}
