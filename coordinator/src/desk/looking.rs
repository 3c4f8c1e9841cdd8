//! Questions: nothing here changes anything but what is known of who asks.

use std::collections::BTreeMap;
use std::time::Duration;

use alveary_agent::protocol::{
    AgentStatus, AgentView, BidView, Event, EventId, OpenTasks, ProblemKind, TaskId, TaskStatus,
    TaskView,
};
use alveary_core::AgentId;

use super::{Desk, Moment};
use crate::error::{Error, Result};
use crate::store::{agents, bids, events, tasks};

/// The most tasks on a page.
pub const MAX_PAGE: u32 = 500;

/// The most bids that are shown of a task.
const MAX_BIDS: u32 = 1_000;

/// Which tasks are asked for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct TaskFilter {
    /// Those that stand so.
    pub status: Option<TaskStatus>,
    /// Those that this agent has, or had last.
    pub agent: Option<AgentId>,
}

impl TaskFilter {
    /// Asks for those that stand so.
    #[must_use]
    pub fn with_status(mut self, status: TaskStatus) -> Self {
        self.status = Some(status);
        self
    }

    /// Asks for those that this agent has, or had last.
    #[must_use]
    pub fn with_agent(mut self, agent: AgentId) -> Self {
        self.agent = Some(agent);
        self
    }
}

/// Which stretch of the tasks is asked for, in the order in which they were given.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Page {
    /// Those that come after this one; from the beginning without.
    pub after: Option<TaskId>,
    /// How many at most: 1 to [`MAX_PAGE`].
    pub limit: u32,
    /// The newest first instead of the oldest.
    pub newest_first: bool,
}

impl Page {
    /// Begins behind this one.
    #[must_use]
    pub fn with_after(mut self, after: TaskId) -> Self {
        self.after = Some(after);
        self
    }

    /// Sets how many there are at most.
    #[must_use]
    pub fn with_limit(mut self, limit: u32) -> Self {
        self.limit = limit;
        self
    }

    /// Has the newest come first.
    #[must_use]
    pub fn with_newest_first(mut self, newest_first: bool) -> Self {
        self.newest_first = newest_first;
        self
    }
}

impl Default for Page {
    fn default() -> Self {
        Self {
            after: None,
            limit: 100,
            newest_first: false,
        }
    }
}

/// A stretch of the tasks.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct TaskPage {
    /// The tasks.
    pub tasks: Vec<TaskView>,
    /// What to ask for next; `None` at the end.
    pub next: Option<TaskId>,
}

/// An auction under way, for those who watch.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct AuctionView {
    /// Of which task.
    pub task: TaskId,
    /// Which auction of it, from 1.
    pub auction: u32,
    /// How many bids it has.
    pub bids: usize,
    /// How long it lasts at most from now.
    pub left: Duration,
}

/// Numbers about a coordinator, for those who watch.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Metrics {
    /// How many tasks stand how.
    pub tasks: BTreeMap<TaskStatus, u64>,
    /// How many agents stand how.
    pub agents: BTreeMap<AgentStatus, u64>,
    /// Auctions that are open.
    pub open_auctions: u64,
    /// Attempts that are assigned or running.
    pub open_attempts: u64,
    /// Bids that took part in an auction, since the start.
    pub bids: u64,
    /// Bids that were refused, since the start.
    pub refused_bids: u64,
    /// Attempts that ended without a report, since the start.
    pub superseded: u64,
    /// Reports that were refused, since the start.
    pub late_reports: u64,
    /// The place of the last event in the book.
    pub latest_event: EventId,
}

impl Desk {
    pub(crate) fn task(&self, id: TaskId) -> Result<TaskView> {
        tasks::get(&self.store.connection, id)?.ok_or_else(|| Error::no_task(id))
    }

