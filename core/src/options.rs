//! What a caller may ask of each verb.

use std::time::{Duration, SystemTime};

use crate::id::Incarnation;
use crate::logs::{LogCursor, LogStreams};
use crate::signal::Signal;

macro_rules! with {
    ($(#[$doc:meta])* $name:ident, $field:ident: $type:ty) => {
        $(#[$doc])*
        #[must_use]
        pub fn $name(mut self, $field: $type) -> Self {
            self.$field = $field.into();
            self
        }
    };
}

/// How to spawn. Each `default()` names a new start: to retry one, pass a clone of the same options.
///
/// ```
/// use alveary_core::SpawnOptions;
///
/// let first = SpawnOptions::default();
/// assert_ne!(first.incarnation, SpawnOptions::default().incarnation);
/// assert_eq!(first.incarnation, first.clone().incarnation);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SpawnOptions {
    /// Which start of the agent this is.
    pub incarnation: Incarnation,
}

impl Default for SpawnOptions {
    fn default() -> Self {
        Self {
            incarnation: Incarnation::random(),
        }
    }
}

impl SpawnOptions {
    with!(
        /// Names the start, as one does to retry it.
        with_incarnation, incarnation: Incarnation
    );
}

/// What to list. By default everything that the swarm has, what has ended included.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct ListOptions {
    /// Leave out what has ended.
    pub living_only: bool,
}

impl ListOptions {
    with!(
        /// Leaves out what has ended.
        with_living_only, living_only: bool
    );
}

/// How to stop. What is not said here is as the agent's spec says it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct StopOptions {
    /// How long the agent has between the asking and the force; zero is force at once.
    pub grace: Option<Duration>,
    /// The signal that asks.
    pub signal: Option<Signal>,
    /// Stop this start of the agent and no later one.
    pub incarnation: Option<Incarnation>,
}

impl StopOptions {
    with!(
        /// Sets the time between the asking and the force.
        with_grace, grace: Duration
    );
    with!(
        /// Sets the signal that asks.
        with_signal, signal: Signal
    );
    with!(
        /// Means this start of the agent and no later one.
        with_incarnation, incarnation: Incarnation
    );

    /// By force, at once.
    pub fn by_force() -> Self {
        Self::default().with_grace(Duration::ZERO)
    }
}

/// How to remove.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct RemoveOptions {
    /// End the agent by force first if it lives; without this a living one is
    /// [`StillRunning`](crate::ErrorKind::StillRunning).
    pub force: bool,
}

impl RemoveOptions {
    with!(
        /// Ends a living agent by force first.
        with_force, force: bool
    );
}

/// Which events to follow. There is nothing to choose yet.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct EventOptions {}

/// Which part of an agent's output to read. By default all that is kept of what its latest start wrote, then
/// the end of the stream.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct LogOptions {
    /// Go on with what is written from now on, until the agent has ended.
    pub follow: bool,
    /// Only the last so many lines of each stream.
    pub tail: Option<u64>,
    /// Nothing older, as exactly as
    /// [`time_resolution`](crate::LogFidelity::time_resolution) allows.
    pub since: Option<SystemTime>,
    /// Nothing younger.
    pub until: Option<SystemTime>,
    /// Begin behind the piece that carried this cursor. One of another start's log is refused (`InvalidSpec`), or a loss
    /// is told and then all of this one's: it never hides anything.
    pub after: Option<LogCursor>,
    /// Which of the streams.
    pub streams: LogStreams,
    /// Another start of the agent than the latest.
    pub incarnation: Option<Incarnation>,
}

impl LogOptions {
    with!(
        /// Goes on with what is written from now on.
        with_follow, follow: bool
    );
    with!(
        /// Takes only the last so many lines of each stream.
        with_tail, tail: u64
    );
    with!(
        /// Leaves out what is older.
        with_since, since: SystemTime
    );
    with!(
        /// Leaves out what is younger.
        with_until, until: SystemTime
    );
    with!(
        /// Begins behind the piece that carried this cursor.
        with_after, after: LogCursor
    );
    with!(
        /// Chooses the streams.
        with_streams, streams: LogStreams
    );
    with!(
        /// Means this start of the agent, not the latest.
        with_incarnation, incarnation: Incarnation
    );
}
