//! A YAML document as it stands: in its order, and with its scalars as they were meant.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};

/// Anything that stands in a document.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Yaml {
    Null,
    Bool(bool),
    Integer(i64),
    Float(f64),
    Text(String),
    List(Vec<Yaml>),
    Map(Vec<(String, Yaml)>),
}

impl Yaml {
    /// A scalar as the text that it stands for.
    pub(super) fn text(&self) -> Option<String> {
        match self {
            Self::Text(text) => Some(text.clone()),
            Self::Bool(value) => Some(value.to_string()),
            Self::Integer(value) => Some(value.to_string()),
            Self::Float(value) => Some(value.to_string()),
            Self::Null | Self::List(_) | Self::Map(_) => None,
        }
    }

    pub(super) fn map(&self) -> Option<&[(String, Self)]> {
        match self {
            Self::Map(entries) => Some(entries),
            _ => None,
        }
    }

    pub(super) fn list(&self) -> Option<&[Self]> {
        match self {
            Self::List(items) => Some(items),
            _ => None,
        }
    }

    pub(super) fn get(&self, key: &str) -> Option<&Self> {
        let entries = self.map()?;
        let found = entries.iter().find(|(name, _)| name == key);
        found
            .map(|(_, value)| value)
            .filter(|value| **value != Self::Null)
    }

    pub(super) fn is_true(&self) -> bool {
        *self == Self::Bool(true)
    }

    /// A scalar, or a list of them.
    pub(super) fn texts(&self) -> Option<Vec<String>> {
        match self {
            Self::List(items) => items.iter().map(Self::text).collect(),
            scalar => scalar.text().map(|text| vec![text]),
        }
    }
}

impl<'de> Deserialize<'de> for Yaml {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = Yaml;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a scalar, a list or a mapping")
            }

            fn visit_unit<E: Error>(self) -> Result<Yaml, E> {
                Ok(Yaml::Null)
            }

            fn visit_none<E: Error>(self) -> Result<Yaml, E> {
                Ok(Yaml::Null)
            }

            fn visit_some<D: Deserializer<'de>>(self, inner: D) -> Result<Yaml, D::Error> {
                inner.deserialize_any(self)
            }

            fn visit_bool<E: Error>(self, value: bool) -> Result<Yaml, E> {
                Ok(Yaml::Bool(value))
            }

            fn visit_i64<E: Error>(self, value: i64) -> Result<Yaml, E> {
                Ok(Yaml::Integer(value))
            }

            fn visit_u64<E: Error>(self, value: u64) -> Result<Yaml, E> {
                // What is larger is no count of anything here.
                Ok(i64::try_from(value)
                    .map_or_else(|_| Yaml::Text(value.to_string()), Yaml::Integer))
            }

            fn visit_f64<E: Error>(self, value: f64) -> Result<Yaml, E> {
                Ok(Yaml::Float(value))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Yaml, E> {
                Ok(Yaml::Text(text.to_owned()))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Yaml, A::Error> {
                let mut list = Vec::new();
                while let Some(item) = items.next_element()? {
                    list.push(item);
                }
                Ok(Yaml::List(list))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Yaml, A::Error> {
                let mut map = Vec::new();
                while let Some((key, value)) = entries.next_entry::<Yaml, Yaml>()? {
                    let key = key
                        .text()
                        .ok_or_else(|| A::Error::custom("a key is no text"))?;
                    map.push((key, value));
                }
                Ok(Yaml::Map(map))
            }
        }
        deserializer.deserialize_any(Any)
    }
}
