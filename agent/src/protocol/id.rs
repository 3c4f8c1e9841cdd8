//! Which task, which attempt at it, which event.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A task's identity: a UUID, drawn by the coordinator.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(value_type = String, format = Uuid))]
pub struct TaskId(Uuid);

/// What proves that a report is of the attempt that holds the task, and not of one that another took the place of.
///
/// Drawn at random (UUID v4) for each attempt and told to its agent alone. `Debug` shows its first digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(value_type = String, format = Uuid))]
pub struct AttemptToken(Uuid);

/// The place of an event in the coordinator's book. Later events have greater ones.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(value_type = u64, format = "uint64", minimum = 0, maximum = 18_446_744_073_709_551_615_u64))]
pub struct EventId(pub u64);

/// The text is not a UUID.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it is not a UUID")]
pub struct InvalidUuid;

macro_rules! uuid_traits {
    ($($type:ident),*) => {$(
        impl $type {
            /// A new one, at random.
            pub fn random() -> Self {
                Self(Uuid::new_v4())
            }
        }
        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0.hyphenated(), f)
            }
        }
        impl FromStr for $type {
            type Err = InvalidUuid;
            fn from_str(text: &str) -> Result<Self, InvalidUuid> {
                Uuid::try_parse(text).map(Self).map_err(|_| InvalidUuid)
            }
        }
    )*};
}
uuid_traits!(TaskId, AttemptToken);

impl fmt::Debug for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TaskId({self})")
    }
}

impl fmt::Debug for AttemptToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AttemptToken({:08x}…)", self.0.as_fields().0)
    }
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl FromStr for EventId {
    type Err = std::num::ParseIntError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_read_back_from_what_they_print() {
        let task = TaskId::random();
        assert_eq!(task.to_string().parse(), Ok(task));
        assert_eq!(serde_json::to_string(&task).unwrap(), format!("\"{task}\""));
        assert_eq!("nonsense".parse::<TaskId>(), Err(InvalidUuid));
    }

    #[test]
    fn a_token_is_not_told_whole_by_debug() {
        let token = AttemptToken::random();
        let shown = format!("{token:?}");
        assert!(!shown.contains(&token.to_string()[9..]), "{shown}");
    }
}
