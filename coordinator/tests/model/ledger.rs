//! What the events add up to, and whether each may happen when it does.

use std::collections::{BTreeMap, BTreeSet};

use alveary_agent::protocol::{
    AgentStatus, Capabilities, Event, EventId, Happening, Sats, TaskId, TaskStatus,
};
use alveary_coordinator::{Bidders, Recovery};
use alveary_core::AgentId;
use tokio::time::Instant;

use super::play::{AUCTION, HEARTBEAT, Rules, Step, UNCLAIMED};

pub(crate) const RESTARTED: &str = "Server restarted — task did not complete.";

/// A task, as far as it was told.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) status: TaskStatus,
    pub(crate) wanted: Capabilities,
    pub(crate) auctions: u32,
    pub(crate) attempts: u32,
    pub(crate) ends: Instant,
    pub(crate) bids: Vec<(AgentId, Sats)>,
    pub(crate) by: Option<AgentId>,
    pub(crate) winning: Option<Sats>,
    pub(crate) result: Option<String>,
    /// When the open attempt was given or last kept alive.
    pub(crate) kept: Instant,
    /// Its attempt was lost, and what becomes of it comes next.
    hangs: bool,
    completions: u32,
}

/// An agent, as far as it was told or has spoken.
#[derive(Debug, Clone)]
pub(crate) struct Known {
    pub(crate) able: Capabilities,
    pub(crate) registered: bool,
    pub(crate) online: bool,
    pub(crate) heard: Instant,
    pub(crate) moved: Instant,
    /// The open attempts, in the order in which they were won.
    pub(crate) queue: Vec<(TaskId, u32)>,
    told: AgentStatus,
}

impl Known {
    /// How it must stand.
    pub(crate) fn stands(&self) -> AgentStatus {
        match (self.online, self.queue.is_empty()) {
            (false, _) => AgentStatus::Offline,
            (true, true) => AgentStatus::Idle,
            (true, false) => AgentStatus::Busy,
        }
    }
}

#[derive(Debug)]
pub(crate) struct Ledger {
    rules: Rules,
    pub(crate) tasks: BTreeMap<TaskId, Entry>,
    pub(crate) agents: BTreeMap<AgentId, Known>,
    pub(crate) latest: EventId,
    pub(crate) late_reports: u64,
}

impl Ledger {
    pub(crate) fn new(rules: Rules) -> Self {
        Self {
            rules,
            tasks: BTreeMap::new(),
            agents: BTreeMap::new(),
            latest: EventId(0),
            late_reports: 0,
        }
    }

    /// An agent says what it can do, by presenting itself or by its bid.
    pub(crate) fn meet(
        &mut self,
        id: &AgentId,
        able: &Capabilities,
        registers: bool,
        now: Instant,
    ) {
        let known = self.agents.entry(id.clone()).or_insert_with(|| Known {
            able: Capabilities::default(),
            registered: false,
            online: true,
            heard: now,
            moved: now,
            queue: Vec::new(),
            told: AgentStatus::Idle,
        });
        if registers || !known.registered {
            known.able = able.clone();
        }
        known.registered |= registers;
        known.heard = now;
    }

    pub(crate) fn hear(&mut self, id: &AgentId, now: Instant) {
        if let Some(known) = self.agents.get_mut(id) {
            known.heard = now;
        }
    }

    /// Everything begins its time anew.
    pub(crate) fn restart(&mut self, now: Instant) {
        self.late_reports = 0;
        for known in self.agents.values_mut() {
            (known.heard, known.moved) = (now, now);
        }
        for entry in self.tasks.values_mut() {
            (entry.kept, entry.ends) = (now, now + AUCTION);
        }
    }

