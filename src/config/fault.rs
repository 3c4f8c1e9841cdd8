//! What is wrong with a table, before it is known which file it came from.

use std::fmt;

use alveary_core::Escaped;

use super::error::ConfigError;
use super::near::{called_here, did_you_mean, list};
use super::source::{Source, Span};

/// A key or a value that cannot be used.
#[derive(Debug)]
pub(crate) struct Fault {
    problem: Problem,
    span: Option<Span>,
    /// The keys that lead to it, the innermost first.
    path: Vec<String>,
}

#[derive(Debug)]
pub(crate) enum Problem {
    UnknownKey {
        key: String,
        known: &'static [&'static str],
    },
    UnknownWord {
        word: String,
        known: &'static [&'static str],
    },
    Missing {
        key: &'static str,
    },
    Expected {
        expected: String,
        found: String,
    },
    NotToml(String),
    Other(String),
}

/// Only as serde wants it; people get [`Fault::explain`].
impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.problem)
    }
}

impl std::error::Error for Fault {}

impl Fault {
    pub(crate) fn new(problem: Problem) -> Self {
        Self {
            problem,
            span: None,
            path: Vec::new(),
        }
    }

    /// Says where. The innermost place is the one that counts.
    pub(crate) fn at(mut self, span: Span) -> Self {
        self.span.get_or_insert(span);
        self
    }

    /// Says under which key.
    pub(crate) fn within(mut self, key: &str) -> Self {
        self.path.push(key.to_owned());
        self
    }

    pub(crate) fn span(&self) -> Option<&Span> {
        self.span.as_ref()
    }

    /// The sentence for people. `table` names the table that was read: `agents.echo`.
    pub(crate) fn explain(mut self, source: &Source, table: &str) -> ConfigError {
        if !table.is_empty() {
            self.path.push(table.to_owned());
        }
        self.path.reverse();
        let path = Escaped(&self.path.join(".")).to_string();
        let place = if path.is_empty() {
            "at the top of the file".to_owned()
        } else {
            format!("in `{path}`")
        };
        let error = match self.problem {
            Problem::UnknownKey { key, known } => {
                let cure = called_here(&key, known)
                    .or_else(|| did_you_mean(&key, known.iter().copied()))
                    .unwrap_or_else(|| known_keys(known));
                ConfigError::new(format!("there is no key `{key}` {place}"))
                    .with_cure(cure)
                    .label("no such key")
            }
            Problem::UnknownWord { word, known } => {
                let cure = did_you_mean(&word, known.iter().copied())
                    .unwrap_or_else(|| format!("use one of {}", list(known.iter().copied())));
                ConfigError::new(format!("`{path}` cannot be `{}`", Escaped(&word))).with_cure(cure)
            }
            Problem::Missing { key } => {
                ConfigError::new(format!("the key `{key}` is missing {place}")).with_cure("add it")
            }
            Problem::Expected { expected, found } => {
                ConfigError::new(format!("`{path}` wants {expected}, and has {found}"))
                    .label("not this")
            }
            Problem::NotToml(message) => {
                ConfigError::new(format!("this is not TOML: {message}")).with_cure("mend this line")
            }
            Problem::Other(message) if path.is_empty() => ConfigError::new(message),
            Problem::Other(message) => ConfigError::new(format!("`{path}`: {message}")),
        };
        match &self.span {
            Some(span) => error.at(source, span),
            None => error,
        }
    }
}

fn known_keys(known: &[&str]) -> String {
    if known.is_empty() {
        "take it out".to_owned()
    } else {
        format!("the keys there are {}", list(known.iter().copied()))
    }
}
