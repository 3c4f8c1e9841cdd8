//! What an agent can do, and what a task asks for.

use std::collections::BTreeSet;
use std::collections::btree_set;
use std::convert::Infallible;
use std::fmt;
use std::str::FromStr;

use alveary_core::{Escaped, is_unsafe};
use serde::{Deserialize, Serialize};

/// The most [`Capabilities`] that an agent has or a task asks for.
pub const MAX_CAPABILITIES: usize = 256;

/// One thing that an agent can do: 1 to 256 characters, none of them a comma, a control character, or one that hides or
/// reorders others; without white space at its ends.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(
    value_type = String,
    min_length = 1,
    max_length = 256,
    // White space around it is taken, and dropped.
    pattern = "^\\s*(?!\\s)[^,\\u0000-\\u001f\\u007f-\\u009f\\u200b-\\u200f\\u2028-\\u202e\\u2060-\\u2069\\ufeff\u{e0000}-\u{e007f}]+\\s*$"
))]
pub struct Capability(String);

impl Capability {
    /// Takes a capability as somebody wrote it, without the white space around it.
    pub fn new(text: impl AsRef<str>) -> Result<Self, InvalidCapability> {
        let text = text.as_ref().trim();
        let bad = |c: char| is_unsafe(c) || c == ',';
        if text.is_empty() || text.chars().count() > 256 || text.contains(bad) {
            return Err(InvalidCapability::Form(text.to_owned()));
        }
        Ok(Self(text.to_owned()))
    }

    /// The capability as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Why a text names no capability.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidCapability {
    /// It has not the form of one.
    #[error("`{}` cannot be a capability (use 1 to 256 characters without commas and control characters)", Escaped(.0))]
    Form(String),
    /// There are too many of them.
    #[error("there are {0} capabilities, and {MAX_CAPABILITIES} is the most (name fewer)")]
    TooMany(usize),
}

/// A [`Capability`] stands where a text that may be one is taken, and is always one.
impl From<Infallible> for InvalidCapability {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}

/// A set of capabilities, in order: a list in JSON, separated by commas as text.
///
/// ```
/// use alveary_agent::protocol::Capabilities;
///
/// let able: Capabilities = "summarise, translate".parse()?;
/// assert!(able.cover(&"translate".parse()?));
/// assert!(!able.cover(&"translate,sing".parse()?));
/// assert_eq!(able.to_string(), "summarise,translate");
/// # Ok::<(), alveary_agent::protocol::InvalidCapability>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(try_from = "Vec<Capability>", into = "Vec<Capability>")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(value_type = Vec<Capability>, max_items = 256))]
pub struct Capabilities(BTreeSet<Capability>);

impl Capabilities {
    /// Takes capabilities, each once.
    pub fn new(all: impl IntoIterator<Item = Capability>) -> Result<Self, InvalidCapability> {
        let set: BTreeSet<_> = all.into_iter().collect();
        if set.len() > MAX_CAPABILITIES {
            return Err(InvalidCapability::TooMany(set.len()));
        }
        Ok(Self(set))
    }

    /// Whether who has these can do what asks for `wanted`.
    pub fn cover(&self, wanted: &Self) -> bool {
        wanted.0.is_subset(&self.0)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Each of them, in order.
    pub fn iter(&self) -> btree_set::Iter<'_, Capability> {
        self.0.iter()
    }
}

impl<'a> IntoIterator for &'a Capabilities {
    type Item = &'a Capability;
    type IntoIter = btree_set::Iter<'a, Capability>;
    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl FromStr for Capabilities {
    type Err = InvalidCapability;
    fn from_str(text: &str) -> Result<Self, InvalidCapability> {
        let parts = text.split(',').filter(|part| !part.trim().is_empty());
        Self::new(parts.map(Capability::new).collect::<Result<Vec<_>, _>>()?)
    }
}

impl fmt::Display for Capabilities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all: Vec<_> = self.iter().map(Capability::as_str).collect();
        f.pad(&all.join(","))
    }
}

impl TryFrom<Vec<Capability>> for Capabilities {
    type Error = InvalidCapability;
    fn try_from(all: Vec<Capability>) -> Result<Self, InvalidCapability> {
        Self::new(all)
    }
}

impl From<Capabilities> for Vec<Capability> {
    fn from(all: Capabilities) -> Self {
        all.0.into_iter().collect()
    }
}

impl FromStr for Capability {
    type Err = InvalidCapability;
    fn from_str(text: &str) -> Result<Self, InvalidCapability> {
        Self::new(text)
    }
}

impl TryFrom<String> for Capability {
    type Error = InvalidCapability;
    fn try_from(text: String) -> Result<Self, InvalidCapability> {
        Self::new(text)
    }
}

impl TryFrom<&str> for Capability {
    type Error = InvalidCapability;
    fn try_from(text: &str) -> Result<Self, InvalidCapability> {
        Self::new(text)
    }
}

impl From<Capability> for String {
    fn from(capability: Capability) -> Self {
        capability.0
    }
}

impl fmt::Display for Capability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// The older routes' form: one text, separated by commas; absent and null are none.
pub(super) mod as_text {
    use serde::de::Error as _;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use super::Capabilities;

    pub(crate) fn serialize<S: Serializer>(all: &Capabilities, to: S) -> Result<S::Ok, S::Error> {
        all.to_string().serialize(to)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Capabilities, D::Error> {
        let text = Option::<String>::deserialize(from)?.unwrap_or_default();
        text.parse().map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blanks_and_repetitions_do_not_count() {
        let all: Capabilities = " b ,, a,b, ".parse().unwrap();
        assert_eq!(all.to_string(), "a,b");
        assert_eq!(serde_json::to_string(&all).unwrap(), r#"["a","b"]"#);
        assert!("".parse::<Capabilities>().unwrap().is_empty());
    }

    #[test]
    fn what_drives_a_terminal_is_no_capability() {
        assert!("a\u{1b}[31m".parse::<Capabilities>().is_err());
        assert!(serde_json::from_str::<Capabilities>(r#"["a,b"]"#).is_err());
        assert!(serde_json::from_str::<Capabilities>(r#"[""]"#).is_err());
    }
}
