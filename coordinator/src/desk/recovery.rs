//! What an earlier coordinator has left.

use alveary_agent::protocol::{TaskId, TaskStatus};
use rusqlite::Connection;

use super::{Moment, Turn};
use crate::auction::Auction;
use crate::book::{Book, Members, OpenAttempt, OpenAuction};
use crate::error::Result;
use crate::settings::{Recovery, Settings};
use crate::store::attempts::State;
use crate::store::{agents, attempts, bids, tasks};

/// The result of tasks that a restart ends, in the words of the system that alveary replaces.
const RESTARTED: &str = "Server restarted — task did not complete.";

/// Reads what is open from the file. All times begin now.
pub(super) fn read(db: &Connection, settings: &Settings, at: Moment) -> Result<Book> {
    let mut book = Book::default();
    book.tally.tasks.extend(tasks::counts(db)?);
    book.members = Members::of(agents::count(db)?);
    for agent in agents::online(db)? {
        book.recall_member(&agent.id, agent.member(at.now), settings);
    }
    for attempt in attempts::open(db)? {
        let open = OpenAttempt {
            task: attempt.task,
            agent: attempt.agent,
            number: attempt.number,
            running: attempt.state == State::Running,
            since: at.now,
        };
        book.enter_attempt(attempt.token, open, settings);
    }
    for task in tasks::open_for_bids(db)? {
        let mut auction = Auction::new(task.capabilities);
        for (agent, sats) in bids::of_auction(db, task.id, task.auctions)? {
            auction.bid(agent, sats);
        }
        let open = OpenAuction {
            auction,
            description: task.description,
            number: task.auctions,
            attempts: task.attempts,
            opened: task.opened,
            ends: at.now + settings.auction,
        };
        book.enter_auction(task.id, open);
    }
    Ok(book)
}

impl Turn<'_> {
    /// Takes up what is open, or ends it, as the settings say.
    pub(super) fn recover(&mut self) -> Result<()> {
        let auctions: Vec<(TaskId, u32)> = {
            let in_order = self.book.opened.values();
            let number = |task: &TaskId| Some((*task, self.book.auctions.get(task)?.number));
            in_order.filter_map(number).collect()
        };
        match self.settings.recovery {
            Recovery::Reauction => {
                // A bid may have been lost on its way to the coordinator that was: who bids hears of it again.
                for (task, number) in auctions {
                    let opened = self.announce(task, number)?;
                    if let Some(open) = self.book.auctions.get_mut(&task) {
                        self.book.opened.remove(&open.opened);
                        open.opened = opened;
                        self.book.opened.insert(opened, task);
                    }
                }
            }
            Recovery::Fail => {
                for (task, _) in auctions {
                    self.drop_auction(task);
                    let (from, to) = (TaskStatus::Bidding, TaskStatus::Failed);
                    self.end_task(task, from, to, RESTARTED, None)?;
                }
                let attempts: Vec<_> = self.book.attempts.keys().copied().collect();
                for token in attempts {
                    if let Some(attempt) = self.leave_attempt(token, State::Superseded)? {
                        let (from, to) = (attempt.status(), TaskStatus::Failed);
                        self.end_task(attempt.task, from, to, RESTARTED, Some(&attempt.agent))?;
                    }
                }
            }
        }
        Ok(())
    }
}
