//! Other tools' files as fleet files: what they say, as far as a fleet file can say it, and what it cannot.

mod compose;
mod procfile;
mod yaml;

use std::fmt::{self, Write as _};
use std::path::Path;

use alveary::SwarmName;
use toml::{Table, Value};

use crate::failure::Failure;

/// A fleet file that was made of another tool's.
#[derive(Debug, Default)]
pub(crate) struct Imported {
    swarm: Option<String>,
    backend: String,
    networks: Table,
    volumes: Table,
    agents: Table,
    /// What was not carried over, in the order in which it was met.
    pub(crate) left: Vec<Left>,
}

/// Something that a fleet file does not say as the other file did.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Left {
    /// Where it stands in the other file, as `services.web.build`.
    place: String,
    /// What becomes of it, or what to do about it.
    why: String,
}

impl fmt::Display for Left {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.why)
    }
}

/// Which tool's file it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Kind {
    // compose.yaml, docker-compose.yml
    Compose,
    // Procfile
    Procfile,
}

impl Kind {
    /// What a file's name says of it.
    pub(crate) fn of(file: &Path) -> Option<Self> {
        let name = file.file_name()?.to_string_lossy().to_lowercase();
        let is_yaml = [".yml", ".yaml"].iter().any(|end| name.ends_with(end));
        if is_yaml {
            Some(Self::Compose)
        } else if name.starts_with("procfile") || name.ends_with(".procfile") {
            Some(Self::Procfile)
        } else {
            None
        }
    }
}

/// Another tool's file, and what it may ask for.
pub(crate) struct Source<'a> {
    pub(crate) text: &'a str,
    /// What a variable of the caller's environment holds.
    pub(crate) variable: &'a dyn Fn(&str) -> Option<String>,
}

impl Source<'_> {
    /// Reads it as a file of this kind.
    pub(crate) fn read(&self, kind: Kind) -> Result<Imported, Failure> {
        match kind {
            Kind::Compose => compose::read(self),
            Kind::Procfile => procfile::read(self),
        }
    }
}

impl Imported {
    /// A swarm of no agents, called as the file says, or else by the folder that it will lie in.
    fn new(backend: &str, said: Option<&str>) -> Self {
        let mut imported = Self {
            backend: backend.to_owned(),
            ..Self::default()
        };
        if let Some(said) = said {
            let name = name(said);
            if name != said {
                imported.leave("name", format!("the swarm is called `{name}`"));
            }
            imported.swarm = Some(name);
        }
        imported
    }

    fn leave(&mut self, place: impl Into<String>, why: impl Into<String>) {
        self.left.push(Left {
            place: place.into(),
            why: why.into(),
        });
    }

    /// The fleet file, with what was left out as comments at its head.
    pub(crate) fn to_toml(&self, from: &str) -> String {
        let mut text = format!("# Made from {from} by `alveary import`.\n");
        if !self.left.is_empty() {
            text.push_str("#\n# Not as it was there:\n");
            for left in &self.left {
                // Writing into a text cannot fail.
                let _ = writeln!(text, "# - {left}");
            }
        }
        let mut fleet = Table::new();
        if let Some(swarm) = &self.swarm {
            fleet.insert("swarm".to_owned(), swarm.as_str().into());
        }
        fleet.insert("backend".to_owned(), self.backend.as_str().into());
        for (key, table) in [
            ("networks", &self.networks),
            ("volumes", &self.volumes),
            ("agents", &self.agents),
        ] {
            if !table.is_empty() {
                fleet.insert(key.to_owned(), Value::Table(table.clone()));
            }
        }
        text.push('\n');
        text.push_str(&fleet.to_string());
        text
    }
}

/// A name that a swarm or an agent may have, as near as can be to the one it had.
fn name(text: &str) -> String {
    if text.parse::<SwarmName>().is_ok() {
        return text.to_owned();
    }
    let mut name: String = text
        .chars()
        .map(|letter| match letter {
            'a'..='z' | 'A'..='Z' | '0'..='9' | '_' | '.' | '-' => letter,
            _ => '-',
        })
        .skip_while(|letter| !letter.is_ascii_alphanumeric())
        .take(64)
        .collect();
    if name.is_empty() {
        "swarm".clone_into(&mut name);
    }
    name
}

#[cfg(test)]
mod tests;
