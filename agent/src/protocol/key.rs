//! What makes saying the same thing again have no second effect.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Under a key, the same tasks are taken once, however often they are given: 1 to 255 visible characters of ASCII.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(
    value_type = String, min_length = 1, max_length = 255, pattern = "^[!-~]{1,255}$"
))]
pub struct IdempotencyKey(String);

impl IdempotencyKey {
    /// Takes a key as the caller gives it.
    pub fn new(key: impl AsRef<str>) -> Result<Self, InvalidKey> {
        let key = key.as_ref();
        let visible = key.bytes().all(|byte| byte.is_ascii_graphic());
        if key.is_empty() || key.len() > 255 || !visible {
            return Err(InvalidKey);
        }
        Ok(Self(key.to_owned()))
    }

    /// The key as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The text is no key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an idempotency key is 1 to 255 visible characters of ASCII (use a UUID)")]
pub struct InvalidKey;

impl TryFrom<String> for IdempotencyKey {
    type Error = InvalidKey;
    fn try_from(key: String) -> Result<Self, InvalidKey> {
        Self::new(key)
    }
}

impl From<IdempotencyKey> for String {
    fn from(key: IdempotencyKey) -> Self {
        key.0
    }
}

impl FromStr for IdempotencyKey {
    type Err = InvalidKey;
    fn from_str(key: &str) -> Result<Self, InvalidKey> {
        Self::new(key)
    }
}

impl fmt::Display for IdempotencyKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_visible_and_short() {
        assert!(IdempotencyKey::new("k".repeat(255)).is_ok());
        let long = "k".repeat(256);
        for bad in ["", &long, "a b", "ä", "a\n"] {
            assert_eq!(IdempotencyKey::new(bad), Err(InvalidKey), "{bad}");
        }
    }
}
