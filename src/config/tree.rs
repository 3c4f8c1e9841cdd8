//! A TOML document of which every key and value knows where it stands.

use std::fmt;

use toml::de::{DeTable, DeValue};
use toml::value::Datetime;

use super::fault::{Fault, Problem};
use super::source::Span;

/// A value and its place.
#[derive(Clone)]
pub(crate) struct Node {
    pub(crate) value: Value,
    pub(crate) span: Span,
}

#[derive(Clone)]
pub(crate) enum Value {
    Text(String),
    Whole(i64),
    Point(f64),
    Flag(bool),
    /// No key of ours wants one.
    Date(Datetime),
    Array(Vec<Node>),
    Table(Table),
}

/// A key and its place.
#[derive(Clone)]
pub(crate) struct Key {
    pub(crate) text: String,
    pub(crate) span: Span,
}

/// A table in the order of the file.
#[derive(Clone, Default)]
pub(crate) struct Table {
    entries: Vec<(Key, Node)>,
}

/// Nothing of what it holds: values of variables are in it.
impl fmt::Debug for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Table")
    }
}

impl Table {
    pub(crate) fn parse(text: &str) -> Result<Self, Fault> {
        let root = DeTable::parse(text).map_err(|error| {
            let message = error.message().replace('\n', ", ");
            let fault = Fault::new(Problem::NotToml(message));
            fault.at(error.span().unwrap_or(0..0))
        })?;
        Self::of(root.get_ref())
    }

    fn of(table: &DeTable<'_>) -> Result<Self, Fault> {
        let entries = table.iter().map(|(key, value)| {
            let key = Key {
                text: key.get_ref().to_string(),
                span: key.span(),
            };
            let node =
                Node::of(value.get_ref(), value.span()).map_err(|fault| fault.within(&key.text))?;
            Ok((key, node))
        });
        Ok(Self {
            entries: entries.collect::<Result<_, _>>()?,
        })
    }

    pub(crate) fn iter(&self) -> std::slice::Iter<'_, (Key, Node)> {
        self.entries.iter()
    }

    pub(crate) fn entry(&self, key: &str) -> Option<&(Key, Node)> {
        self.iter().find(|(known, _)| known.text == key)
    }

    pub(crate) fn get(&self, key: &str) -> Option<&Node> {
        self.entry(key).map(|(_, node)| node)
    }

    pub(crate) fn get_mut(&mut self, key: &str) -> Option<&mut Node> {
        let mut entries = self.entries.iter_mut();
        entries
            .find(|(known, _)| known.text == key)
            .map(|(_, node)| node)
    }

    pub(crate) fn table(&self, key: &str) -> Option<&Self> {
        self.get(key)?.table()
    }

    pub(crate) fn table_mut(&mut self, key: &str) -> Option<&mut Self> {
        match &mut self.get_mut(key)?.value {
            Value::Table(table) => Some(table),
            _ => None,
        }
    }

    pub(crate) fn remove(&mut self, key: &str) -> Option<Node> {
        let at = self.iter().position(|(known, _)| known.text == key)?;
        Some(self.entries.remove(at).1)
    }

    /// The key must not be there.
    pub(crate) fn push(&mut self, key: Key, node: Node) {
        self.entries.push((key, node));
    }
}

impl Node {
    fn of(value: &DeValue<'_>, span: Span) -> Result<Self, Fault> {
        let value = match value {
            DeValue::String(text) => Value::Text(text.to_string()),
            DeValue::Integer(digits) => {
                let number = i64::from_str_radix(digits.as_str(), digits.radix());
                Value::Whole(number.map_err(|_| too_large(&span))?)
            }
            DeValue::Float(digits) => {
                Value::Point(digits.as_str().parse().map_err(|_| too_large(&span))?)
            }
            DeValue::Boolean(flag) => Value::Flag(*flag),
            DeValue::Datetime(date) => Value::Date(*date),
            DeValue::Array(items) => {
                let items = items
                    .iter()
                    .map(|item| Self::of(item.get_ref(), item.span()));
                Value::Array(items.collect::<Result<_, _>>()?)
            }
            DeValue::Table(table) => Value::Table(Table::of(table)?),
        };
        Ok(Self { value, span })
    }

    pub(crate) fn table(&self) -> Option<&Table> {
        match &self.value {
            Value::Table(table) => Some(table),
            _ => None,
        }
    }
}

fn too_large(span: &Span) -> Fault {
    Fault::new(Problem::Other("the number is too large".to_owned())).at(span.clone())
}
