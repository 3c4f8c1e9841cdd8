//! What an agent uses up.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant, SystemTime};

use async_trait::async_trait;
use futures_core::Stream;
use futures_core::stream::BoxStream;

use crate::error::Result;
use crate::id::{AgentId, Incarnation};
use crate::spec::ByteSize;

/// What agents use up: all of an agent's processes together. Processor time is always told.
///
/// `NotFound`: an unknown id. `Conflict`: the agent does not run, or the options name another start. One that
/// is [paused](crate::Pause) can be read.
#[async_trait]
pub trait Stats: Send + Sync {
    /// One reading, taken now.
    async fn read(&self, id: &AgentId) -> Result<Usage>;

    /// A reading now, and then one after another until the agent has ended. `Ok` means: it runs.
    async fn follow(&self, id: &AgentId, options: StatsOptions) -> Result<UsageStream>;
}

/// How to follow what an agent uses up.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct StatsOptions {
    /// How much time is between two readings, about; an engine that has a pace of its own keeps that. One
    /// second unless said.
    pub every: Duration,
    /// Means this start of the agent and no later one.
    pub incarnation: Option<Incarnation>,
}

impl Default for StatsOptions {
    fn default() -> Self {
        Self {
            every: Duration::from_secs(1),
            incarnation: None,
        }
    }
}

impl StatsOptions {
    /// Sets how much time is between two readings.
    #[must_use]
    pub fn with_every(mut self, every: Duration) -> Self {
        self.every = every;
        self
    }

    /// Means this start of the agent and no later one.
    #[must_use]
    pub fn with_incarnation(mut self, incarnation: Incarnation) -> Self {
        self.incarnation = Some(incarnation);
        self
    }
}

/// What an agent has used up and uses now. What its engine does not say is `None`, and never a zero.
///
/// Counters begin with the incarnation and never go back within it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Usage {
    /// Which start of the agent.
    pub incarnation: Incarnation,
    /// When it was read, for reckoning with another reading of this process.
    pub taken: Instant,
    /// When it was read, for showing.
    pub at: SystemTime,
    /// Processor time used up to now, of all processors together.
    pub cpu: Option<Duration>,
    /// Memory that it holds now, without file contents that the kernel would give back unasked.
    pub memory: Option<ByteSize>,
    /// The most that it may hold; `None` also where it is not limited.
    pub memory_limit: Option<ByteSize>,
    /// Processes and threads now.
    pub pids: Option<u64>,
    /// Read from disks up to now.
    pub io_read: Option<ByteSize>,
    /// Written to disks up to now.
    pub io_written: Option<ByteSize>,
    /// Received on networks of its own up to now. One that uses its host's network has none of its own.
    pub network_received: Option<ByteSize>,
    /// Sent on networks of its own up to now.
    pub network_sent: Option<ByteSize>,
}

impl Usage {
    /// A reading that is taken now and says nothing yet.
    pub fn new(incarnation: Incarnation) -> Self {
        Self {
            incarnation,
            taken: Instant::now(),
            at: SystemTime::now(),
            cpu: None,
            memory: None,
            memory_limit: None,
            pids: None,
            io_read: None,
            io_written: None,
            network_received: None,
            network_sent: None,
        }
    }

    /// How much of a processor it used between an earlier reading and this, in percent: 100 is one whole
    /// processor, 250 two and a half.
    ///
    /// `None` where the engine does not say, where the earlier reading is of another start, and where no time
    /// lies between the two.
    ///
    /// ```
    /// use std::time::Duration;
    /// use alveary_core::{Incarnation, Usage};
    ///
    /// let mut earlier = Usage::new(Incarnation::random());
    /// earlier.cpu = Some(Duration::from_millis(500));
    /// let mut later = earlier.clone();
    /// later.taken += Duration::from_secs(2);
    /// later.cpu = Some(Duration::from_millis(1500));
    /// assert_eq!(later.cpu_percent_since(&earlier), Some(50.0));
    /// ```
    pub fn cpu_percent_since(&self, earlier: &Self) -> Option<f64> {
        if self.incarnation != earlier.incarnation {
            return None;
        }
        let between = self.taken.checked_duration_since(earlier.taken)?;
        if between.is_zero() {
            return None;
        }
        let used = self.cpu?.saturating_sub(earlier.cpu?);
        Some(100.0 * used.as_secs_f64() / between.as_secs_f64())
    }
}

/// Readings of what an agent uses up, one after another. Ends when the agent has ended, at the latest where the
/// next reading would be; where it ends because nothing can be read any more, the last item is the error.
///
/// A reader that is slow misses readings, and none is kept for it.
#[must_use = "a stream does nothing unless it is polled"]
pub struct UsageStream(BoxStream<'static, Result<Usage>>);

impl UsageStream {
    /// Takes what a backend's own stream gives.
    pub fn new(stream: impl Stream<Item = Result<Usage>> + Send + 'static) -> Self {
        Self(Box::pin(stream))
    }

    /// For backends whose engine has no such stream: reads anew when the time has come. `Ok(None)` from
    /// `read`: the agent has ended.
    pub fn polled<F>(
        every: Duration,
        first: Usage,
        read: impl FnMut() -> F + Send + 'static,
    ) -> Self
    where
        F: Future<Output = Result<Option<Usage>>> + Send + 'static,
    {
        let mut pace = tokio::time::interval(every.max(SHORTEST));
        pace.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let state = Polled::Begin { first, pace, read };
        Self::new(futures_util::stream::unfold(state, Polled::next))
    }
}

/// What no reader can mean: a stream without a pause between its readings.
const SHORTEST: Duration = Duration::from_millis(1);

enum Polled<R> {
    Begin {
        first: Usage,
        pace: tokio::time::Interval,
        read: R,
    },
    GoOn {
        pace: tokio::time::Interval,
        read: R,
    },
    Over,
}

impl<R, F> Polled<R>
where
    R: FnMut() -> F,
    F: Future<Output = Result<Option<Usage>>>,
{
    async fn next(self) -> Option<(Result<Usage>, Self)> {
        match self {
            Self::Begin {
                first,
                mut pace,
                read,
            } => {
                // The first tick is the moment of the first reading.
                pace.tick().await;
                Some((Ok(first), Self::GoOn { pace, read }))
            }
            Self::GoOn { mut pace, mut read } => {
                pace.tick().await;
                match read().await {
                    Ok(Some(usage)) => Some((Ok(usage), Self::GoOn { pace, read })),
                    Ok(None) => None,
                    Err(error) => Some((Err(error), Self::Over)),
                }
            }
            Self::Over => None,
        }
    }
}

impl Stream for UsageStream {
    type Item = Result<Usage>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.as_mut().poll_next(cx)
    }
}

impl fmt::Debug for UsageStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("UsageStream")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readings_of_two_starts_and_of_one_moment_give_no_percentage() {
        let mut one = Usage::new(Incarnation::random());
        one.cpu = Some(Duration::from_secs(1));
        let mut other = Usage::new(Incarnation::random());
        other.cpu = Some(Duration::from_secs(2));
        other.taken = one.taken + Duration::from_secs(1);
        assert_eq!(other.cpu_percent_since(&one), None);
        assert_eq!(one.cpu_percent_since(&one), None);
        other.incarnation = one.incarnation;
        assert_eq!(one.cpu_percent_since(&other), None);
        assert!(other.cpu_percent_since(&one).is_some());
    }
}