    /// Takes an event down, if it may happen.
    pub(crate) fn enter(&mut self, event: &Event, step: Step, now: Instant) {
        assert_eq!(event.id.0, self.latest.0 + 1, "a gap before {event:?}");
        self.latest = event.id;
        match &event.what {
            Happening::TaskAdded { task } => {
                // The world enters what it has given before it looks at events.
                let entry = &self.tasks[task];
                assert_eq!(entry.status, TaskStatus::Pending, "{event:?}");
            }
            Happening::AuctionOpened { task, auction } => self.opened(*task, *auction, step, now),
            Happening::BidPlaced { task, agent, sats } => {
                let entry = self.tasks.get_mut(task).unwrap();
                assert_eq!(entry.status, TaskStatus::Bidding, "{event:?}");
                entry.bids.push((agent.clone(), *sats));
            }
            Happening::Assigned {
                task,
                agent,
                sats,
                attempt,
            } => {
                self.assigned(*task, agent, *sats, *attempt, now);
            }
            Happening::Started {
                task,
                agent,
                attempt,
            } => {
                let entry = self.open(*task, agent, *attempt);
                assert_eq!(entry.status, TaskStatus::Assigned, "{event:?}");
                entry.status = TaskStatus::Running;
                entry.kept = now;
            }
            Happening::Superseded {
                task,
                agent,
                attempt,
                ..
            } => {
                self.may_be_lost(*task, agent, step, now);
                self.open(*task, agent, *attempt).hangs = true;
                self.free(*task, agent);
            }
            Happening::LateReport { .. } => self.late_reports += 1,
            Happening::Completed { task, agent } => {
                let number = self.tasks[task].attempts;
                let entry = self.open(*task, agent, number);
                entry.status = TaskStatus::Completed;
                entry.completions += 1;
                assert_eq!(entry.completions, 1, "{event:?}");
                self.free(*task, agent);
            }
            Happening::Failed {
                task,
                agent,
                reason,
            } => {
                self.failed(*task, agent.as_ref(), reason, step, now);
            }
            Happening::AgentRegistered { agent, .. } => {
                assert!(self.agents[agent].registered, "{event:?}");
            }
            Happening::AgentChanged { agent, status } => {
                let known = self.agents.get_mut(agent).unwrap();
                let gone = matches!(step, Step::Gone { .. });
                known.told = *status;
                known.online = *status != AgentStatus::Offline;
                let may = known.online || gone || now >= known.heard + HEARTBEAT;
                assert!(may, "{event:?}");
            }
            other => panic!("nobody knows of {other:?}"),
        }
    }

    /// The task's open attempt, which must be this one.
    fn open(&mut self, task: TaskId, agent: &AgentId, attempt: u32) -> &mut Entry {
        let entry = self.tasks.get_mut(&task).unwrap();
        let open = matches!(entry.status, TaskStatus::Assigned | TaskStatus::Running);
        assert!(
            open && !entry.hangs,
            "{task} has no open attempt: {entry:?}"
        );
        assert_eq!((entry.by.as_ref(), entry.attempts), (Some(agent), attempt));
        entry
    }

    fn free(&mut self, task: TaskId, agent: &AgentId) {
        let known = self.agents.get_mut(agent).unwrap();
        let before = known.queue.len();
        known.queue.retain(|(held, _)| *held != task);
        assert_eq!(known.queue.len() + 1, before);
    }

    fn opened(&mut self, task: TaskId, auction: u32, step: Step, now: Instant) {
        let nobody = self.winner(&self.tasks[&task]).is_none();
        let agents = &self.agents;
        let entry = self.tasks.get_mut(&task).unwrap();
        let again = entry.status == TaskStatus::Bidding && auction == entry.auctions;
        if again {
            // The same auction once more, with its bids.
            assert!(matches!(step, Step::Restart), "{entry:?}");
        } else {
            assert_eq!(auction, entry.auctions + 1);
            match entry.status {
                TaskStatus::Pending => assert_eq!(auction, 1),
                TaskStatus::Bidding => {
                    assert!(nobody && now >= entry.ends, "{entry:?}");
                    assert!(
                        entry.auctions - entry.attempts <= self.rules.retries,
                        "{entry:?}"
                    );
                }
                _ => {
                    assert!(entry.hangs, "{entry:?}");
                    assert!(entry.attempts < self.rules.attempts, "{entry:?}");
                }
            }
            let loser = entry.by.take();
            let stands = |(agent, _): &(AgentId, Sats)| {
                entry.hangs
                    && self.rules.bidders == Bidders::Anybody
                    && Some(agent) != loser.as_ref()
                    && !agents[agent].registered
            };
            entry.bids = entry
                .bids
                .iter()
                .filter(|bid| stands(bid))
                .cloned()
                .collect();
        }
        entry.auctions = auction;
        entry.status = TaskStatus::Bidding;
        entry.hangs = false;
        entry.winning = None;
        entry.ends = now + AUCTION;
    }

