//! What a swarm declares to be its own: networks and volumes. Not read by backends that have none.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The networks and volumes that a swarm's agents mean by their names.
///
/// An agent says `networks = ["net"]` and `mounts = ["data:/inside"]`. Where `net` or `data` is declared here it is
/// the swarm's own, made before the first agent that uses it. A name that is not declared is the engine's.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Declared {
    /// Networks, by the names that agents use.
    pub networks: BTreeMap<String, NetworkSpec>,
    /// Volumes, by the names that agents use.
    pub volumes: BTreeMap<String, VolumeSpec>,
}

impl Declared {
    /// These networks and these volumes.
    pub fn new(
        networks: BTreeMap<String, NetworkSpec>,
        volumes: BTreeMap<String, VolumeSpec>,
    ) -> Self {
        Self { networks, volumes }
    }
}

/// A network of the swarm's own, or one that is there without it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct NetworkSpec {
    /// What the engine calls it: the swarm's name, `_` and the name here unless said. Of an external one: the name
    /// here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Whether somebody else makes it and takes it away.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub external: bool,
    /// The engine's driver; its default one unless said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub driver: Option<String>,
    /// Whether nothing leads out of it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub internal: bool,
    /// Options of the driver.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub options: BTreeMap<String, String>,
}

/// A volume of the swarm's own, or one that is there without it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct VolumeSpec {
    /// What the engine calls it: the swarm's name, `_` and the name here unless said. Of an external one: the name
    /// here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Whether somebody else makes it and takes it away.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub external: bool,
    /// The engine's driver; its default one unless said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub driver: Option<String>,
    /// Options of the driver.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub options: BTreeMap<String, String>,
}
