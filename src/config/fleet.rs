//! The fleet: a file that was read, understood and found to be right.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use alveary_core::{
    AgentId, AgentSpec, Declared, Error, ErrorKind, Escaped, Operation, Result, SwarmName,
};

use super::agent::{FleetAgent, Member};
use super::backend_choice::BackendChoice;
use super::coordinator::CoordinatorTable;
use super::error::ConfigError;
use super::find::find;
use super::metrics::MetricsTable;
use super::near::did_you_mean;
use super::options::LoadOptions;
use super::place::Place;
use super::source::{Source, Span};
use super::tree::Table;
use super::{check, expand, order, read};
use crate::layers::LayerOptions;

/// Which agents a swarm has, and what runs them: a fleet file that was read and found to be right.
///
/// ```
/// use alveary::{Fleet, LoadOptions};
///
/// let file = r#"
///     swarm = "demo"
///     [defaults]
///     env = { LOG = "info" }
///     [agents.echo]
///     count = 2
///     command = ["python3", "agent.py", "--id", "{agent_id}"]
/// "#;
/// let fleet = Fleet::parse(file, "/srv/demo/alveary.toml", &LoadOptions::default())?;
/// let names: Vec<_> = fleet.members().into_iter().map(|member| member.name).collect();
/// assert_eq!(names, ["echo-1", "echo-2"]);
/// # Ok::<(), alveary::ConfigError>(())
/// ```
#[derive(Clone)]
#[non_exhaustive]
pub struct Fleet {
    /// The swarm's name: the file's folder's where the file says none.
    pub swarm: SwarmName,
    /// The file: absolute.
    pub file: PathBuf,
    /// Which backend is wanted.
    pub backend: BackendChoice,
    /// The folder in which each swarm has a folder for its state, where it is not the usual one: absolute.
    pub state_dir: Option<PathBuf>,
    /// How engines are called.
    pub calls: LayerOptions,
    /// The networks and volumes that are the swarm's own.
    pub declared: Declared,
    /// The coordinator of its tasks, where it has one. Whoever brings the swarm up runs it; the manager does not.
    pub coordinator: Option<CoordinatorTable>,
    /// Where numbers about it are served, if they are. Whoever restarts its agents serves them; the manager does not.
    pub metrics: Option<MetricsTable>,
    /// The agents, in the order of the file.
    pub(crate) agents: Vec<FleetAgent>,
    pub(crate) backends: Backends,
    /// Which of `agents` come first: numbers of theirs.
    pub(crate) order: Vec<usize>,
}

/// The tables `[backends.NAME]`, unread: each backend knows its own.
#[derive(Clone)]
pub(crate) struct Backends {
    pub(crate) source: Arc<Source>,
    pub(crate) tables: Table,
}

impl Backends {
    /// The settings of one backend and where they stand; `None` where the file has none.
    pub(crate) fn get(&self, name: &str) -> Option<(&Table, Span)> {
        let node = self.tables.get(name)?;
        Some((node.table()?, node.span.clone()))
    }
}

impl Fleet {
    /// Finds the file, reads it, and checks everything that can be checked without an engine.
    pub fn load(options: &LoadOptions) -> Result<Self, ConfigError> {
        let found = find(options)?;
        read::fleet(found.source, found.path, options)
    }

    /// Reads a text as if it stood in `file`, at whose folder relative paths begin.
    pub fn parse(
        text: &str,
        file: impl AsRef<Path>,
        options: &LoadOptions,
    ) -> Result<Self, ConfigError> {
        let file = options.base()?.join(file);
        read::fleet(Source::new(file.display(), text), file, options)
    }

    /// Leaves a setting of backends at what it is unless said, in the tables of all of them: for another swarm that is made
    /// of the same file.
    pub fn leave_out(&mut self, setting: &str) {
        let words: Vec<String> = (self.backends.tables.iter())
            .map(|(key, _)| key.text.clone())
            .collect();
        for word in words {
            if let Some(table) = self.backends.tables.table_mut(&word) {
                table.remove(setting);
            }
        }
    }

    /// The folder of the file.
    pub fn folder(&self) -> &Path {
        self.file.parent().unwrap_or(Path::new("/"))
    }

    /// The agents, in the order of the file.
    pub fn agents(&self) -> &[FleetAgent] {
        &self.agents
    }

