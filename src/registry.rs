//! From a word in a fleet file to a backend.

mod prepared;

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use alveary_core::{
    AgentBackend, BackendConfig, ConnectContext, EngineCandidate, Error, ErrorKind, Escaped,
    Namesake, Operation, Result,
};

use crate::config::de::from_table;
use crate::config::near::{did_you_mean, list};
use crate::config::source::Span;
use crate::config::tree::Table;
use crate::config::{ConfigError, Fleet, Said};

pub use prepared::{AutoChoice, Connected, Prepared};

/// The order in which `auto` tries backends. Those that are not in it come after, in the order in which they
/// were registered.
const AUTO_ORDER: [&str; 3] = ["docker-api", "docker-cli", "process"];

/// The backends of this project, compiled in or not: each is a feature that bears its name.
const FEATURES: [&str; 3] = ["process", "docker-cli", "docker-api"];

/// Which backends reach an engine that is named itself.
const DOCKER: &str = "say `docker-api`, which asks Docker through its socket, or `docker-cli`, which calls its program";
const PODMAN: &str = "say `docker-api`, which asks Podman through its socket, or `docker-cli`, which calls its program: with \
                      `program = \"podman\"` in `[backends.docker-cli]`";

/// The backends that a word can pick.
///
/// [`Registry::builtin`] has those that were compiled in; a third party adds its own:
///
/// ```
/// # use std::sync::Arc;
/// # use alveary::{AgentBackend, BackendConfig, ConnectContext, Registry, Result};
/// # #[derive(Debug, Default, serde::Deserialize)]
/// # struct MyConfig;
/// # #[async_trait::async_trait]
/// # impl BackendConfig for MyConfig {
/// #     const NAME: &'static str = "my-engine";
/// #     async fn connect(self, _: ConnectContext) -> Result<Arc<dyn AgentBackend>> {
/// #         Ok(Arc::new(alveary::MemoryBackend::new()))
/// #     }
/// # }
/// let registry = Registry::builtin().with::<MyConfig>();
/// assert!(registry.names().any(|name| name == "my-engine"));
/// ```
#[derive(Debug, Clone, Default)]
pub struct Registry {
    entries: Vec<Entry>,
}

type Connecting = Pin<Box<dyn Future<Output = Result<Arc<dyn AgentBackend>>> + Send>>;
type Connect = Box<dyn FnOnce(ConnectContext) -> Connecting + Send>;
/// Reads the settings; what is wrong with them is told before anything is connected to.
type Prepare = fn(&Table, Span) -> Result<Connect, crate::config::fault::Fault>;
type Looking = Pin<Box<dyn Future<Output = Vec<EngineCandidate>> + Send>>;
/// Reads the settings, and begins to look where the engine may be.
type Look = fn(&Table, Span) -> Result<Looking, crate::config::fault::Fault>;

type Seeking = Pin<Box<dyn Future<Output = Result<Vec<Namesake>>> + Send>>;
/// Reads the settings, and begins to look who bears a swarm's names.
type Seek = fn(&Table, Span, ConnectContext) -> Result<Seeking, crate::config::fault::Fault>;

#[derive(Clone, Copy)]
struct Entry {
    name: &'static str,
    family: &'static str,
    prepare: Prepare,
    look: Look,
    namesakes: Seek,
    #[cfg(feature = "schema")]
    schema: fn() -> Option<serde_json::Value>,
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

impl Registry {
    /// None at all.
    pub fn new() -> Self {
        Self::default()
    }

