//! What a bid asks.

use std::fmt;
use std::num::NonZeroU64;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// What an agent asks for a task, in sats: at least one, at most 2⁵³ − 1, which is the most that every reader of
/// JSON keeps exactly.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u64", into = "u64")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(value_type = u64, minimum = 1, maximum = 9_007_199_254_740_991_u64))]
pub struct Sats(NonZeroU64);

impl Sats {
    /// The least that can be bid.
    pub const MIN: Self = Self(NonZeroU64::MIN);
    /// The most that can be bid.
    pub const MAX: u64 = (1 << 53) - 1;

    /// Takes an amount.
    pub const fn new(amount: u64) -> Result<Self, InvalidSats> {
        match NonZeroU64::new(amount) {
            Some(some) if amount <= Self::MAX => Ok(Self(some)),
            _ => Err(InvalidSats),
        }
    }

    /// The amount.
    pub const fn get(self) -> u64 {
        self.0.get()
    }
}

/// The amount is none that can be bid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a bid is a whole number of sats from 1 to {}", Sats::MAX)]
pub struct InvalidSats;

impl TryFrom<u64> for Sats {
    type Error = InvalidSats;
    fn try_from(amount: u64) -> Result<Self, InvalidSats> {
        Self::new(amount)
    }
}

impl From<Sats> for u64 {
    fn from(sats: Sats) -> Self {
        sats.get()
    }
}

impl FromStr for Sats {
    type Err = InvalidSats;
    fn from_str(text: &str) -> Result<Self, InvalidSats> {
        text.parse().map_err(|_| InvalidSats).and_then(Self::new)
    }
}

impl fmt::Display for Sats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Debug for Sats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sats({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_positive_amounts_can_be_bid() {
        for good in ["1", "9007199254740991"] {
            assert!(serde_json::from_str::<Sats>(good).is_ok(), "{good}");
        }
        for bad in [
            "0",
            "-1",
            "1.5",
            "\"10\"",
            "9007199254740992",
            "1e300",
            "null",
        ] {
            assert!(serde_json::from_str::<Sats>(bad).is_err(), "{bad}");
        }
    }
}
