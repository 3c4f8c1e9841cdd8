//! How engines are called: the table `[calls]` of a fleet file.

use std::num::NonZeroU32;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// What sets one field: `with_NAME`.
macro_rules! with {
    ($(#[$doc:meta])* $name:ident, $field:ident: $type:ty) => {
        $(#[$doc])*
        #[must_use]
        pub fn $name(mut self, $field: $type) -> Self {
            self.$field = $field;
            self
        }
    };
}

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
    with!(
        /// Sets how many calls are made at once.
        with_at_once, at_once: AtOnce
    );
    with!(
        /// Sets how long each may take.
        with_timeout, timeout: Timeouts
    );
    with!(
        /// Sets how often a call is made again.
        with_retry, retry: RetryOptions
    );
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

impl AtOnce {
    with!(
        /// Sets how many starts are made at once.
        with_spawn, spawn: NonZeroU32
    );
    with!(
        /// Sets how many stops with a grace are made at once.
        with_stop, stop: NonZeroU32
    );
    with!(
        /// Sets how many of all other calls are made at once.
        with_other, other: NonZeroU32
    );
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

    with!(
        /// Sets how long a check of the engine may take.
        with_check, check: Duration
    );
    with!(
        /// Sets how long the acceptance of a start may take.
        with_spawn, spawn: Duration
    );
    with!(
        /// Sets how long a look at one agent may take.
        with_inspect, inspect: Duration
    );
    with!(
        /// Sets how long a list of the swarm may take.
        with_list, list: Duration
    );
    with!(
        /// Sets how long an end may take, beyond the grace.
        with_stop, stop: Duration
    );
    with!(
        /// Sets the grace that is reckoned with where a stop names none.
        with_unnamed_grace, unnamed_grace: Duration
    );
    with!(
        /// Sets how long a removal may take.
        with_remove, remove: Duration
    );
    with!(
        /// Sets how long the opening of a stream may take.
        with_subscribe, subscribe: Duration
    );
    with!(
        /// Sets how long the sending of a signal may take.
        with_signal, signal: Duration
    );
    with!(
        /// Sets how long the start of a program beside an agent may take.
        with_exec, exec: Duration
    );
    with!(
        /// Sets how long a reading of what an agent uses up may take.
        with_stats, stats: Duration
    );
    with!(
        /// Sets how long the engine may be silent while files are copied.
        with_files, files: Duration
    );
    with!(
        /// Sets how long a pause, or its end, may take.
        with_pause, pause: Duration
    );
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

impl RetryOptions {
    with!(
        /// Sets how often a call is made at the most, the first time counted.
        with_attempts, attempts: NonZeroU32
    );
    with!(
        /// Sets the first pause.
        with_delay, delay: Duration
    );
    with!(
        /// Sets the longest pause.
        with_max_delay, max_delay: Duration
    );
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