    /// Those that were compiled in: the only list behind features.
    pub fn builtin() -> Self {
        #[cfg_attr(
            not(any(feature = "process", feature = "docker-api", feature = "docker-cli")),
            expect(unused_mut, reason = "without a backend there is nothing to add")
        )]
        let mut registry = Self::new();
        #[cfg(feature = "process")]
        registry.register::<alveary_process::ProcessConfig>();
        #[cfg(feature = "docker-api")]
        registry.register::<alveary_docker::DockerApiConfig>();
        #[cfg(feature = "docker-cli")]
        registry.register::<alveary_docker::DockerCliConfig>();
        registry
    }

    /// Adds a backend. One of the same name gives way to it.
    pub fn register<C: BackendConfig>(&mut self) {
        self.entries.retain(|entry| entry.name != C::NAME);
        self.entries.push(Entry {
            name: C::NAME,
            family: C::FAMILY,
            prepare: prepare::<C>,
            look: look::<C>,
            namesakes: namesakes::<C>,
            #[cfg(feature = "schema")]
            schema: C::schema,
        });
    }

    /// [`register`](Self::register) in one expression.
    #[must_use]
    pub fn with<C: BackendConfig>(mut self) -> Self {
        self.register::<C>();
        self
    }

    /// The words that pick a backend.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        self.entries.iter().map(|entry| entry.name)
    }

    /// The JSON Schema (draft 7) of fleet files with these backends: for editors, and for who wants to know what can
    /// be said.
    ///
    /// It refuses what has no place in a fleet file by its key or its form. What only the whole file can tell, such as
    /// an agent that waits for one that is not there, it takes; [`Fleet::load`] does not.
    #[cfg(feature = "schema")]
    pub fn schema(&self) -> serde_json::Value {
        let known = self
            .entries
            .iter()
            .map(|entry| (entry.name, (entry.schema)()));
        let absent = FEATURES.iter().filter(|word| self.find(word).is_none());
        crate::config::schema::file(known, absent.copied())
    }

    /// The family of the backend that this word picks.
    pub(crate) fn family<'a>(&self, word: &'a str) -> &'a str {
        let entry = self.entries.iter().find(|entry| entry.name == word);
        entry.map_or(word, |entry| entry.family)
    }

    /// The words that pick others of its family.
    pub(crate) fn kin(&self, word: &str) -> impl Iterator<Item = &'static str> {
        let family = self.family(word);
        self.entries
            .iter()
            .filter(move |entry| entry.family == family && entry.name != word)
            .map(|entry| entry.name)
    }

    /// Finds what the fleet wants and reads its settings; nothing is connected to yet.
    ///
    /// The settings of every backend that is known here are read, those too that are not wanted now: a
    /// mistake in them is one whenever it is found.
    pub fn prepare(&self, fleet: &Fleet) -> Result<Prepared, ConfigError> {
        for (key, _) in fleet.backends.tables.iter() {
            match self.find(&key.text) {
                Some(entry) => {
                    let _: Connect = entry.read(fleet)?;
                }
                None if FEATURES.contains(&key.text.as_str()) => {}
                None => return Err(self.unknown(&key.text).at(fleet.source(), &key.span)),
            }
        }
        let candidates = if fleet.backend.is_auto() {
            self.auto(fleet)?
        } else {
            let word = fleet.backend.as_str();
            let entry = self.find(word).ok_or_else(|| self.unknown_choice(fleet))?;
            vec![(entry.name, entry.read(fleet)?)]
        };
        Ok(Prepared {
            auto: fleet.backend.is_auto().then(|| fleet.clone()),
            patience: fleet.calls.timeout.check,
            candidates,
        })
    }

    /// The backend of a swarm that has agents, whatever the fleet wants.
    ///
    /// `Conflict`: this program has no such backend.
    pub(crate) fn settled(&self, fleet: &Fleet, word: &str) -> Result<Prepared> {
        let Some(entry) = self.find(word) else {
            let word = Escaped(word);
            return Err(Error::new(
                ErrorKind::Conflict,
                Operation::Connect,
                format!("the agents of this swarm run on `{word}`, which this program does not have"),
            )
            .with_cure(format!(
                "use a program that was built with `--features {word}`, or take the swarm down with one first"
            )));
        };
        Ok(Prepared {
            auto: None,
            patience: fleet.calls.timeout.check,
            candidates: vec![(entry.name, entry.read(fleet)?)],
        })
    }

    /// Every place where an engine of the fleet's backend may be, each asked who is there; of each backend that `auto`
    /// tries, in its order. Backends whose engine is in no such place are left out.
    pub async fn candidates(
        &self,
        fleet: &Fleet,
    ) -> Result<Vec<(&'static str, Vec<EngineCandidate>)>, ConfigError> {
        let words: Vec<_> = self.prepare(fleet)?.names().collect();
        let mut all = Vec::new();
        for entry in words.iter().filter_map(|word| self.find(word)) {
            let nothing = Table::default();
            let (table, span) = fleet.backends.get(entry.name).unwrap_or((&nothing, 0..0));
            let looking = (entry.look)(table, span).map_err(|fault| entry.explain(fault, fleet))?;
            let found = looking.await;
            if !found.is_empty() {
                all.push((entry.name, found));
            }
        }
        Ok(all)
    }

    /// Swarms of the same names in the engine of this backend.
    pub(crate) async fn namesakes(
        &self,
        fleet: &Fleet,
        word: &str,
        context: ConnectContext,
    ) -> Result<Vec<Namesake>> {
        let Some(entry) = self.find(word) else {
            return Ok(Vec::new());
        };
        let nothing = Table::default();
        let (table, span) = fleet.backends.get(entry.name).unwrap_or((&nothing, 0..0));
        let seeking = (entry.namesakes)(table, span, context);
        seeking.map_err(|fault| entry.explain(fault, fleet))?.await
    }

    fn find(&self, name: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.name == name)
    }

    fn auto(&self, fleet: &Fleet) -> Result<Vec<(&'static str, Connect)>, ConfigError> {
        let rank = |name: &str| {
            let known = AUTO_ORDER.iter().position(|known| *known == name);
            known.unwrap_or(AUTO_ORDER.len())
        };
        let mut entries: Vec<_> = self.entries.iter().collect();
        entries.sort_by_key(|entry| rank(entry.name));
        entries
            .into_iter()
            .map(|entry| Ok((entry.name, entry.read(fleet)?)))
            .collect()
    }

    fn unknown(&self, word: &str) -> ConfigError {
        let word_shown = Escaped(word);
        if FEATURES.contains(&word) {
            return ConfigError::new(format!(
                "the backend `{word_shown}` was not compiled into this program"
            ))
            .with_cure(format!("build it with `--features {word_shown}`"));
        }
        let known = list(self.names());
        let guess = did_you_mean(word, self.names().chain(["auto"]));
        let cure = match (word, guess) {
            ("docker", _) => DOCKER.to_owned(),
            ("podman", _) => PODMAN.to_owned(),
            (_, Some(guess)) => format!("{guess} The known ones are {known}"),
            (_, None) => format!("the known ones are {known}"),
        };
        ConfigError::new(format!("there is no backend `{word_shown}`")).with_cure(cure)
    }

    fn unknown_choice(&self, fleet: &Fleet) -> ConfigError {
        let error = self.unknown(fleet.backend.as_str());
        match &fleet.backend.said {
            Said::InFile(span) => error.at(fleet.source(), span),
            Said::ByVariable(variable) => {
                let message = format!("{}, which the variable {variable} names", error.message());
                let cure = error.cure().unwrap_or_default().to_owned();
                ConfigError::new(message).with_cure(cure)
            }
            Said::ByCaller | Said::ByNobody => error,
        }
    }
}

impl Entry {
    fn read(&self, fleet: &Fleet) -> Result<Connect, ConfigError> {
        let nothing = Table::default();
        let (table, span) = fleet.backends.get(self.name).unwrap_or((&nothing, 0..0));
        (self.prepare)(table, span).map_err(|fault| self.explain(fault, fleet))
    }

    fn explain(&self, fault: crate::config::fault::Fault, fleet: &Fleet) -> ConfigError {
        fault.explain(fleet.source(), &format!("backends.{}", self.name))
    }
}

fn look<C: BackendConfig>(
    table: &Table,
    span: Span,
) -> Result<Looking, crate::config::fault::Fault> {
    let config: C = from_table(table, span)?;
    Ok(Box::pin(async move { config.candidates().await }))
}

fn namesakes<C: BackendConfig>(
    table: &Table,
    span: Span,
    context: ConnectContext,
) -> Result<Seeking, crate::config::fault::Fault> {
    let config: C = from_table(table, span)?;
    Ok(config.namesakes(context))
}

fn prepare<C: BackendConfig>(
    table: &Table,
    span: Span,
) -> Result<Connect, crate::config::fault::Fault> {
    let config: C = from_table(table, span)?;
    Ok(Box::new(move |context| config.connect(context)))
}
