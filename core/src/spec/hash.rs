//! One number for a whole spec.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::AgentSpec;

/// What [`AgentSpec::hash`](super::AgentSpec::hash) gives: 128 bits, printed as 32 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SpecHash(u128);

impl fmt::Display for SpecHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Debug for SpecHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SpecHash({self})")
    }
}

impl FromStr for SpecHash {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        u128::from_str_radix(text, 16).map(Self)
    }
}

impl TryFrom<String> for SpecHash {
    type Error = std::num::ParseIntError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<SpecHash> for String {
    fn from(hash: SpecHash) -> Self {
        hash.to_string()
    }
}

/// What is serialised is what counts: defaults are skipped there, secrets' values never reach it.
pub(super) fn of(spec: &AgentSpec) -> SpecHash {
    let value = serde_json::to_value(spec).unwrap_or_default();
    let mut canonical = String::with_capacity(512);
    write_sorted(&value, &mut canonical);
    let digest = Sha256::digest(canonical.as_bytes());
    let mut half = [0; 16];
    half.copy_from_slice(&digest[..16]);
    SpecHash(u128::from_be_bytes(half))
}

/// JSON with the keys of every object in order, whatever order `serde_json` was built to keep.
fn write_sorted(value: &Value, out: &mut String) {
    match value {
        Value::Object(map) => {
            let mut entries: Vec<_> = map.iter().collect();
            entries.sort_unstable_by_key(|(key, _)| key.as_str());
            out.push('{');
            for (key, value) in entries {
                out.push_str(&Value::from(key.as_str()).to_string());
                out.push(':');
                write_sorted(value, out);
                out.push(',');
            }
            out.push('}');
        }
        Value::Array(items) => {
            out.push('[');
            for item in items {
                write_sorted(item, out);
                out.push(',');
            }
            out.push(']');
        }
        leaf => out.push_str(&leaf.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Restart, Secret, SecretSpec};

    #[test]
    fn the_hash_of_a_spec_is_the_same_in_every_version() {
        let spec = AgentSpec::new("echo", ["sh", "-c", "true"])
            .env("B", "2")
            .env("A", "1")
            .capability("translate")
            .restart(Restart::always());
        assert_eq!(spec.hash().to_string(), "c65a745a0afca55fe02975d0ee6ae8cd");
    }

    #[test]
    fn what_was_left_at_its_default_does_not_count() {
        let plain = AgentSpec::new("echo", ["true"]);
        let spelt_out = plain
            .clone()
            .restart(Restart::never())
            .grace(crate::Stop::default().grace);
        let by_engine = plain.clone().restart(Restart::never().by_engine());
        assert_ne!(plain.hash(), by_engine.hash());
        assert_eq!(plain.hash(), spelt_out.hash());
        assert_ne!(plain.hash(), plain.clone().env("A", "1").hash());
    }

    #[test]
    fn a_secrets_value_does_not_count() {
        let spec = |value: &str| {
            AgentSpec::new("echo", ["true"]).secret("KEY", SecretSpec::given(Secret::new(value)))
        };
        assert_eq!(spec("one").hash(), spec("two").hash());
        assert_ne!(spec("one").hash(), AgentSpec::new("echo", ["true"]).hash());
    }
}