    /// Who is to win: the first of the lowest, among those who are here.
    fn winner<'a>(&self, entry: &'a Entry) -> Option<&'a (AgentId, Sats)> {
        let here = |bid: &&(AgentId, Sats)| self.agents[&bid.0].online;
        let mut here = entry.bids.iter().filter(here);
        let first = here.next()?;
        Some(here.fold(first, |best, bid| if bid.1 < best.1 { bid } else { best }))
    }

    /// Whether nobody is left to wait for.
    pub(crate) fn is_decided(&self, entry: &Entry) -> bool {
        let bidders: BTreeSet<_> = entry.bids.iter().map(|(agent, _)| agent).collect();
        let free = self.agents.iter().filter(|(_, known)| {
            known.online && known.queue.is_empty() && known.able.cover(&entry.wanted)
        });
        let mut free = free.peekable();
        self.rules.bidders == Bidders::Known
            && free.peek().is_some()
            && free.all(|(agent, _)| bidders.contains(agent))
    }

    fn assigned(&mut self, task: TaskId, agent: &AgentId, sats: Sats, attempt: u32, now: Instant) {
        let entry = &self.tasks[&task];
        assert_eq!(entry.status, TaskStatus::Bidding);
        assert_eq!(
            self.winner(entry),
            Some(&(agent.clone(), sats)),
            "{entry:?}"
        );
        assert!(
            now >= entry.ends || self.is_decided(entry),
            "too early: {entry:?}"
        );
        assert_eq!(attempt, entry.attempts + 1);
        let entry = self.tasks.get_mut(&task).unwrap();
        entry.status = TaskStatus::Assigned;
        entry.attempts = attempt;
        entry.by = Some(agent.clone());
        entry.winning = Some(sats);
        entry.kept = now;
        self.agents
            .get_mut(agent)
            .unwrap()
            .queue
            .push((task, attempt));
    }

    /// Nobody loses a task who has done what it must.
    fn may_be_lost(&self, task: TaskId, agent: &AgentId, step: Step, now: Instant) {
        let (entry, known) = (&self.tasks[&task], &self.agents[agent]);
        let silent = now >= known.heard + HEARTBEAT;
        let forgotten = match entry.status {
            TaskStatus::Running => now >= entry.kept + HEARTBEAT,
            _ => now >= known.moved.max(entry.kept) + UNCLAIMED,
        };
        let gone = matches!(step, Step::Gone { .. });
        assert!(silent || forgotten || gone, "{entry:?} {known:?}");
    }

    fn failed(
        &mut self,
        task: TaskId,
        agent: Option<&AgentId>,
        reason: &str,
        step: Step,
        now: Instant,
    ) {
        let entry = &self.tasks[&task];
        assert!(!entry.status.is_over(), "{entry:?}");
        assert_eq!(entry.by.as_ref(), agent, "{entry:?}");
        match (entry.status, reason) {
            (_, "Cancelled.") => assert!(matches!(step, Step::Cancel { .. })),
            (_, RESTARTED) => {
                let recovery = self.rules.recovery;
                assert!(matches!(step, Step::Restart) && recovery == Recovery::Fail);
            }
            (TaskStatus::Bidding, _) => {
                assert_eq!(reason, "No agent has bid for the task.");
                assert!(self.winner(entry).is_none(), "{entry:?}");
                assert!(now >= entry.ends, "{entry:?}");
                assert!(
                    entry.auctions - entry.attempts > self.rules.retries,
                    "{entry:?}"
                );
            }
            _ if entry.hangs => {
                assert!(reason.starts_with("Given up after"), "{reason}");
                assert!(entry.attempts >= self.rules.attempts, "{entry:?}");
            }
            _ => {
                let reported = matches!(step, Step::Report { .. } | Step::ReportAssigned { .. });
                assert!(reported, "{reason}: {entry:?}");
            }
        }
        let held = !entry.hangs && entry.status != TaskStatus::Bidding;
        if held {
            self.free(task, agent.unwrap());
        }
        let entry = self.tasks.get_mut(&task).unwrap();
        entry.hangs = false;
        entry.status = TaskStatus::Failed;
        entry.result = Some(reason.to_owned());
    }

    /// A task that was just given.
    pub(crate) fn given(&mut self, task: TaskId, wanted: Capabilities, now: Instant) {
        let entry = Entry {
            status: TaskStatus::Pending,
            wanted,
            auctions: 0,
            attempts: 0,
            ends: now + AUCTION,
            bids: Vec::new(),
            by: None,
            winning: None,
            result: None,
            kept: now,
            hangs: false,
            completions: 0,
        };
        assert!(self.tasks.insert(task, entry).is_none());
    }

    /// Nothing is left undone that is due.
    pub(crate) fn is_up_to_date(&self, now: Instant) {
        for (task, entry) in &self.tasks {
            assert!(!entry.hangs, "nothing has become of {task}: {entry:?}");
            match entry.status {
                TaskStatus::Pending => panic!("no auction of {task} was opened"),
                TaskStatus::Bidding => {
                    assert!(now < entry.ends, "{task} is over: {entry:?}");
                    assert!(!self.is_decided(entry), "{task} is decided: {entry:?}");
                }
                TaskStatus::Running => assert!(now < entry.kept + HEARTBEAT, "{entry:?}"),
                TaskStatus::Assigned => {
                    let moved = self.agents[entry.by.as_ref().unwrap()].moved;
                    assert!(now < moved.max(entry.kept) + UNCLAIMED, "{entry:?}");
                }
                TaskStatus::Completed | TaskStatus::Failed => {}
            }
        }
        for (agent, known) in &self.agents {
            let speaks = known.registered || self.rules.bidders == Bidders::Known;
            assert_eq!(known.told, known.stands(), "{agent}: {known:?}");
            let silent = known.online && speaks && now >= known.heard + HEARTBEAT;
            assert!(!silent, "{agent} is silent: {known:?}");
        }
    }
}
