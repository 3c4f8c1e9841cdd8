//! Where everything is decided: one turn after the other, each a transaction on the file.
//!
//! A [`Desk`] belongs to one thread. It knows no asynchrony and reads no clock: each turn is told when it is. What a
//! turn changes in the file it changes in the [`Book`] too; when a turn fails after it has changed something, the
//! book is read anew.

use alveary_agent::protocol::{Event, EventId, Happening, Timestamp};
use rusqlite::{Connection, TransactionBehavior};
use tokio::time::Instant;

use crate::book::Book;
use crate::error::Result;
use crate::settings::Settings;
use crate::store::{self, Store};

mod bidding;
mod giving;
mod living;
mod looking;
mod recovery;
mod reporting;
mod working;

pub(crate) use bidding::NO_AUCTION;
pub use giving::IdempotencyKey;
pub use looking::{AuctionView, MAX_PAGE, Metrics, Page, TaskFilter, TaskPage};
pub(crate) use reporting::Outcome;

/// How many events may lie about beyond those that are kept, before they are thrown away together.
const SWEEP_EVERY: u64 = 1024;

/// When a turn is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment {
    /// By the monotonic clock, which decides.
    pub(crate) now: Instant,
    /// By the wall clock, which is for showing.
    pub(crate) shown: Timestamp,
}

/// The file, what is open in it, and how to go about both.
#[derive(Debug)]
pub(crate) struct Desk {
    store: Store,
    book: Book,
    settings: Settings,
    /// The book may not be what the file holds.
    stale: bool,
    outbox: Vec<Event>,
    kept_from: EventId,
    latest: EventId,
}

/// One transaction.
pub(crate) struct Turn<'a> {
    db: &'a Connection,
    book: &'a mut Book,
    settings: &'a Settings,
    at: Moment,
    events: Vec<Event>,
    /// The book was changed in what the file must hold too.
    changed: bool,
    /// Somebody became free, or was freed from being waited for.
    freed: bool,
}

impl Desk {
    /// Opens the book and takes up what an earlier coordinator has left, as the settings say.
    pub(crate) fn open(store: Store, settings: Settings, at: Moment) -> Result<Self> {
        let latest = store::events::latest(&store.connection)?;
        let kept_from = store::events::before_first(&store.connection)?.unwrap_or(latest);
        let mut desk = Self {
            store,
            book: Book::default(),
            settings,
            stale: true,
            outbox: Vec::new(),
            kept_from,
            latest,
        };
        desk.turn(at, |turn| turn.recover())?;
        Ok(desk)
    }

    /// Takes a turn: all of it, or nothing. What it has recorded is in the [outbox](Self::take_events) then.
    pub(crate) fn turn<T>(
        &mut self,
        at: Moment,
        act: impl FnOnce(&mut Turn<'_>) -> Result<T>,
    ) -> Result<T> {
        if self.stale {
            self.book = recovery::read(&self.store.connection, &self.settings, at)?;
            self.stale = false;
        }
        let transaction = self
            .store
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut turn = Turn {
            db: &transaction,
            book: &mut self.book,
            settings: &self.settings,
            at,
            events: Vec::new(),
            changed: false,
            freed: false,
        };
        let outcome = act(&mut turn).and_then(|value| {
            turn.settle()?;
            Ok(value)
        });
        let Turn {
            events, changed, ..
        } = turn;
        let outcome = match outcome {
            Ok(value) => transaction.commit().map(|()| value).map_err(Into::into),
            Err(error) => transaction.rollback().map_err(Into::into).and(Err(error)),
        };
        match &outcome {
            Ok(_) => self.publish(events),
            Err(_) => self.stale = changed,
        }
        outcome
    }

    fn publish(&mut self, events: Vec<Event>) {
        if let Some(last) = events.last() {
            self.latest = last.id;
        }
        self.outbox.extend(events);
    }

    /// What was recorded since the last time.
    pub(crate) fn take_events(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.outbox)
    }

    /// Throws away events beyond those that are kept, when enough of them have gathered.
    pub(crate) fn forget(&mut self) -> Result<()> {
        let keep_from = EventId(self.latest.0.saturating_sub(self.settings.keep_events));
        if keep_from.0 >= self.kept_from.0 + SWEEP_EVERY {
            store::events::forget(&self.store.connection, keep_from)?;
            self.kept_from = keep_from;
        }
        Ok(())
    }

    /// When something is next due.
    pub(crate) fn next_due(&self) -> Option<Instant> {
        self.book.due.next()
    }

    /// The place of the last event.
    pub(crate) fn latest(&self) -> EventId {
        self.latest
    }
}

impl Turn<'_> {
    /// Writes down what happened.
    fn record(&mut self, what: Happening) -> Result<EventId> {
        let at = self.at.shown;
        self.changed = true;
        let id = store::events::append(self.db, &what, at)?;
        self.events.push(Event { id, at, what });
        Ok(id)
    }
}
