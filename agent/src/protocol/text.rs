//! What a task is about.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// The most bytes of a task's description, of a result, and of a reason.
pub const MAX_TEXT: usize = 256 * 1024;

/// What is to be done, in words that agents understand: any text but an empty one, of at most [`MAX_TEXT`] bytes.
/// Cloning is cheap.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(value_type = String, min_length = 1, max_length = 262_144))]
pub struct Description(Arc<str>);

impl Description {
    /// Takes a description as its author wrote it.
    pub fn new(text: impl AsRef<str>) -> Result<Self, InvalidDescription> {
        match text.as_ref() {
            "" => Err(InvalidDescription::Empty),
            text if text.len() > MAX_TEXT => Err(InvalidDescription::TooLong { len: text.len() }),
            text => Ok(Self(text.into())),
        }
    }

    /// The description as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Why a text cannot be a [`Description`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidDescription {
    /// There is nothing in it.
    #[error("the description is empty (say what is to be done)")]
    Empty,
    /// It is longer than [`MAX_TEXT`].
    #[error(
        "the description has {len} bytes, and {MAX_TEXT} is the most (put the matter in a file and name the file)"
    )]
    TooLong {
        /// How many bytes it has.
        len: usize,
    },
}

impl FromStr for Description {
    type Err = InvalidDescription;
    fn from_str(text: &str) -> Result<Self, InvalidDescription> {
        Self::new(text)
    }
}

impl TryFrom<String> for Description {
    type Error = InvalidDescription;
    fn try_from(text: String) -> Result<Self, InvalidDescription> {
        Self::new(text)
    }
}

impl From<Description> for String {
    fn from(description: Description) -> Self {
        description.as_str().to_owned()
    }
}

impl fmt::Display for Description {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for Description {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}
