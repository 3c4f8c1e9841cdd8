//! What a coordinator is busy with, as it is shown.

use std::time::{Duration, SystemTime};

/// The tasks of a coordinator.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Tasks {
    /// How many stand how, in the order of a task's life; those of which there are none are left out.
    pub(crate) counts: Vec<(&'static str, u64)>,
    /// Those that are open, and of the others those that were given last: open auctions first.
    pub(crate) list: Vec<Task>,
    /// Why this is not how it stands now, where it is not.
    pub(crate) trouble: Option<String>,
}

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Task {
    pub(crate) id: String,
    pub(crate) short: String,
    pub(crate) description: String,
    pub(crate) status: &'static str,
    /// Who has it, or had it last.
    pub(crate) agent: String,
    /// What the bid that won asked, or of an open auction the lowest so far.
    pub(crate) sats: Option<String>,
    /// How many bids there are in an open auction.
    pub(crate) bids: Option<usize>,
    /// When an open auction ends at the latest.
    pub(crate) closes: Option<SystemTime>,
    pub(crate) given: SystemTime,
}

impl Task {
    /// How long its auction is still open at the most; none where it has none.
    pub(crate) fn left(&self, now: SystemTime) -> Option<Duration> {
        let closes = self.closes?;
        Some(closes.duration_since(now).unwrap_or_default())
    }

    /// Whether a person who looks for this means it.
    pub(crate) fn has(&self, text: &str) -> bool {
        [&*self.id, &self.description, self.status, &self.agent]
            .iter()
            .any(|part| part.to_lowercase().contains(text))
    }
}
