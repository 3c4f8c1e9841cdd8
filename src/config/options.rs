//! What is said outside the file: by flags and by variables.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::error::ConfigError;

/// What a fleet file is called when it is looked for.
pub const FILE_NAME: &str = "alveary.toml";

/// A variable of the environment that settles something for which there is a flag too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Variable {
    /// Its name.
    pub name: &'static str,
    /// What it settles.
    pub meaning: &'static str,
}

const FILE: Variable = Variable {
    name: "ALVEARY_FILE",
    meaning: "the fleet file, instead of looking for one upward from the working directory",
};
const SWARM: Variable = Variable {
    name: "ALVEARY_SWARM",
    meaning: "the swarm's name (not read by what an agent starts: there it is the uid of the agent's swarm)",
};
const BACKEND: Variable = Variable {
    name: "ALVEARY_BACKEND",
    meaning: "the backend, or `auto`",
};
const STATE_DIR: Variable = Variable {
    name: "ALVEARY_STATE_DIR",
    meaning: "the folder in which each swarm has a folder for its state",
};

/// Every variable that is read for the configuration: above the file, below the flags. An empty one counts
/// as not set.
pub const VARIABLES: &[Variable] = &[FILE, SWARM, BACKEND, STATE_DIR];

/// Only agents have this one: who sees it was started by an agent.
const INSIDE_AN_AGENT: &str = "ALVEARY_INCARNATION";

/// How to find and read a fleet file. What is set here outweighs variables, and those outweigh the file.
///
/// ```
/// use alveary::LoadOptions;
///
/// let options = LoadOptions::default().with_file("fleets/demo.toml").with_backend("process");
/// # let _ = options;
/// ```
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct LoadOptions {
    /// The file. Without it `ALVEARY_FILE` names it, or `alveary.toml` is looked for upward from the working
    /// directory.
    pub file: Option<PathBuf>,
    /// The swarm's name.
    pub swarm: Option<String>,
    /// The backend, or `auto`.
    pub backend: Option<String>,
    /// The folder in which each swarm has a folder for its state.
    pub state_dir: Option<PathBuf>,
    /// Where relative paths that are given here begin, and where the looking begins: the process's working
    /// directory unless said.
    pub working_dir: Option<PathBuf>,
    /// The environment: the process's own unless said.
    pub environment: Option<BTreeMap<OsString, OsString>>,
}

impl LoadOptions {
    /// Names the file.
    #[must_use]
    pub fn with_file(mut self, file: impl Into<PathBuf>) -> Self {
        self.file = Some(file.into());
        self
    }

    /// Names the swarm.
    #[must_use]
    pub fn with_swarm(mut self, swarm: impl Into<String>) -> Self {
        self.swarm = Some(swarm.into());
        self
    }

    /// Names the backend.
    #[must_use]
    pub fn with_backend(mut self, backend: impl Into<String>) -> Self {
        self.backend = Some(backend.into());
        self
    }

    /// Names the folder in which each swarm has a folder for its state.
    #[must_use]
    pub fn with_state_dir(mut self, dir: impl Into<PathBuf>) -> Self {
        self.state_dir = Some(dir.into());
        self
    }

    /// Begins the looking, and relative paths, at another place than the working directory.
    #[must_use]
    pub fn with_working_dir(mut self, dir: impl Into<PathBuf>) -> Self {
        self.working_dir = Some(dir.into());
        self
    }

    /// Reads these variables instead of the process's own.
    #[must_use]
    pub fn with_environment<K: Into<OsString>, V: Into<OsString>>(
        mut self,
        environment: impl IntoIterator<Item = (K, V)>,
    ) -> Self {
        let pairs = environment
            .into_iter()
            .map(|(key, value)| (key.into(), value.into()));
        self.environment = Some(pairs.collect());
        self
    }

    /// The file, where one is named.
    pub(crate) fn named_file(&self) -> Result<Option<Chosen<PathBuf>>, ConfigError> {
        self.path(self.file.as_deref(), FILE)
    }

    /// The folder for state, where one is named: absolute.
    pub(crate) fn named_state_dir(&self) -> Result<Option<PathBuf>, ConfigError> {
        Ok(self
            .path(self.state_dir.as_deref(), STATE_DIR)?
            .map(|chosen| chosen.value))
    }

    /// The swarm's name, where it is given.
    pub(crate) fn named_swarm(&self) -> Result<Option<Chosen<String>>, ConfigError> {
        if self.swarm.is_none() && self.variable(INSIDE_AN_AGENT).is_some() {
            return Ok(None);
        }
        self.word(self.swarm.as_deref(), SWARM)
    }

    /// The backend, where it is given.
    pub(crate) fn named_backend(&self) -> Result<Option<Chosen<String>>, ConfigError> {
        self.word(self.backend.as_deref(), BACKEND)
    }

    /// The directory at which relative paths begin.
    pub(crate) fn base(&self) -> Result<PathBuf, ConfigError> {
        let absolute = match &self.working_dir {
            Some(dir) => std::path::absolute(dir),
            None => std::env::current_dir(),
        };
        absolute.map_err(|error| {
            ConfigError::new(format!("the working directory cannot be found: {error}"))
                .with_cure("change to a directory that exists")
        })
    }

    fn variable(&self, name: &str) -> Option<OsString> {
        match &self.environment {
            Some(environment) => environment.get(std::ffi::OsStr::new(name)).cloned(),
            None => std::env::var_os(name),
        }
        .filter(|value| !value.is_empty())
    }

    fn word(
        &self,
        flag: Option<&str>,
        variable: Variable,
    ) -> Result<Option<Chosen<String>>, ConfigError> {
        if let Some(word) = flag {
            return Ok(Some(Chosen {
                value: word.to_owned(),
                by: None,
            }));
        }
        let Some(value) = self.variable(variable.name) else {
            return Ok(None);
        };
        let value = value.into_string().map_err(|_| {
            ConfigError::new(format!("the variable {} is not UTF-8", variable.name))
                .with_cure("unset it, or give it a name")
        })?;
        Ok(Some(Chosen {
            value,
            by: Some(variable.name),
        }))
    }

    fn path(
        &self,
        flag: Option<&Path>,
        variable: Variable,
    ) -> Result<Option<Chosen<PathBuf>>, ConfigError> {
        let (path, by) = match flag {
            Some(path) => (path.to_owned(), None),
            None => match self.variable(variable.name) {
                Some(path) => (PathBuf::from(path), Some(variable.name)),
                None => return Ok(None),
            },
        };
        let value = self.base()?.join(path);
        Ok(Some(Chosen { value, by }))
    }
}

/// What was chosen outside the file.
pub(crate) struct Chosen<T> {
    pub(crate) value: T,
    /// The variable that chose it; `None`: a flag, or the program.
    pub(crate) by: Option<&'static str>,
}