    pub(crate) fn tasks(&self, filter: &TaskFilter, page: &Page) -> Result<TaskPage> {
        let db = &self.store.connection;
        let limit = page.limit.clamp(1, MAX_PAGE);
        let beyond = match page.after {
            None => None,
            Some(id) => Some(tasks::place(db, id)?.ok_or_else(|| {
                Error::new(
                    ProblemKind::Invalid,
                    format!("there is no task {id} to go on after"),
                )
                .with_cure("begin with the first page")
            })?),
        };
        let selection = tasks::Selection {
            status: filter.status,
            agent: filter.agent.as_ref(),
            beyond,
            newest_first: page.newest_first,
            limit: limit + 1,
        };
        let mut tasks = tasks::select(db, &selection)?;
        let more = tasks.len() > limit as usize;
        tasks.truncate(limit as usize);
        let next = tasks.last().filter(|_| more).map(|task| task.id);
        Ok(TaskPage { tasks, next })
    }

    pub(crate) fn bids(&self, task: TaskId) -> Result<Vec<BidView>> {
        self.task(task)?;
        Ok(bids::of_task(&self.store.connection, task, MAX_BIDS)?)
    }

    /// The open tasks, or those that opened after `after`. Who names what has not happened here means another book,
    /// and is told all.
    pub(crate) fn open_tasks(&self, after: Option<EventId>) -> OpenTasks {
        let after = after.filter(|after| *after <= self.latest());
        let from = EventId(after.unwrap_or_default().0.saturating_add(1));
        let opened = self.book.opened.range(from..);
        let view = |(_, task): (_, &TaskId)| Some(self.book.auctions.get(task)?.view(*task));
        OpenTasks::new(opened.filter_map(view).collect()).with_after(self.latest())
    }

    pub(crate) fn assigned(&self) -> Result<Vec<TaskView>> {
        let mut tasks = self
            .book
            .attempts
            .values()
            .filter(|open| !open.running)
            .map(|open| self.task(open.task))
            .collect::<Result<Vec<_>>>()?;
        tasks.sort_by_key(|task| (task.created_at, task.id));
        Ok(tasks)
    }

    pub(crate) fn agents(&self) -> Result<Vec<AgentView>> {
        let recorded = agents::all(&self.store.connection)?;
        let view = |agent: agents::Recorded| match self.book.members.get(&agent.id) {
            Some(member) => member.view(&agent.id),
            None => agent.view(),
        };
        Ok(recorded.into_iter().map(view).collect())
    }

    /// The open auctions, the oldest first, and how long each still lasts at most.
    pub(crate) fn auctions(&self, at: Moment) -> Vec<AuctionView> {
        let view = |task: &TaskId| {
            let open = self.book.auctions.get(task)?;
            Some(AuctionView {
                task: *task,
                auction: open.number,
                bids: open.auction.len(),
                left: open.ends.saturating_duration_since(at.now),
            })
        };
        self.book.opened.values().filter_map(view).collect()
    }

    pub(crate) fn events_after(&self, after: EventId, limit: u32) -> Result<Vec<Event>> {
        Ok(events::after(&self.store.connection, after, limit)?)
    }

    /// From where to tell what happens after an event, and whether something before it cannot be told: events that
    /// were thrown away, or those of another book, where this one has not come so far.
    pub(crate) fn place(&self, after: Option<EventId>) -> (EventId, bool) {
        let latest = self.latest();
        match after {
            None => (latest, false),
            Some(after) if after > latest => (latest, true),
            Some(after) => (after, after < self.kept_from),
        }
    }

    pub(crate) fn metrics(&self) -> Metrics {
        let mut agents = BTreeMap::new();
        for (_, member) in self.book.members.iter() {
            *agents.entry(member.status()).or_default() += 1;
        }
        let elsewhere = self.book.members.elsewhere();
        if elsewhere > 0 {
            *agents.entry(AgentStatus::Offline).or_default() += elsewhere;
        }
        let tally = &self.book.tally;
        Metrics {
            tasks: tally.tasks.clone(),
            agents,
            open_auctions: self.book.auctions.len() as u64,
            open_attempts: self.book.attempts.len() as u64,
            bids: tally.bids,
            refused_bids: tally.refused_bids,
            superseded: tally.superseded,
            late_reports: tally.late_reports,
            latest_event: self.latest(),
        }
    }
}
