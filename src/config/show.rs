//! A fleet as a file again: what results from defaults, short forms and everything said outside the file.

use serde::ser::{Error, Serialize, Serializer};
use toml::{Table, Value};

use super::agent::FleetAgent;
use super::error::ConfigError;
use super::fleet::Fleet;
use super::tree;
use crate::layers::LayerOptions;

impl Fleet {
    /// The fleet as a file that says the same: `[defaults]` merged in, paths whole, what was settled by
    /// variables and flags written out.
    ///
    /// Secrets stand in it by their sources alone, and so does what comes from an `env_file`.
    pub fn to_toml(&self) -> Result<String, ConfigError> {
        toml::to_string_pretty(self).map_err(|error| {
            ConfigError::new(format!("the fleet cannot be written out: {error}"))
                .with_cure("report this")
        })
    }

    fn table(&self) -> Result<Table, toml::ser::Error> {
        let mut top = Table::new();
        top.insert("swarm".to_owned(), self.swarm.as_str().into());
        top.insert("backend".to_owned(), self.backend.as_str().into());
        if let Some(dir) = &self.state_dir {
            top.insert("state_dir".to_owned(), Value::try_from(dir)?);
        }
        if self.calls != LayerOptions::default() {
            top.insert("calls".to_owned(), Value::try_from(&self.calls)?);
        }
        if self.backends.tables.iter().len() > 0 {
            top.insert("backends".to_owned(), table(&self.backends.tables));
        }
        if !self.declared.networks.is_empty() {
            top.insert(
                "networks".to_owned(),
                Value::try_from(&self.declared.networks)?,
            );
        }
        if !self.declared.volumes.is_empty() {
            top.insert(
                "volumes".to_owned(),
                Value::try_from(&self.declared.volumes)?,
            );
        }
        if let Some(coordinator) = &self.coordinator {
            top.insert("coordinator".to_owned(), Value::try_from(coordinator)?);
        }
        if let Some(metrics) = &self.metrics {
            top.insert("metrics".to_owned(), Value::try_from(metrics)?);
        }
        let agents = self
            .agents
            .iter()
            .map(|agent| Ok((agent.name.clone(), Value::Table(agent_table(agent)?))))
            .collect::<Result<Table, toml::ser::Error>>()?;
        top.insert("agents".to_owned(), Value::Table(agents));
        Ok(top)
    }
}

/// In the form of a fleet file, as [`Fleet::to_toml`] has it.
impl Serialize for Fleet {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let table = self.table().map_err(S::Error::custom)?;
        table.serialize(serializer)
    }
}

/// An agent as it would be written without defaults. What was left at its own default stays away.
fn agent_table(agent: &FleetAgent) -> Result<Table, toml::ser::Error> {
    let mut table = Table::new();
    if let Some(count) = agent.count {
        table.insert("count".to_owned(), count.into());
    }
    let spec = Table::try_from(&agent.template)?;
    table.extend(spec.into_iter().filter(|(key, _)| key != "name"));
    if let Some(bid) = &agent.bid {
        table.insert("bid".to_owned(), bid.as_str().into());
    }
    if !agent.env_file.is_empty() {
        table.insert("env_file".to_owned(), Value::try_from(&agent.env_file)?);
    }
    if !agent.after.is_empty() {
        table.insert("after".to_owned(), Value::try_from(&agent.after)?);
    }
    Ok(table)
}

fn table(table: &tree::Table) -> Value {
    let entries = table
        .iter()
        .map(|(key, node)| (key.text.clone(), value(node)));
    Value::Table(entries.collect())
}

fn value(node: &tree::Node) -> Value {
    match &node.value {
        tree::Value::Text(text) => text.as_str().into(),
        tree::Value::Whole(number) => (*number).into(),
        tree::Value::Point(number) => (*number).into(),
        tree::Value::Flag(flag) => (*flag).into(),
        tree::Value::Date(date) => (*date).into(),
        tree::Value::Array(items) => Value::Array(items.iter().map(value).collect()),
        tree::Value::Table(inner) => table(inner),
    }
}
