//! The lease of a swarm, held in an engine that managers of several hosts reach: by terms, each begun in time.
//!
//! Nobody compares clocks. Its holder counts from before it asked for a term, and others from after they saw it; both
//! count the time that passes, and not what clocks show.

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use alveary_core::{Incarnation, Leases, Result, Term};
#[cfg(not(test))]
use rustix::time::{ClockId, clock_gettime};

use super::host;

/// How often its holder begins another term.
pub(crate) const RENEWED: Duration = Duration::from_secs(5);

/// After so long without a new term its holder acts no more.
const HELD: Duration = Duration::from_secs(15);

/// After so long without a new term others take it over. What its holder had begun by then has reached the engine.
const EXPIRED: Duration = Duration::from_secs(20);

/// Who holds a term.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Holder {
    /// The boot of the host, and the folder: of those in one place the lock in that folder knows who lives.
    place: String,
    /// Told apart from any other, itself after a while among them.
    nonce: Incarnation,
    host: String,
    pid: u32,
}

impl Holder {
    /// This process, which holds the lock of this folder.
    pub(crate) fn here(folder: &Path) -> Result<Self> {
        Ok(Self {
            place: host::place(folder)?,
            nonce: Incarnation::random(),
            host: host::name(),
            pid: std::process::id(),
        })
    }

    fn is_of(&self, word: &str) -> bool {
        self.to_string() == word
    }

    /// Whether the holder of this word was of this place, and so is no more.
    fn follows(&self, word: &str) -> bool {
        word.split('/').next() == Some(&self.place)
    }
}

/// One word, as engines keep it.
impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            place,
            nonce,
            host,
            pid,
        } = self;
        write!(f, "{place}/{nonce}/{host}/{pid}")
    }
}

/// Who has a term, for people.
pub(crate) fn whose(term: &Term) -> String {
    let mut parts = term.holder.split('/').skip(2);
    match (parts.next(), parts.next()) {
        (Some(host), Some(pid)) => format!("process {pid} on {host}"),
        _ => "somebody who gives no name".to_owned(),
    }
}

/// The lease of a swarm in its engine, once this process has it.
#[derive(Debug, Clone)]
pub(crate) struct EngineLease {
    holder: Arc<Holder>,
    /// Which term it is, and when it was asked for.
    number: u64,
    since: Arc<AtomicU64>,
}

/// Somebody else has the lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Taken(pub(crate) Term);

/// One who wants the lease, and looks again and again.
#[derive(Debug)]
pub(crate) struct Candidate {
    holder: Arc<Holder>,
    seen: Option<(Term, u64)>,
}

impl Candidate {
    pub(crate) fn new(holder: Holder) -> Self {
        Self {
            holder: Arc::new(holder),
            seen: None,
        }
    }

    /// Takes it, if nobody has it, or its holder has not begun another term for too long.
    pub(crate) async fn try_take(
        &mut self,
        leases: &dyn Leases,
    ) -> Result<std::result::Result<EngineLease, Taken>> {
        let newest = leases.newest().await?;
        let now = now();
        let next = match newest {
            None => 1,
            Some(term) if self.holder.follows(&term.holder) => term.number + 1,
            Some(term) => match &self.seen {
                Some((seen, since)) if *seen == term => {
                    if now.saturating_sub(*since) < millis(EXPIRED) {
                        return Ok(Err(Taken(term)));
                    }
                    term.number + 1
                }
                _ => {
                    self.seen = Some((term.clone(), now));
                    return Ok(Err(Taken(term)));
                }
            },
        };
        begin(leases, &self.holder, next).await
    }
}

impl EngineLease {
    /// Whether it is long enough that nobody else can have taken it. What passes while the host sleeps counts.
    pub(crate) fn holds(&self) -> bool {
        now().saturating_sub(self.since.load(Ordering::Acquire)) < millis(HELD)
    }

    /// How long ago it was asked for.
    pub(crate) fn age(&self) -> Duration {
        Duration::from_millis(now().saturating_sub(self.since.load(Ordering::Acquire)))
    }

    /// Keeps it for longer.
    pub(crate) async fn renew(
        &mut self,
        leases: &dyn Leases,
    ) -> Result<std::result::Result<(), Taken>> {
        match begin(leases, &self.holder, self.number + 1).await? {
            Ok(kept) => {
                self.number = kept.number;
                let since = kept.since.load(Ordering::Acquire);
                self.since.store(since, Ordering::Release);
                Ok(Ok(()))
            }
            Err(taken) => Ok(Err(taken)),
        }
    }

    /// Asks the engine whether it is still this process's: before what only its holder may do.
    pub(crate) async fn is_ours(&self, leases: &dyn Leases) -> Result<bool> {
        let newest = leases.newest().await?;
        if newest.is_some_and(|term| self.holder.is_of(&term.holder)) {
            return Ok(self.holds());
        }
        // Whatever happened to it: it has to be taken anew.
        self.since.store(0, Ordering::Release);
        Ok(false)
    }
}

async fn begin(
    leases: &dyn Leases,
    holder: &Arc<Holder>,
    number: u64,
) -> Result<std::result::Result<EngineLease, Taken>> {
    let asked = now();
    let begun = leases.begin(number, &holder.to_string()).await?;
    if !holder.is_of(&begun.holder) {
        return Ok(Err(Taken(begun)));
    }
    // Whoever slept may have begun one that others have begun, ended and forgotten long ago.
    if let Some(newest) = leases.newest().await?
        && newest != begun
    {
        if newest.number > number {
            leases.forget_before(number + 1).await?;
        }
        return Ok(Err(Taken(newest)));
    }
    // The last one stays: whoever lists them at this moment is to find one.
    leases.forget_before(number.saturating_sub(1)).await?;
    Ok(Ok(EngineLease {
        holder: Arc::clone(holder),
        number,
        since: Arc::new(AtomicU64::new(asked)),
    }))
}

/// A clock that goes on while the host sleeps.
#[cfg(all(not(test), any(target_os = "linux", target_os = "android")))]
const CLOCK: ClockId = ClockId::Boottime;
#[cfg(not(any(test, target_os = "linux", target_os = "android")))]
const CLOCK: ClockId = ClockId::Monotonic;

/// Milliseconds of that clock.
#[cfg(not(test))]
fn now() -> u64 {
    let now = clock_gettime(CLOCK);
    let seconds = u64::try_from(now.tv_sec).unwrap_or_default();
    let nanos = u64::try_from(now.tv_nsec).unwrap_or_default();
    seconds * 1000 + nanos / 1_000_000
}

#[cfg(test)]
use tests::now;

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
