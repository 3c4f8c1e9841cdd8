//! What a coordinator is told before it begins.

use std::fmt;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// How a coordinator goes about auctions, attempts and restarts.
///
/// All lengths of time are measured by the monotonic clock; a wall clock that jumps moves none of them.
///
/// ```
/// use std::time::Duration;
/// use alveary_coordinator::{Bidders, Settings};
///
/// let settings = Settings::default()
///     .with_auction(Duration::from_secs(5))
///     .with_bidders(Bidders::Known);
/// assert_eq!(settings.heartbeat, Duration::from_secs(30));
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Settings {
    /// How long an auction is open. 15 s unless said.
    pub auction: Duration,
    /// How long an agent may be silent, and a claimed attempt without a heartbeat. 30 s unless said.
    pub heartbeat: Duration,
    /// How long an attempt may lie with an agent that lives and does not claim it. 10 min unless said.
    pub unclaimed: Duration,
    /// How often a task is given to an agent before it counts as failed. 3 unless said.
    pub attempts: NonZeroU32,
    /// What becomes of a task for which nobody bids. It fails unless said.
    pub no_bids: NoBids,
    /// What becomes of tasks that a restart has interrupted. They go on unless said.
    pub recovery: Recovery,
    /// Who may bid. Those who are known unless said.
    pub bidders: Bidders,
    /// How many events are kept for those who come back for them. 100,000 unless said.
    pub keep_events: u64,
    /// Where the times come from that are shown.
    pub clock: ShowClock,
}

/// What becomes of a task for which nobody bids.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum NoBids {
    /// It fails when its auction ends.
    #[default]
    Fail,
    /// It is auctioned again, at most so many times, and then fails.
    Retry(u32),
}

/// What becomes of tasks that were open when a coordinator ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Recovery {
    /// Open auctions begin anew in full length and keep their bids; what was given to an agent stays with it
    /// for one more heartbeat period.
    #[default]
    Reauction,
    /// They fail, with the result "Server restarted — task did not complete."
    Fail,
}

/// Who may bid, and so whether an auction can be over before its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Bidders {
    /// Agents whose name is proved. An auction ends as soon as every one that is idle and able has bid.
    #[default]
    Known,
    /// Anybody who says a name. Somebody may always be about to bid: auctions last their full length.
    Anybody,
}

/// The wall clock, which is for showing only.
#[derive(Clone)]
pub struct ShowClock(Arc<dyn Fn() -> SystemTime + Send + Sync>);

impl ShowClock {
    /// A clock of the caller's.
    pub fn new(now: impl Fn() -> SystemTime + Send + Sync + 'static) -> Self {
        Self(Arc::new(now))
    }

    /// What it shows.
    pub fn now(&self) -> SystemTime {
        (self.0)()
    }
}

impl Default for ShowClock {
    fn default() -> Self {
        Self::new(SystemTime::now)
    }
}

impl fmt::Debug for ShowClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ShowClock")
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            auction: Duration::from_secs(15),
            heartbeat: Duration::from_secs(30),
            unclaimed: Duration::from_mins(10),
            attempts: NonZeroU32::MIN.saturating_add(2),
            no_bids: NoBids::default(),
            recovery: Recovery::default(),
            bidders: Bidders::default(),
            keep_events: 100_000,
            clock: ShowClock::default(),
        }
    }
}

impl Settings {
    /// The same with another length of auctions.
    #[must_use]
    pub fn with_auction(mut self, auction: Duration) -> Self {
        self.auction = auction;
        self
    }

    /// The same with another length that an agent may be silent.
    #[must_use]
    pub fn with_heartbeat(mut self, heartbeat: Duration) -> Self {
        self.heartbeat = heartbeat;
        self
    }

    /// The same with another length that an attempt may lie unclaimed.
    #[must_use]
    pub fn with_unclaimed(mut self, unclaimed: Duration) -> Self {
        self.unclaimed = unclaimed;
        self
    }

    /// The same with another number of attempts.
    #[must_use]
    pub fn with_attempts(mut self, attempts: NonZeroU32) -> Self {
        self.attempts = attempts;
        self
    }

    /// The same with another answer to "nobody bids".
    #[must_use]
    pub fn with_no_bids(mut self, no_bids: NoBids) -> Self {
        self.no_bids = no_bids;
        self
    }

    /// The same with another answer to "we were restarted".
    #[must_use]
    pub fn with_recovery(mut self, recovery: Recovery) -> Self {
        self.recovery = recovery;
        self
    }

    /// The same with others who may bid.
    #[must_use]
    pub fn with_bidders(mut self, bidders: Bidders) -> Self {
        self.bidders = bidders;
        self
    }

    /// The same with another number of events that are kept.
    #[must_use]
    pub fn with_keep_events(mut self, keep_events: u64) -> Self {
        self.keep_events = keep_events;
        self
    }

    /// The same with another clock for showing.
    #[must_use]
    pub fn with_clock(mut self, clock: ShowClock) -> Self {
        self.clock = clock;
        self
    }
}
