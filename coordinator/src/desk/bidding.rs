//! Auctions: they open, take bids and close.

use alveary_agent::protocol::{
    AttemptToken, BidAnswer, Capabilities, Description, EventId, Happening, NewBid, TaskId,
    TaskStatus,
};
use alveary_core::AgentId;

use super::Turn;
use crate::auction::{Auction, Bid};
use crate::book::{Book, OpenAttempt, OpenAuction};
use crate::error::Result;
use crate::settings::{Bidders, NoBids};
use crate::store::{attempts, bids, tasks};

/// How many auctions, the oldest first, are looked at when somebody becomes free. The others end by their own bids
/// or in their own time: no turn is longer for a longer list.
const LOOKED_AT: usize = 256;

/// What is said of a bid for a task that is not open for bids, or is none.
pub(crate) const NO_AUCTION: &str = "No open auction for this task — it may have already closed.";

impl Turn<'_> {
    /// Opens the next auction of a task that stands as `from`.
    pub(super) fn open_auction(
        &mut self,
        task: TaskId,
        description: &Description,
        wanted: &Capabilities,
        number: u32,
        attempts: u32,
        from: TaskStatus,
    ) -> Result<()> {
        self.book.tally.moved(from, TaskStatus::Bidding);
        let opened = self.announce(task, number)?;
        let mut auction = Auction::new(wanted.clone());
        for (agent, sats) in bids::of_auction(self.db, task, number)? {
            auction.bid(agent, sats);
        }
        let open = OpenAuction {
            auction,
            description: description.clone(),
            number,
            attempts,
            opened,
            ends: self.at.now + self.settings.auction,
        };
        self.book.enter_auction(task, open);
        Ok(())
    }

    /// Says, and writes down, that a task is open for bids from now.
    pub(super) fn announce(&mut self, task: TaskId, auction: u32) -> Result<EventId> {
        let opened = self.record(Happening::AuctionOpened { task, auction })?;
        tasks::open(self.db, task, auction, opened)?;
        Ok(opened)
    }

    /// Takes a bid into the task's auction, and ends the auction if it was the last that could come.
    pub(crate) fn bid(&mut self, new: &NewBid) -> Result<BidAnswer> {
        let answer = |accepted: bool, message: String| {
            BidAnswer::new(accepted, new.task_id, new.agent_id.clone(), message)
        };
        self.enter_bidder(new)?;
        let Some(open) = self.book.auctions.get_mut(&new.task_id) else {
            self.book.tally.refused_bids += 1;
            return Ok(answer(false, NO_AUCTION.to_owned()));
        };
        let able = match self.book.members.get(&new.agent_id) {
            Some(member) if member.registered => &member.capabilities,
            _ => &new.capabilities,
        };
        if !able.cover(open.auction.wanted()) {
            self.book.tally.refused_bids += 1;
            let message = format!("The task asks for: {}.", open.auction.wanted());
            return Ok(answer(false, message));
        }
        let number = open.number;
        open.auction.bid(new.agent_id.clone(), new.bid_sats);
        self.changed = true;
        let (task, agent, sats) = (new.task_id, &new.agent_id, new.bid_sats);
        bids::insert(self.db, task, number, agent, sats, self.at.shown)?;
        self.book.tally.bids += 1;
        self.record(Happening::BidPlaced {
            task,
            agent: agent.clone(),
            sats,
        })?;
        if self.is_decided(task) {
            self.close_auction(task)?;
        }
        Ok(answer(true, "Bid accepted.".to_owned()))
    }

    /// Whether a task's auction may end before its time.
    fn is_decided(&mut self, task: TaskId) -> bool {
        let Book {
            auctions, members, ..
        } = &mut *self.book;
        let Some(open) = auctions.get_mut(&task) else {
            return false;
        };
        let wanted = open.auction.wanted().clone();
        let able = |agent: &AgentId| {
            let member = members.get(agent);
            member.is_some_and(|member| member.capabilities.cover(&wanted))
        };
        self.settings.bidders == Bidders::Known && open.auction.is_decided(members.free(), able)
    }

    /// Ends the auctions that are decided now that somebody has become free or is waited for no longer.
    pub(super) fn settle(&mut self) -> Result<()> {
        while std::mem::take(&mut self.freed) && self.settings.bidders == Bidders::Known {
            let oldest = self.book.opened.values().take(LOOKED_AT).copied();
            for task in oldest.collect::<Vec<_>>() {
                if self.book.members.free().is_empty() {
                    break;
                }
                if self.is_decided(task) {
                    self.close_auction(task)?;
                }
            }
        }
        Ok(())
    }

    /// Ends a task's auction: it is the winner's, or auctioned again, or failed.
    pub(super) fn close_auction(&mut self, task: TaskId) -> Result<()> {
        let Some(open) = self.book.auctions.remove(&task) else {
            return Ok(());
        };
        self.changed = true;
        self.book.opened.remove(&open.opened);
        for bidder in open.auction.bidders() {
            self.recall(bidder)?;
        }
        let is_here = |agent: &AgentId| {
            let member = self.book.members.get(agent);
            member.is_some_and(|member| member.online)
        };
        match open.auction.winner(is_here) {
            Some(bid) => self.assign(task, open.attempts + 1, bid),
            None => self.without_bids(task, &open),
        }
    }

    fn assign(&mut self, task: TaskId, number: u32, bid: &Bid) -> Result<()> {
        let token = AttemptToken::random();
        let agent = &bid.agent;
        attempts::insert(self.db, token, task, number, agent, self.at.shown)?;
        tasks::assign(self.db, task, agent, bid.sats, number)?;
        self.book
            .tally
            .moved(TaskStatus::Bidding, TaskStatus::Assigned);
        self.record(Happening::Assigned {
            task,
            agent: agent.clone(),
            sats: bid.sats,
            attempt: number,
        })?;
        let attempt = OpenAttempt {
            task,
            agent: agent.clone(),
            number,
            running: false,
            since: self.at.now,
        };
        self.book.enter_attempt(token, attempt, self.settings);
        self.freed = true;
        self.tell_status(agent, |queue| queue == 1)
    }

    fn without_bids(&mut self, task: TaskId, open: &OpenAuction) -> Result<()> {
        let unheard = open.number - open.attempts;
        let again = match self.settings.no_bids {
            NoBids::Fail => 0,
            NoBids::Retry(times) => times,
        };
        if unheard <= again {
            let (number, wanted) = (open.number + 1, open.auction.wanted());
            let from = TaskStatus::Bidding;
            return self.open_auction(task, &open.description, wanted, number, open.attempts, from);
        }
        let reason = "No agent has bid for the task.";
        self.end_task(task, TaskStatus::Bidding, TaskStatus::Failed, reason, None)
    }
}