    /// The agent of that name in the file.
    pub fn agent(&self, name: &str) -> Option<&FleetAgent> {
        self.agents.iter().find(|agent| agent.name == name)
    }

    /// The agent of that name in the file, or an error that says which there are.
    pub fn find_agent(&self, name: &str) -> Result<&FleetAgent, ConfigError> {
        self.agent(name).ok_or_else(|| {
            let names = || self.agents.iter().map(|agent| agent.name.as_str());
            let cure = did_you_mean(name, names())
                .unwrap_or_else(|| format!("the file has {}", super::near::list(names())));
            ConfigError::new(format!("there is no agent `{}`", Escaped(name)))
                .with_cure(cure)
                .in_file(&self.file)
        })
    }

    /// Everyone who is to run, in the order of the file.
    pub fn members(&self) -> Vec<Member> {
        self.agents.iter().flat_map(FleetAgent::members).collect()
    }

    /// The agents in an order in which each comes after those that it names in `after`; otherwise in that of
    /// the file.
    pub fn start_order(&self) -> impl DoubleEndedIterator<Item = &FleetAgent> {
        self.order.iter().filter_map(|&at| self.agents.get(at))
    }

    /// The member of that name; also one to which its agent's count does not reach, as there is after scaling.
    pub fn member(&self, name: &str) -> Option<Member> {
        match self.agent(name) {
            Some(agent) => agent.member(name),
            None => self.agents.iter().find_map(|agent| agent.member(name)),
        }
    }

    /// What a member is to be, all placeholders filled in, all paths absolute, and checked again.
    ///
    /// `NotFound`: the file has no such agent. `InvalidSpec`: what came in by a placeholder makes it wrong.
    pub fn spec(&self, member: &Member, id: &AgentId, place: &Place) -> Result<AgentSpec> {
        let Some(agent) = self.agent(&member.group) else {
            return Err(Error::new(
                ErrorKind::NotFound,
                Operation::Configure,
                format!(
                    "{} has no agent `{}`",
                    self.file.display(),
                    Escaped(&member.group)
                ),
            )
            .with_cure("add it to the file, or stop those that run with `--prune`"));
        };
        let mut spec = expand::spec(self, agent, member, id, place);
        expand::bring_us(&mut spec, place).map_err(|error| error.with_agent(id))?;
        spec.validate().map_err(|error| error.with_agent(id))?;
        Ok(spec)
    }

    pub(crate) fn source(&self) -> &Source {
        &self.backends.source
    }
}

/// Everything but the values of variables.
impl fmt::Debug for Fleet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let agents: Vec<_> = self.agents.iter().map(|agent| &agent.name).collect();
        f.debug_struct("Fleet")
            .field("swarm", &self.swarm)
            .field("file", &self.file)
            .field("backend", &self.backend.as_str())
            .field("agents", &agents)
            .finish_non_exhaustive()
    }
}

/// What has been read but not yet checked as a whole.
pub(crate) struct Parts {
    pub(crate) swarm: SwarmName,
    pub(crate) file: PathBuf,
    pub(crate) backend: BackendChoice,
    pub(crate) state_dir: Option<PathBuf>,
    pub(crate) calls: LayerOptions,
    pub(crate) declared: Declared,
    pub(crate) coordinator: Option<CoordinatorTable>,
    pub(crate) metrics: Option<MetricsTable>,
    pub(crate) agents: Vec<FleetAgent>,
    pub(crate) backends: Backends,
}

impl Parts {
    /// Checks it all, and only then is it a fleet.
    pub(crate) fn check(self) -> Result<Fleet, ConfigError> {
        let source = Arc::clone(&self.backends.source);
        check::names(&source, &self.agents)?;
        let after = check::after(&source, &self.agents)?;
        let order =
            order::order(&after).map_err(|cycle| check::cycle(&source, &self.agents, &cycle))?;
        let fleet = Fleet {
            swarm: self.swarm,
            file: self.file,
            backend: self.backend,
            state_dir: self.state_dir,
            calls: self.calls,
            declared: self.declared,
            coordinator: self.coordinator,
            metrics: self.metrics,
            agents: self.agents,
            backends: self.backends,
            order,
        };
        check::specs(&fleet)?;
        Ok(fleet)
    }
}
