//! Where everything is decided: one turn after the other, each all of it or nothing.
//!
//! A [`Desk`] belongs to one thread. It knows no asynchrony and reads no clock: each turn is told when it is. What a
//! turn changes in the file it changes in the [`Book`] too; when a turn fails after it has changed something, the
//! book is read anew.
//!
//! Turns that come together are a [`Group`]: one transaction, in which each is a savepoint. What they have done is
//! so when [`Desk::commit`] says so, and nobody is told before.

use alveary_agent::protocol::{Event, EventId, Happening, Timestamp};
use rusqlite::Connection;
use tokio::time::Instant;

use crate::book::Book;
use crate::error::{Error, Result};
use crate::settings::Settings;
use crate::store::{self, Store};

mod bidding;
mod giving;
mod living;
mod looking;
mod recovery;
mod reporting;
mod working;

#[cfg(feature = "http")]
pub(crate) use bidding::NO_AUCTION;
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
    group: Option<Group>,
    outbox: Vec<Event>,
    kept_from: EventId,
    latest: EventId,
}

/// The turns of a transaction that is open.
#[derive(Debug)]
struct Group {
    /// The last event before it.
    before: EventId,
    events: Vec<Event>,
    /// Why it cannot be kept any more.
    broken: Option<Error>,
}

/// One turn.
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
            group: None,
            outbox: Vec::new(),
            kept_from,
            latest,
        };
        let recovered = desk.turn(at, |turn| turn.recover());
        desk.commit().and(recovered)?;
        Ok(desk)
    }

    /// Takes a turn: all of it, or nothing. It is kept by the [`commit`](Self::commit) that comes after.
    pub(crate) fn turn<T>(
        &mut self,
        at: Moment,
        act: impl FnOnce(&mut Turn<'_>) -> Result<T>,
    ) -> Result<T> {
        if self.stale {
            self.book = recovery::read(&self.store.connection, &self.settings, at)?;
            self.stale = false;
        }
        let db = &self.store.connection;
        let group = match &mut self.group {
            Some(group) => group,
            none => {
                store::say(db, "BEGIN IMMEDIATE")?;
                none.insert(Group {
                    before: self.latest,
                    events: Vec::new(),
                    broken: None,
                })
            }
        };
        if let Some(error) = &group.broken {
            return Err(error.clone());
        }
        store::say(db, "SAVEPOINT turn")?;
        let mut turn = Turn {
            db,
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
        let undone = match &outcome {
            Ok(_) => Ok(()),
            Err(_) => store::say(db, "ROLLBACK TO turn"),
        };
        // Of what SQLite has undone by itself nothing is left to be released: nor is what came before this turn.
        if let Err(error) = undone.and_then(|()| store::say(db, "RELEASE turn")) {
            let error = Error::from(error);
            group.broken = Some(error.clone());
            self.stale = true;
            return outcome.and(Err(error));
        }
        match &outcome {
            Ok(_) => {
                if let Some(last) = events.last() {
                    self.latest = last.id;
                }
                group.events.extend(events);
            }
            Err(_) => self.stale |= changed,
        }
        outcome
    }

    /// Whether what the turns since the last commit have done is lost: a commit will say so.
    pub(crate) fn has_broken(&self) -> bool {
        let group = self.group.as_ref();
        group.is_some_and(|group| group.broken.is_some())
    }

    /// Has the file keep the turns since the last time: all those that succeeded, or none.
    pub(crate) fn commit(&mut self) -> Result<()> {
        let Some(group) = self.group.take() else {
            return Ok(());
        };
        let db = &self.store.connection;
        let kept = match group.broken {
            None => store::say(db, "COMMIT").map_err(Error::from),
            Some(error) => Err(error),
        };
        match &kept {
            Ok(()) => self.outbox.extend(group.events),
            Err(_) => {
                if !db.is_autocommit()
                    && let Err(error) = store::say(db, "ROLLBACK")
                {
                    tracing::warn!("what was not kept is not undone: {error}");
                }
                self.latest = group.before;
                self.stale = true;
            }
        }
        kept
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
        self.events.push(Event::new(id, at, what));
        Ok(id)
    }
}
