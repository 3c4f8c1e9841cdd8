//! What is open, in memory: who is here, which auctions and attempts are under way, and what is due when.
//!
//! All of it can be read back from the file but the points in time, which begin anew with the process.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, HashMap};
use std::time::Duration;

use alveary_agent::protocol::{AttemptToken, Description, EventId, OpenTask, TaskId, TaskStatus};
use alveary_core::AgentId;
use tokio::time::Instant;

use crate::auction::Auction;
use crate::settings::{Bidders, Settings};

mod members;

pub(crate) use members::{Member, Members};

/// How long an agent that has nothing to do may be silent before only the file remembers it.
pub(crate) const FORGOTTEN: Duration = Duration::from_hours(1);

/// Everything that is open.
#[derive(Debug, Default)]
pub(crate) struct Book {
    pub(crate) members: Members,
    pub(crate) auctions: HashMap<TaskId, OpenAuction>,
    /// The open auctions in the order in which they opened.
    pub(crate) opened: BTreeMap<EventId, TaskId>,
    pub(crate) attempts: HashMap<AttemptToken, OpenAttempt>,
    pub(crate) attempt_at: HashMap<TaskId, AttemptToken>,
    pub(crate) due: Dues,
    pub(crate) tally: Tally,
}

impl Book {
    /// Puts an auction among those that are open.
    pub(crate) fn enter_auction(&mut self, task: TaskId, open: OpenAuction) {
        self.due.at(open.ends, Due::Auction(task, open.number));
        self.opened.insert(open.opened, task);
        self.auctions.insert(task, open);
    }

    /// Puts an attempt among those that are open.
    pub(crate) fn enter_attempt(
        &mut self,
        token: AttemptToken,
        attempt: OpenAttempt,
        settings: &Settings,
    ) {
        let until = self.attempt_until(&attempt, settings);
        self.due.at(until, Due::Attempt(token));
        self.members
            .change(&attempt.agent, |member| member.queue.push_back(token));
        self.attempt_at.insert(attempt.task, token);
        self.attempts.insert(token, attempt);
    }

    /// Until when an attempt counts as alive without another heartbeat.
    ///
    /// One that is not taken up is kept alive by its agent's signs of life, which are looked at with the agent. Here
    /// is what bounds it besides: the agent must do something about its tasks.
    pub(crate) fn attempt_until(&self, attempt: &OpenAttempt, settings: &Settings) -> Instant {
        if attempt.running {
            return attempt.since + settings.heartbeat;
        }
        let member = self.members.get(&attempt.agent);
        let moved = member.map_or(attempt.since, |member| member.moved.max(attempt.since));
        moved + settings.unclaimed
    }

    /// Holds an agent that the file does not have yet.
    pub(crate) fn enter_member(&mut self, id: &AgentId, member: Member) {
        self.due
            .at(member.heard + FORGOTTEN, Due::Silence(id.clone()));
        self.members.enter(id.clone(), member);
    }

    /// Holds an agent as the file has it. It counts as heard of just now.
    pub(crate) fn recall_member(&mut self, id: &AgentId, member: Member, settings: &Settings) {
        self.due
            .at(member.heard + FORGOTTEN, Due::Silence(id.clone()));
        self.members.recall(id.clone(), member);
        self.watch(id, settings);
    }

    /// Until when an agent counts as here without another sign of life; `None` for one that gives none, and for one
    /// that is not here.
    pub(crate) fn lives_until(&self, id: &AgentId, settings: &Settings) -> Option<Instant> {
        let member = self.members.get(id)?;
        let heard_by_name = member.registered || settings.bidders == Bidders::Known;
        let here = member.online && heard_by_name;
        here.then(|| member.heard + settings.heartbeat)
    }

    /// Has an agent looked at when it may have fallen silent.
    pub(crate) fn watch(&mut self, id: &AgentId, settings: &Settings) {
        if let Some(until) = self.lives_until(id, settings) {
            self.due.at(until, Due::Agent(id.clone()));
        }
    }
}

/// An auction under way.
#[derive(Debug, Clone)]
pub(crate) struct OpenAuction {
    pub(crate) auction: Auction,
    pub(crate) description: Description,
    /// Which auction of its task, from 1.
    pub(crate) number: u32,
    /// How many attempts there were before it.
    pub(crate) attempts: u32,
    pub(crate) opened: EventId,
    /// When it ends, if not before.
    pub(crate) ends: Instant,
}

impl OpenAuction {
    pub(crate) fn view(&self, id: TaskId) -> OpenTask {
        OpenTask::new(id, self.description.clone())
            .with_capabilities(self.auction.wanted().clone())
            .with_auction(self.number)
    }
}

/// An attempt under way.
#[derive(Debug, Clone)]
pub(crate) struct OpenAttempt {
    pub(crate) task: TaskId,
    pub(crate) agent: AgentId,
    pub(crate) number: u32,
    pub(crate) running: bool,
    /// When it was given, or its last heartbeat.
    pub(crate) since: Instant,
}

/// What was counted since the file was opened, and how many tasks of each status it holds.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tally {
    pub(crate) tasks: BTreeMap<TaskStatus, u64>,
    pub(crate) bids: u64,
    pub(crate) refused_bids: u64,
    pub(crate) superseded: u64,
    pub(crate) late_reports: u64,
}

impl Tally {
    pub(crate) fn moved(&mut self, from: TaskStatus, to: TaskStatus) {
        if let Some(count) = self.tasks.get_mut(&from) {
            *count = count.saturating_sub(1);
        }
        *self.tasks.entry(to).or_default() += 1;
    }
}

/// Something whose time may have come.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Due {
    /// The end of this auction of a task.
    Auction(TaskId, u32),
    /// A look at whether an attempt still lives.
    Attempt(AttemptToken),
    /// A look at whether an agent still lives.
    Agent(AgentId),
    /// A look at whether an agent needs to be held any longer.
    Silence(AgentId),
}

/// What is due when, the soonest first, and of what is due at once what was entered first.
///
/// Entries are not taken back: who takes one out looks whether it still means anything, and puts it back for later
/// where a heartbeat has come since. So a heartbeat costs nothing here.
#[derive(Debug, Default)]
pub(crate) struct Dues {
    heap: BinaryHeap<Reverse<(Instant, u64, Due)>>,
    entered: u64,
}

impl Dues {
    pub(crate) fn at(&mut self, when: Instant, due: Due) {
        self.entered += 1;
        self.heap.push(Reverse((when, self.entered, due)));
    }

    /// When the soonest is due.
    pub(crate) fn next(&self) -> Option<Instant> {
        self.heap.peek().map(|Reverse((when, ..))| *when)
    }

    /// Takes out one whose time has come.
    pub(crate) fn take(&mut self, now: Instant) -> Option<Due> {
        if self.next()? > now {
            return None;
        }
        self.heap.pop().map(|Reverse((.., due))| due)
    }
}
