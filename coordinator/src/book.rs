//! What is open, in memory: who is here, which auctions and attempts are under way, and what is due when.
//!
//! All of it can be read back from the file but the points in time, which begin anew with the process.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, HashMap, VecDeque};

use alveary_agent::protocol::{
    AgentStatus, AgentView, AttemptToken, Capabilities, Description, EventId, OpenTask, TaskId,
    TaskStatus, Timestamp,
};
use alveary_core::AgentId;
use tokio::time::Instant;

use crate::auction::Auction;
use crate::settings::{Bidders, Settings};

/// Everything that is open.
#[derive(Debug, Default)]
pub(crate) struct Book {
    pub(crate) members: BTreeMap<AgentId, Member>,
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
        if let Some(member) = self.members.get_mut(&attempt.agent) {
            member.queue.push_back(token);
        }
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

    /// Whether an agent has nothing to do and may be expected to bid.
    pub(crate) fn anybody_is_free(&self) -> bool {
        self.members.values().any(Member::is_free)
    }
}

/// An agent that was heard of.
#[derive(Debug, Clone)]
pub(crate) struct Member {
    pub(crate) name: String,
    pub(crate) capabilities: Capabilities,
    /// It presented itself, and so gives signs of life. Others are known by their bids.
    pub(crate) registered: bool,
    pub(crate) online: bool,
    pub(crate) registered_at: Timestamp,
    pub(crate) last_seen: Timestamp,
    /// When `last_seen` was last written into the file.
    pub(crate) saved: Instant,
    /// Its last sign of life.
    pub(crate) heard: Instant,
    /// When it last did something about its tasks.
    pub(crate) moved: Instant,
    /// The attempts that it has, in the order in which it won them.
    pub(crate) queue: VecDeque<AttemptToken>,
}

impl Member {
    /// Somebody of whom nothing is known but that it is here.
    pub(crate) fn new(now: Instant, shown: Timestamp) -> Self {
        Self {
            name: String::new(),
            capabilities: Capabilities::default(),
            registered: false,
            online: true,
            registered_at: shown,
            last_seen: shown,
            saved: now,
            heard: now,
            moved: now,
            queue: VecDeque::new(),
        }
    }

    pub(crate) fn status(&self) -> AgentStatus {
        match (self.online, self.queue.is_empty()) {
            (false, _) => AgentStatus::Offline,
            (true, true) => AgentStatus::Idle,
            (true, false) => AgentStatus::Busy,
        }
    }

    pub(crate) fn is_free(&self) -> bool {
        self.online && self.queue.is_empty()
    }

    pub(crate) fn view(&self, id: &AgentId) -> AgentView {
        AgentView {
            id: id.clone(),
            name: self.name.clone(),
            status: self.status(),
            capabilities: self.capabilities.clone(),
            registered_at: self.registered_at,
            last_seen: self.last_seen,
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
        OpenTask {
            task_id: id,
            description: self.description.clone(),
            status: TaskStatus::Bidding,
            capabilities: self.auction.wanted().clone(),
            auction: self.number,
        }
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
