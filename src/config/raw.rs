//! The tables of a fleet file as they are written, before anything is looked up or checked.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use alveary_core::{
    Alive, ContainerSpec, Limits, NetworkSpec, Ready, Restart, SecretSpec, Stop, User, VolumeSpec,
};
use serde::Deserialize;
use serde::de::value::{MapAccessDeserializer, StrDeserializer};
use serde::de::{Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Unexpected, Visitor};

use super::coordinator::CoordinatorTable;
use super::metrics::MetricsTable;
#[cfg(feature = "schema")]
use super::schema as written;
use crate::layers::LayerOptions;

/// Which agents a swarm has, and what runs them.
// What is ignored here is read by itself. The documentation of these tables is what editors show.
#[derive(Deserialize, Default)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub(crate) struct FileTable {
    /// The swarm's name: what its state goes by. The name of the file's folder unless said.
    #[cfg_attr(feature = "schema", schemars(regex(pattern = alveary_core::schema::name_pattern())))]
    pub(crate) swarm: Option<String>,
    /// What runs the agents: a backend's word, or `auto`. `process` unless said.
    pub(crate) backend: Option<String>,
    /// The folder in which each swarm has a folder for its state. `$XDG_STATE_HOME/alveary` unless said.
    pub(crate) state_dir: Option<PathBuf>,
    /// How engines are called.
    pub(crate) calls: LayerOptions,
    /// Networks that are the swarm's own, by the names that agents use.
    pub(crate) networks: BTreeMap<String, NetworkSpec>,
    /// Volumes that are the swarm's own, by the names that agents use.
    pub(crate) volumes: BTreeMap<String, VolumeSpec>,
    /// The coordinator of the swarm's tasks; the swarm has none without this table.
    pub(crate) coordinator: Option<CoordinatorTable>,
    /// Where numbers about the swarm are served; nowhere without this table.
    pub(crate) metrics: Option<MetricsTable>,
    /// The settings of backends, by their words.
    #[serde(rename = "backends")]
    #[cfg_attr(feature = "schema", schemars(schema_with = "written::anything"))]
    _backends: IgnoredAny,
    /// Any key of an agent, beneath each agent.
    #[serde(rename = "defaults")]
    #[cfg_attr(feature = "schema", schemars(schema_with = "written::anything"))]
    _defaults: IgnoredAny,
    /// The agents, by their names; they are started, and listed, in the order of the file.
    #[serde(rename = "agents")]
    #[cfg_attr(feature = "schema", schemars(schema_with = "written::anything"))]
    _agents: IgnoredAny,
}

/// An agent, or several of one kind.
// `[agents.NAME]`, with the defaults beneath it.
#[derive(Deserialize, Default)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub(crate) struct AgentTable {
    /// How many there are, called `NAME-1`, `NAME-2` and so on. One, called `NAME`, unless said.
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = super::MAX_COUNT)))]
    pub(crate) count: Option<i64>,
    /// The program and its arguments. The image's own unless said, in a container.
    pub(crate) command: Command,
    /// Variables of its environment, which is clean otherwise.
    pub(crate) env: BTreeMap<String, Text>,
    /// Files of variables, `KEY=VALUE` a line, each over those before it and all beneath `env`.
    pub(crate) env_file: EnvFiles,
    /// Variables that are handed on from the caller's environment, besides `PATH`, `HOME`, `LANG` and `TZ`.
    pub(crate) inherit: Vec<String>,
    /// Secrets, by the name of the variable that leads to them.
    pub(crate) secrets: BTreeMap<String, SecretSpec>,
    /// The working directory. The file's folder unless said; in a container the image's own.
    pub(crate) cwd: Option<PathBuf>,
    /// What it says it can do.
    pub(crate) capabilities: Vec<String>,
    /// What it asks for a task, in sats, where it is an `alveary agent`: an amount, a range such as `"10-100"`, or a
    /// program that prints one.
    pub(crate) bid: Option<Bid>,
    /// What it may use up.
    pub(crate) limits: Limits,
    /// As whom it runs: numbers, `UID` or `UID:GID`. As the caller unless said.
    pub(crate) user: Option<User>,
    /// How it is asked to end.
    pub(crate) stop: Stop,
    /// By what one sees that it is up. By its running unless said.
    pub(crate) ready: Option<Ready>,
    /// By what one sees that it still answers. It is ended where it does not, and its `restart` is to start it again.
    pub(crate) alive: Option<Alive>,
    /// Whether it is started again when it ends. Never unless said.
    #[cfg_attr(feature = "schema", schemars(schema_with = "written::restart"))]
    pub(crate) restart: Restart,
    /// The names of those that must be ready before it starts, and that stop after it.
    pub(crate) after: OneOrMany,
    /// How it is put into a container, where the backend is a container engine.
    pub(crate) container: ContainerSpec,
}

