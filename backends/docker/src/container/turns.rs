//! How many calls of a kind an engine is given at once: found by how long it takes over them.
//!
//! An engine has so much processor. Fewer calls than keep it busy waste its time; each one more only waits
//! inside it, with its time limit running. Which number that is differs from engine to engine and from hour to
//! hour, so it is not set but measured, as networks do: twice as many until the first wait, then one more while
//! hardly any does, a part fewer once too many do, half as many when answers fail to come.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use alveary_core::{ErrorKind, Result};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::Instant;

/// With how many it begins.
const FIRST: usize = 4;
/// No engine was seen that does more in a second with more than these.
const MOST: usize = 16;

/// So many calls may wait inside the engine: with fewer, one more is given to it, so that it never runs dry
/// while an answer is on its way; with more, fewer are.
const TOO_FEW_WAIT: f64 = 3.0;
const TOO_MANY_WAIT: f64 = 6.0;

/// Of its time limit a call may use up this part before fewer are given at once.
const PART_OF_LIMIT: u32 = 4;

/// For how long the best time is believed: an engine gets slower with what it has to keep, and a best that
/// cannot be had any more would make everything look like waiting.
const BELIEVED: Duration = Duration::from_mins(10);

/// The number itself, and why it is that. Knows no clock and no engine.
#[derive(Debug)]
struct Pace {
    width: usize,
    most: usize,
    /// Nothing was seen to wait yet: how much the engine can do is anybody's guess.
    is_cold: bool,
    /// How long a call may take.
    limit: Duration,
    best: Option<Best>,
    round: Round,
}

/// The best mean time of a round, and when it was had.
#[derive(Debug, Clone, Copy)]
struct Best {
    took: Duration,
    at: Instant,
}

/// What was seen since the number last could change: as many calls as it is.
#[derive(Debug, Default)]
struct Round {
    calls: u32,
    took: Duration,
    /// How many were under way as each of them ended, it among them, in sum.
    beside: usize,
}

impl Pace {
    fn new(most: usize, limit: Duration) -> Self {
        let most = most.clamp(1, MOST);
        Self {
            width: FIRST.min(most),
            most,
            is_cold: true,
            limit,
            best: None,
            round: Round::default(),
        }
    }

    /// A call went well, and took so long, with so many under way as it ended.
    fn answered(&mut self, took: Duration, beside: usize, now: Instant) {
        self.round.calls += 1;
        self.round.took += took;
        self.round.beside += beside;
        if (self.round.calls as usize) < self.width {
            return;
        }
        let round = std::mem::take(&mut self.round);
        let took = round.took / round.calls;
        #[expect(clippy::cast_precision_loss, reason = "at most sixteen, sixteen times")]
        let beside = round.beside as f64 / f64::from(round.calls);
        let best = self.best(took, now);
        // What the engine was at work on could have been done in the best time; the others waited.
        let waiting = beside * (1.0 - best.as_secs_f64() / took.as_secs_f64().max(f64::EPSILON));
        #[expect(clippy::cast_precision_loss, reason = "at most sixteen")]
        let in_full_use = beside > self.width as f64 - 1.0;
        if took > self.limit / PART_OF_LIMIT {
            self.is_cold = false;
            self.width = (self.width / 2).max(1);
        } else if waiting > TOO_MANY_WAIT {
            self.is_cold = false;
            self.width = (self.width * 3 / 4).max(1);
        } else if waiting >= TOO_FEW_WAIT {
            self.is_cold = false;
        } else if in_full_use {
            // Twice as many take twice as long at the worst, which the limit has to allow for.
            let leaps = self.is_cold && took * 2 < self.limit / PART_OF_LIMIT;
            let more = if leaps { self.width } else { 1 };
            self.width = (self.width + more).min(self.most);
        }
    }

    /// Its answer did not come in time.
    fn unanswered(&mut self) {
        self.round = Round::default();
        self.is_cold = false;
        self.width = (self.width / 2).max(1);
    }

    fn best(&mut self, took: Duration, now: Instant) -> Duration {
        let known = self
            .best
            .filter(|best| best.took <= took && now.saturating_duration_since(best.at) < BELIEVED);
        let best = known.unwrap_or(Best { took, at: now });
        self.best = Some(best);
        best.took
    }
}

/// Whose turn it is to call the engine.
#[derive(Debug)]
pub(super) struct Turns {
    /// First come, first served.
    free: Semaphore,
    width: Mutex<Width>,
}

#[derive(Debug)]
struct Width {
    pace: Pace,
    /// Turns that are to go once they are given back.
    too_many: usize,
}

impl Turns {
    /// For calls that may take so long each; never more than `most` at once, if that is said.
    pub(super) fn new(most: Option<usize>, limit: Duration) -> Self {
        let pace = Pace::new(most.unwrap_or(MOST), limit);
        Self {
            free: Semaphore::new(pace.width),
            width: Mutex::new(Width { pace, too_many: 0 }),
        }
    }

    fn width(&self) -> MutexGuard<'_, Width> {
        self.width.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until the engine can do with one call more. Cancel safe.
    pub(super) async fn next(&self) -> Turn<'_> {
        // It is never closed.
        let permit = self.free.acquire().await.ok();
        Turn {
            turns: self,
            permit,
            since: Instant::now(),
        }
    }
}

/// The right to one call, given back when dropped. One that is only dropped teaches nothing: a refusal comes
/// quickly, and says nothing of how much there is to do.
#[derive(Debug)]
#[must_use]
pub(super) struct Turn<'a> {
    turns: &'a Turns,
    permit: Option<SemaphorePermit<'a>>,
    since: Instant,
}

impl Turn<'_> {
    /// The engine did it.
    pub(super) fn answered(self) {
        let now = Instant::now();
        let took = now - self.since;
        self.learn(|pace, beside| pace.answered(took, beside, now));
    }

    /// Whichever of the two it was; a refusal is neither.
    pub(super) fn became<T>(self, outcome: &Result<T>) {
        match outcome {
            Ok(_) => self.answered(),
            Err(error) if matches!(error.kind(), ErrorKind::Timeout | ErrorKind::Indeterminate) => {
                self.unanswered();
            }
            Err(_) => {}
        }
    }

    /// No answer came.
    pub(super) fn unanswered(self) {
        self.learn(|pace, _| pace.unanswered());
    }

    fn learn(&self, learn: impl FnOnce(&mut Pace, usize)) {
        let free = &self.turns.free;
        let mut width = self.turns.width();
        let before = width.pace.width;
        // Those too that have their turn and do not know it yet.
        let beside = (before + width.too_many).saturating_sub(free.available_permits());
        learn(&mut width.pace, beside);
        let after = width.pace.width;
        if after < before {
            width.too_many += before - after - free.forget_permits(before - after);
        } else {
            let kept = width.too_many.min(after - before);
            width.too_many -= kept;
            free.add_permits(after - before - kept);
        }
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut width = self.turns.width();
        if width.too_many > 0
            && let Some(permit) = self.permit.take()
        {
            width.too_many -= 1;
            permit.forget();
        }
    }
}

#[cfg(test)]
mod tests;
