//! Values that must not be seen.

use std::fmt;
use std::path::PathBuf;

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorKind, Operation, Result};

/// A value that is never printed, logged or serialised, and is overwritten when it is dropped.
///
/// ```
/// let secret = alveary_core::Secret::new("hunter2");
/// assert_eq!(format!("{secret:?}"), "Secret(***)");
/// assert_eq!(secret.expose(), "hunter2");
/// ```
#[derive(Clone)]
pub struct Secret(SecretString);

impl Secret {
    /// Takes a value into keeping.
    pub fn new(value: impl Into<String>) -> Self {
        Self(SecretString::from(value.into()))
    }

    /// The value itself: for the moment in which it is handed to the agent.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(***)")
    }
}

/// A secret of an agent: where its value comes from and how it is handed over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(try_from = "RawSecretSpec", into = "RawSecretSpec")]
#[non_exhaustive]
pub struct SecretSpec {
    /// Where the value comes from. It is read anew at each start of the agent.
    pub source: SecretSource,
    /// How it is handed over.
    pub delivery: SecretDelivery,
}

/// Where a secret's value comes from.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum SecretSource {
    /// A file's contents, without one line break at the end.
    File(PathBuf),
    /// A variable of the environment of the process that spawns.
    Env(String),
    /// The program gave it. It is kept in that program's memory alone: no other process can start the agent.
    Given(Secret),
    /// Another process gave it, and it is not known here.
    GivenElsewhere,
}

/// Equal sources read the same place. Two values that a program gave are compared by nobody.
impl PartialEq for SecretSource {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::File(a), Self::File(b)) => a == b,
            (Self::Env(a), Self::Env(b)) => a == b,
            (Self::Given(_) | Self::GivenElsewhere, Self::Given(_) | Self::GivenElsewhere) => true,
            _ => false,
        }
    }
}

impl Eq for SecretSource {}

/// How a secret is handed to the agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum SecretDelivery {
    /// As a file in memory that only the agent's user can read; the variable `KEY_FILE` holds its path.
    #[default]
    File,
    /// As the variable `KEY` itself, which every process of the agent's user can read.
    Env,
}

impl SecretSpec {
    /// A secret that stands in a file.
    pub fn file(path: impl Into<PathBuf>) -> Self {
        Self {
            source: SecretSource::File(path.into()),
            delivery: SecretDelivery::File,
        }
    }

    /// A secret that stands in the environment of the process that spawns.
    pub fn env(variable: impl Into<String>) -> Self {
        Self {
            source: SecretSource::Env(variable.into()),
            delivery: SecretDelivery::File,
        }
    }

    /// A secret that this program holds.
    pub fn given(secret: Secret) -> Self {
        Self {
            source: SecretSource::Given(secret),
            delivery: SecretDelivery::File,
        }
    }

    /// Hands it over as a variable instead of a file.
    #[must_use]
    pub fn as_env(mut self) -> Self {
        self.delivery = SecretDelivery::Env;
        self
    }

    /// Reads the value. `InvalidSpec`, without the value, where it cannot be read or cannot be handed over.
    pub fn read(&self, key: &str) -> Result<Secret> {
        let problem = |message: String, cure: &str| {
            Err(Error::new(ErrorKind::InvalidSpec, Operation::Spawn, message).with_cure(cure))
        };
        let secret = match &self.source {
            SecretSource::Given(secret) => secret.clone(),
            SecretSource::GivenElsewhere => {
                return problem(
                    format!(
                        "the secret `{key}` was given by another process, which alone holds it"
                    ),
                    "name a `file` or an `env` as its source, or start the agent from that process",
                );
            }
            SecretSource::Env(variable) => match std::env::var(variable) {
                Ok(value) => Secret::new(value),
                Err(_) => {
                    return problem(
                        format!(
                            "the secret `{key}` comes from the variable `{variable}`, which is not set or not UTF-8"
                        ),
                        "set it where alveary is started",
                    );
                }
            },
            SecretSource::File(path) => match std::fs::read_to_string(path) {
                Ok(text) => Secret::new(text.strip_suffix('\n').unwrap_or(&text)),
                Err(error) => {
                    return problem(
                        format!(
                            "the secret `{key}` cannot be read from {}: {error}",
                            path.display()
                        ),
                        "write the file, readable by you alone",
                    );
                }
            },
        };
        if secret.expose().contains('\0') && self.delivery == SecretDelivery::Env {
            return problem(
                format!("the secret `{key}` holds a NUL, which no environment can carry"),
                "hand it over as a file",
            );
        }
        Ok(secret)
    }
}

impl From<Secret> for SecretSpec {
    fn from(secret: Secret) -> Self {
        Self::given(secret)
    }
}

/// A secret as it stands in a file: never with its value.
#[derive(Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(extend("not" = { "required": ["file", "env"] })))]
#[serde(deny_unknown_fields)]
struct RawSecretSpec {
    /// The file that holds the value; one line break at its end does not count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    file: Option<PathBuf>,
    /// The variable that holds it, where alveary is started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    env: Option<String>,
    // What a program gave: nothing that a file can say.
    #[cfg_attr(feature = "schema", schemars(skip))]
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    given: bool,
    /// How the agent is given it.
    #[serde(default, rename = "as", skip_serializing_if = "super::is_default")]
    delivery: SecretDelivery,
}

impl TryFrom<RawSecretSpec> for SecretSpec {
    type Error = &'static str;

    fn try_from(raw: RawSecretSpec) -> Result<Self, &'static str> {
        let source = match (raw.file, raw.env, raw.given) {
            (Some(file), None, false) => SecretSource::File(file),
            (None, Some(variable), false) => SecretSource::Env(variable),
            (None, None, true) => SecretSource::GivenElsewhere,
            _ => return Err("a secret has either a `file` or an `env` as its source"),
        };
        Ok(Self {
            source,
            delivery: raw.delivery,
        })
    }
}

impl From<SecretSpec> for RawSecretSpec {
    fn from(spec: SecretSpec) -> Self {
        let mut raw = Self {
            file: None,
            env: None,
            given: false,
            delivery: spec.delivery,
        };
        match spec.source {
            SecretSource::File(path) => raw.file = Some(path),
            SecretSource::Env(variable) => raw.env = Some(variable),
            SecretSource::Given(_) | SecretSource::GivenElsewhere => raw.given = true,
        }
        raw
    }
}