/// A program and its arguments. One string is refused with the cure: nobody here splits words.
#[derive(Default)]
pub(crate) struct Command(pub(crate) Vec<String>);

impl<'de> Deserialize<'de> for Command {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Words;
        impl<'de> Visitor<'de> for Words {
            type Value = Command;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an array of strings")
            }

            fn visit_str<E: Error>(self, _: &str) -> Result<Command, E> {
                Err(E::custom(
                    "a command is an array, because nothing here splits words or expands variables: \
                     write [\"program\", \"argument\"], or [\"sh\", \"-c\", \"…\"] where a shell is wanted",
                ))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> Result<Command, A::Error> {
                all(items).map(Command)
            }
        }
        deserializer.deserialize_any(Words)
    }
}

/// The value of a variable. A number is refused with the cure: `1_000` and `0x10` have no one spelling.
pub(crate) struct Text(pub(crate) String);

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Quoted;
        impl Visitor<'_> for Quoted {
            type Value = Text;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string, in quotes")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Text, E> {
                Ok(Text(text.to_owned()))
            }
        }
        deserializer.deserialize_any(Quoted)
    }
}

/// A price, or how it is found: a number, or a text that is the agent's own to read.
pub(crate) struct Bid(pub(crate) String);

impl<'de> Deserialize<'de> for Bid {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Price;
        impl Visitor<'_> for Price {
            type Value = Bid;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an amount of sats, or a string: a range such as \"10-100\", or a program that prints one")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Bid, E> {
                match text.trim() {
                    "" => Err(E::invalid_value(Unexpected::Str(text), &self)),
                    text => Ok(Bid(text.to_owned())),
                }
            }

            fn visit_i64<E: Error>(self, amount: i64) -> Result<Bid, E> {
                match amount {
                    ..0 => Err(E::invalid_value(Unexpected::Signed(amount), &self)),
                    _ => Ok(Bid(amount.to_string())),
                }
            }
        }
        deserializer.deserialize_any(Price)
    }
}

/// A list that may be written without its brackets where it has one element.
#[derive(Default)]
pub(crate) struct OneOrMany(pub(crate) Vec<String>);

impl<'de> Deserialize<'de> for OneOrMany {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = OneOrMany;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string or an array of strings")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<OneOrMany, E> {
                Ok(OneOrMany(vec![text.to_owned()]))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> Result<OneOrMany, A::Error> {
                all(items).map(OneOrMany)
            }
        }
        deserializer.deserialize_any(Either)
    }
}

/// Files of variables: one, or several. Each is a path, or a table that says whether it has to be there.
#[derive(Default)]
pub(crate) struct EnvFiles(pub(crate) Vec<EnvFile>);

/// A file of variables.
#[derive(Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(crate) struct EnvFile {
    /// Where it is.
    pub(crate) path: String,
    /// Whether it has to be there: one that is not says nothing otherwise. Yes unless said.
    #[serde(default = "yes")]
    pub(crate) required: bool,
}

fn yes() -> bool {
    true
}

/// A path, or its table.
struct EnvFileOrPath(EnvFile);

impl<'de> Deserialize<'de> for EnvFileOrPath {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = EnvFileOrPath;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a path in quotes, or { path = \"PATH\", required = false }")
            }

            fn visit_str<E: Error>(self, path: &str) -> Result<EnvFileOrPath, E> {
                Ok(EnvFileOrPath(EnvFile {
                    path: path.to_owned(),
                    required: true,
                }))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<EnvFileOrPath, A::Error> {
                EnvFile::deserialize(MapAccessDeserializer::new(map)).map(EnvFileOrPath)
            }
        }
        deserializer.deserialize_any(Either)
    }
}

impl<'de> Deserialize<'de> for EnvFiles {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = EnvFiles;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a path in quotes, or an array of them")
            }

            fn visit_str<E: Error>(self, path: &str) -> Result<EnvFiles, E> {
                let file = EnvFileOrPath::deserialize(StrDeserializer::new(path))?;
                Ok(EnvFiles(vec![file.0]))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<EnvFiles, A::Error> {
                let file = EnvFileOrPath::deserialize(MapAccessDeserializer::new(map))?;
                Ok(EnvFiles(vec![file.0]))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<EnvFiles, A::Error> {
                let mut files = Vec::new();
                while let Some(EnvFileOrPath(file)) = items.next_element()? {
                    files.push(file);
                }
                Ok(EnvFiles(files))
            }
        }
        deserializer.deserialize_any(Either)
    }
}

fn all<'de, A: SeqAccess<'de>>(mut items: A) -> Result<Vec<String>, A::Error> {
    let mut all = Vec::new();
    while let Some(item) = items.next_element()? {
        all.push(item);
    }
    Ok(all)
}
