//! Who is meant: the swarm, the agent, and the one start of it.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::text::Escaped;

/// The longest [`AgentId`], in bytes.
pub const MAX_ID_LEN: usize = 64;

/// An agent's identity inside its swarm.
///
/// A random UUID v4 unless the caller gives one; a given one matches
/// `[A-Za-z0-9][A-Za-z0-9_.-]{0,63}`, so that it can stand in a path, a container's name and a URL
/// without being escaped. Cloning is cheap.
///
/// ```
/// use alveary_core::AgentId;
///
/// let given: AgentId = "persona-echo".parse()?;
/// assert_eq!(given.as_str(), "persona-echo");
/// assert!("../x".parse::<AgentId>().is_err());
/// assert_ne!(AgentId::random(), AgentId::random());
/// # Ok::<(), alveary_core::InvalidId>(())
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AgentId(Arc<str>);

impl AgentId {
    /// A new random identity (UUID v4).
    pub fn random() -> Self {
        Self(Uuid::new_v4().hyphenated().to_string().into())
    }

    /// Takes an identity as the caller gives it.
    pub fn new(id: impl AsRef<str>) -> Result<Self, InvalidId> {
        let id = id.as_ref();
        check_id(id)?;
        Ok(Self(id.into()))
    }

    /// The identity as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Why a text cannot be an [`AgentId`] or a [`SwarmName`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidId {
    /// There is nothing in it.
    #[error("it is empty")]
    Empty,
    /// It has more than 64 bytes.
    #[error("it has {len} bytes, and {MAX_ID_LEN} is the most")]
    TooLong {
        /// How many bytes it has.
        len: usize,
    },
    /// It has a character that an identity may not have.
    #[error("`{}` may not stand in it (the letters a–z and A–Z, digits, `_`, `.` and `-` may, the first a letter or a digit)", Escaped(.0.encode_utf8(&mut [0; 4])))]
    BadCharacter(char),
}

fn check_id(id: &str) -> Result<(), InvalidId> {
    let first = id.chars().next().ok_or(InvalidId::Empty)?;
    if !first.is_ascii_alphanumeric() {
        return Err(InvalidId::BadCharacter(first));
    }
    let allowed = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
    if let Some(bad) = id.chars().find(|c| !allowed(c)) {
        return Err(InvalidId::BadCharacter(bad));
    }
    if id.len() > MAX_ID_LEN {
        return Err(InvalidId::TooLong { len: id.len() });
    }
    Ok(())
}

/// A swarm's name: what a person calls it, and what its state folder is called.
///
/// It has the form of an [`AgentId`]. Two hosts may each have a swarm of one name, which is why engines
/// are shown the [`SwarmUid`] instead.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SwarmName(Arc<str>);

impl SwarmName {
    /// Takes a name as the user wrote it.
    pub fn new(name: impl AsRef<str>) -> Result<Self, InvalidId> {
        let name = name.as_ref();
        check_id(name)?;
        Ok(Self(name.into()))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Which swarm an agent belongs to: random, made once for a swarm, and never reused.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SwarmUid(Uuid);

impl SwarmUid {
    /// A new swarm's uid.
    pub fn random() -> Self {
        Self(Uuid::new_v4())
    }
}

/// One start of an agent.
///
/// Opaque: it is compared, never computed with. [`Incarnation::random`] draws one from 122 bits, so that
/// no two starts share one, whoever drew them.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Incarnation(Uuid);

impl Incarnation {
    /// The name of a new start.
    pub fn random() -> Self {
        Self(Uuid::new_v4())
    }
}

/// Which engine runs the agents: the word that picks it in a config file.
///
/// A wrapper forwards that of the backend inside it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct BackendKind(Cow<'static, str>);

impl BackendKind {
    /// Names a kind of backend.
    pub const fn new(name: &'static str) -> Self {
        Self(Cow::Borrowed(name))
    }

    /// The word as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<String> for BackendKind {
    fn from(name: String) -> Self {
        Self(Cow::Owned(name))
    }
}

macro_rules! text_traits {
    ($($type:ident),*) => {$(
        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.as_str())
            }
        }
        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({})", stringify!($type), self.as_str())
            }
        }
        impl AsRef<str> for $type {
            fn as_ref(&self) -> &str {
                self.as_str()
            }
        }
    )*};
}
text_traits!(AgentId, SwarmName, BackendKind);

macro_rules! checked_text_traits {
    ($($type:ident),*) => {$(
        impl FromStr for $type {
            type Err = InvalidId;
            fn from_str(text: &str) -> Result<Self, InvalidId> {
                Self::new(text)
            }
        }
        impl TryFrom<String> for $type {
            type Error = InvalidId;
            fn try_from(text: String) -> Result<Self, InvalidId> {
                Self::new(text)
            }
        }
        impl From<$type> for String {
            fn from(id: $type) -> String {
                id.as_str().to_owned()
            }
        }
    )*};
}
checked_text_traits!(AgentId, SwarmName);

macro_rules! uuid_traits {
    ($($type:ident),*) => {$(
        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0.simple(), f)
            }
        }
        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({self})", stringify!($type))
            }
        }
        impl FromStr for $type {
            type Err = InvalidUid;
            fn from_str(text: &str) -> Result<Self, InvalidUid> {
                Uuid::try_parse(text).map(Self).map_err(|_| InvalidUid)
            }
        }
        impl TryFrom<String> for $type {
            type Error = InvalidUid;
            fn try_from(text: String) -> Result<Self, InvalidUid> {
                text.parse()
            }
        }
        impl From<$type> for String {
            fn from(uid: $type) -> String {
                uid.to_string()
            }
        }
    )*};
}
uuid_traits!(SwarmUid, Incarnation);

/// The text is not 32 hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it is not 32 hexadecimal digits")]
pub struct InvalidUid;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_takes_what_the_original_system_used() {
        for id in [
            "a1",
            "timmy",
            "persona-echo",
            "0b9f0a3e-65d4-4d1e-9d0b-000000000000",
        ] {
            assert_eq!(AgentId::new(id).unwrap().as_str(), id);
        }
    }

    #[test]
    fn an_id_refuses_what_could_mean_something_else_to_an_engine() {
        for (id, why) in [
            ("", InvalidId::Empty),
            ("-rm", InvalidId::BadCharacter('-')),
            ("../images/json", InvalidId::BadCharacter('.')),
            ("x?force=true", InvalidId::BadCharacter('?')),
            ("a/b", InvalidId::BadCharacter('/')),
            ("a\u{202e}b", InvalidId::BadCharacter('\u{202e}')),
        ] {
            assert_eq!(AgentId::new(id).unwrap_err(), why, "{id:?}");
        }
        assert_eq!(
            AgentId::new("a".repeat(65)).unwrap_err(),
            InvalidId::TooLong { len: 65 }
        );
        assert!(AgentId::new("a".repeat(64)).is_ok());
    }

    #[test]
    fn uids_are_read_back_from_what_they_print() {
        let uid = SwarmUid::random();
        assert_eq!(uid.to_string().parse::<SwarmUid>().unwrap(), uid);
        assert_eq!(uid.to_string().len(), 32);
    }
}
