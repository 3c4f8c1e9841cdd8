//! The tables of a fleet file as they are written, before anything is looked up or checked.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use alveary_core::{
    ContainerSpec, Limits, NetworkSpec, Ready, Restart, SecretSpec, Stop, User, VolumeSpec,
};
use serde::Deserialize;
use serde::de::{Deserializer, Error, IgnoredAny, SeqAccess, Visitor};

use super::coordinator::CoordinatorTable;
use crate::layers::LayerOptions;

/// The top of the file. What is ignored here is read by itself.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct FileTable {
    pub(crate) swarm: Option<String>,
    pub(crate) backend: Option<String>,
    pub(crate) state_dir: Option<PathBuf>,
    pub(crate) calls: LayerOptions,
    pub(crate) networks: BTreeMap<String, NetworkSpec>,
    pub(crate) volumes: BTreeMap<String, VolumeSpec>,
    pub(crate) coordinator: Option<CoordinatorTable>,
    #[serde(rename = "backends")]
    _backends: IgnoredAny,
    #[serde(rename = "defaults")]
    _defaults: IgnoredAny,
    #[serde(rename = "agents")]
    _agents: IgnoredAny,
}

/// `[agents.NAME]`, with the defaults beneath it.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct AgentTable {
    pub(crate) count: Option<i64>,
    pub(crate) command: Command,
    pub(crate) env: BTreeMap<String, Text>,
    pub(crate) env_file: OneOrMany,
    pub(crate) inherit: Vec<String>,
    pub(crate) secrets: BTreeMap<String, SecretSpec>,
    pub(crate) cwd: Option<PathBuf>,
    pub(crate) capabilities: Vec<String>,
    pub(crate) limits: Limits,
    pub(crate) user: Option<User>,
    pub(crate) stop: Stop,
    pub(crate) ready: Option<Ready>,
    pub(crate) restart: Restart,
    pub(crate) after: OneOrMany,
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

fn all<'de, A: SeqAccess<'de>>(mut items: A) -> Result<Vec<String>, A::Error> {
    let mut all = Vec::new();
    while let Some(item) = items.next_element()? {
        all.push(item);
    }
    Ok(all)
}
