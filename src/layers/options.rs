//! How engines are called: the table `[calls]` of a fleet file.

use std::num::NonZeroU32;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// How the calls of one backend are bounded, timed and repeated.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct LayerOptions {
    /// How many calls are made at once.
    pub at_once: AtOnce,
    /// How long each may take.
    pub timeout: Timeouts,
    /// How often, and after which pauses, a call is made again.
    pub retry: RetryOptions,
}

impl LayerOptions {
    /// Sets how many calls are made at once.
    #[must_use]
    pub fn with_at_once(mut self, at_once: AtOnce) -> Self {
        self.at_once = at_once;
        self
    }

    /// Sets how long each may take.
    #[must_use]
    pub fn with_timeout(mut self, timeout: Timeouts) -> Self {
        self.timeout = timeout;
        self
    }

    /// Sets how often a call is made again.
    #[must_use]
    pub fn with_retry(mut self, retry: RetryOptions) -> Self {
        self.retry = retry;
        self
    }
}

/// How many calls are made at once. The kinds do not wait for each other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct AtOnce {
    /// Starts: engines gain nothing from more.
    pub spawn: NonZeroU32,
    /// Stops with a grace: they spend it waiting, so there may be many.
    pub stop: NonZeroU32,
    /// Everything else, stops by force too.
    pub other: NonZeroU32,
}

impl Default for AtOnce {
    fn default() -> Self {
        Self {
            spawn: const { NonZeroU32::new(8).unwrap() },
            stop: const { NonZeroU32::new(256).unwrap() },
            other: const { NonZeroU32::new(16).unwrap() },
        }
    }
}

/// How long each call may take, counted from when it is made and not from when it was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct Timeouts {
    /// Checking the engine.
    #[cfg_attr(
        feature = "schema",
        schemars(with = "alveary_core::schema::TimeAboveZero")
    )]
    #[serde(with = "above_zero")]
    pub check: Duration,
    /// Accepting a start.
    #[cfg_attr(
        feature = "schema",
        schemars(with = "alveary_core::schema::TimeAboveZero")
    )]
    #[serde(with = "above_zero")]
    pub spawn: Duration,
    /// Looking at one agent.
    #[cfg_attr(
        feature = "schema",
        schemars(with = "alveary_core::schema::TimeAboveZero")
    )]
    #[serde(with = "above_zero")]
    pub inspect: Duration,
    /// Listing the swarm.
    #[cfg_attr(
        feature = "schema",
        schemars(with = "alveary_core::schema::TimeAboveZero")
    )]
    #[serde(with = "above_zero")]
    pub list: Duration,
    /// Ending an agent, beyond its grace.
    #[cfg_attr(
        feature = "schema",
        schemars(with = "alveary_core::schema::TimeAboveZero")
    )]
    #[serde(with = "above_zero")]
    pub stop: Duration,
    /// The grace that is reckoned with where a stop names none: the agent's spec then has it, which is known
    /// to the backend alone.
    #[cfg_attr(
        feature = "schema",
        schemars(with = "alveary_core::schema::TimeAboveZero")
    )]
    #[serde(with = "above_zero")]
    pub unnamed_grace: Duration,
    /// Forgetting an agent.
    #[cfg_attr(
        feature = "schema",
        schemars(with = "alveary_core::schema::TimeAboveZero")
    )]
    #[serde(with = "above_zero")]
    pub remove: Duration,
    /// Opening a stream of events or of logs. How long the stream then flows is not limited.
    #[cfg_attr(
        feature = "schema",
        schemars(with = "alveary_core::schema::TimeAboveZero")
    )]
    #[serde(with = "above_zero")]
    pub subscribe: Duration,
    /// Sending a signal.
    #[cfg_attr(
        feature = "schema",
        schemars(with = "alveary_core::schema::TimeAboveZero")
    )]
    #[serde(with = "above_zero")]
    pub signal: Duration,
    /// Starting a program beside an agent. How long it then runs is not limited.
    #[cfg_attr(
        feature = "schema",
        schemars(with = "alveary_core::schema::TimeAboveZero")
    )]
    #[serde(with = "above_zero")]
    pub exec: Duration,
    /// Reading what an agent uses up.
    #[cfg_attr(
        feature = "schema",
        schemars(with = "alveary_core::schema::TimeAboveZero")
    )]
    #[serde(with = "above_zero")]
    pub stats: Duration,
    /// Copying files: how long the engine may be silent, however long the whole takes.
    #[cfg_attr(
        feature = "schema",
        schemars(with = "alveary_core::schema::TimeAboveZero")
    )]
    #[serde(with = "above_zero")]
    pub files: Duration,
    /// Pausing an agent, or letting it go on.
    #[cfg_attr(
        feature = "schema",
        schemars(with = "alveary_core::schema::TimeAboveZero")
    )]
    #[serde(with = "above_zero")]
    pub pause: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            check: Duration::from_secs(5),
            spawn: Duration::from_secs(15),
            inspect: Duration::from_secs(5),
            list: Duration::from_secs(10),
            stop: Duration::from_secs(10),
            unnamed_grace: Duration::from_mins(10),
            remove: Duration::from_secs(10),
            subscribe: Duration::from_secs(10),
            signal: Duration::from_secs(5),
            exec: Duration::from_secs(15),
            stats: Duration::from_secs(5),
            files: Duration::from_secs(30),
            pause: Duration::from_secs(10),
        }
    }
}

impl Timeouts {
    /// The same limit for every call, the grace of a stop excepted.
    pub fn all(limit: Duration) -> Self {
        Self {
            check: limit,
            spawn: limit,
            inspect: limit,
            list: limit,
            stop: limit,
            unnamed_grace: Self::default().unnamed_grace,
            remove: limit,
            subscribe: limit,
            signal: limit,
            exec: limit,
            stats: limit,
            files: limit,
            pause: limit,
        }
    }
}

/// How often, and after which pauses, a call is made again that may be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct RetryOptions {
    /// How often a call is made at the most, the first time counted.
    pub attempts: NonZeroU32,
    /// The first pause; it doubles with each attempt and is jittered.
    #[cfg_attr(feature = "schema", schemars(with = "alveary_core::schema::TimeText"))]
    #[serde(with = "humantime_serde")]
    pub delay: Duration,
    /// The longest pause. Where an engine asks for a longer one, its error is given to the caller at once.
    #[cfg_attr(feature = "schema", schemars(with = "alveary_core::schema::TimeText"))]
    #[serde(with = "humantime_serde")]
    pub max_delay: Duration,
}

impl Default for RetryOptions {
    fn default() -> Self {
        Self {
            attempts: const { NonZeroU32::new(3).unwrap() },
            delay: Duration::from_millis(100),
            max_delay: Duration::from_secs(5),
        }
    }
}

/// A time as people write it, and some: a limit of nothing lets no call succeed.
mod above_zero {
    use std::time::Duration;

    use serde::de::Error;
    use serde::{Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(
        time: &Duration,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        humantime_serde::serialize(time, serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Duration, D::Error> {
        let time: Duration = humantime_serde::deserialize(deserializer)?;
        if time.is_zero() {
            return Err(D::Error::custom(
                "a limit of no time at all lets no call succeed",
            ));
        }
        Ok(time)
    }
}
