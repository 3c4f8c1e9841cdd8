//! The coordinator, its file, and what is known of both.

use std::collections::BTreeMap;
use std::sync::mpsc;
use std::time::Duration;

use alveary_agent::protocol::{
    AttemptToken, Capabilities, ClaimRequest, Completion, Failure, NewBid, NewTask, ProblemKind,
    Pulse, Registration, Sats, TaskId, TaskStatus, TaskView,
};
use alveary_coordinator::{Coordinator, Database, MAX_PAGE, Page, Result, TaskFilter};
use alveary_core::AgentId;
use futures_util::StreamExt as _;
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};
use tokio::time::Instant;

use super::ledger::Ledger;
use super::play::{AGENTS, Rules, Step};

/// The system under test.
pub(crate) struct World {
    // Before the runtime, which ends when nothing blocks any more.
    _still: mpsc::Sender<()>,
    state: State,
    runtime: Runtime,
}

struct State {
    rules: Rules,
    folder: TempDir,
    coordinator: Coordinator,
    ledger: Ledger,
    /// The tasks in the order in which they were given.
    given: Vec<TaskId>,
    claimed: Vec<Claimed>,
}

/// An attempt whose token was told.
#[derive(Debug, Clone)]
struct Claimed {
    task: TaskId,
    number: u32,
    agent: AgentId,
    token: AttemptToken,
    accepted: Option<(bool, String)>,
}

fn agent(number: u8) -> AgentId {
    AgentId::new(format!("a{number}")).unwrap()
}

/// Some say in their bids that they can sing.
fn says(number: u8) -> Capabilities {
    let able = if number.is_multiple_of(2) { "sing" } else { "" };
    able.parse().unwrap()
}

fn database(folder: &TempDir) -> Database {
    Database::File(folder.path().join("book"))
}

impl World {
    pub(crate) fn new(rules: Rules) -> Self {
        let runtime = Builder::new_current_thread()
            .enable_all()
            .start_paused(true)
            .build()
            .unwrap();
        // The clock stands still while something blocks: it does not see that the coordinator's thread works.
        let (still, moving) = mpsc::channel::<()>();
        runtime.spawn_blocking(move || moving.recv());
        let folder = tempfile::tempdir().unwrap();
        let opened = Coordinator::open(rules.settings(), database(&folder));
        let coordinator = runtime.block_on(opened).unwrap();
        let state = State {
            rules,
            folder,
            coordinator,
            ledger: Ledger::new(rules),
            given: Vec::new(),
            claimed: Vec::new(),
        };
        Self {
            _still: still,
            state,
            runtime,
        }
    }

    pub(crate) fn take(&mut self, step: Step) {
        let state = &mut self.state;
        self.runtime.block_on(async {
            // No two things are done at the same time.
            state.pass(Duration::from_millis(1)).await;
            state.audit(Step::Pass { millis: 1 }).await;
            state.take(step).await;
            state.audit(step).await;
        });
    }

    /// The file is whole at the end, and holds what it promises by itself.
    pub(crate) fn end(self) {
        self.runtime.block_on(self.state.coordinator.close());
        let file = rusqlite::Connection::open(self.state.folder.path().join("book")).unwrap();
        let text = |sql| {
            file.query_row(sql, [], |row| row.get::<_, String>(0))
                .unwrap()
        };
        assert_eq!(text("PRAGMA integrity_check"), "ok");
        let twice = "SELECT cast(count(*) AS TEXT) FROM (SELECT 1 FROM attempts
            WHERE state = 'completed' GROUP BY task HAVING count(*) > 1)";
        assert_eq!(text(twice), "0");
    }
}

impl State {
    async fn pass(&self, time: Duration) {
        self.settle().await;
        tokio::time::advance(time).await;
        self.settle().await;
    }

    async fn settle(&self) {
        for _ in 0..2 {
            self.coordinator.metrics().await.unwrap();
            for _ in 0..16 {
                tokio::task::yield_now().await;
            }
        }
    }

    fn task(&self, number: u8) -> Option<TaskId> {
        // The last ones are the livelier.
        let from = self.given.len().saturating_sub(12);
        let last = &self.given[from..];
        last.get(usize::from(number) % last.len().max(1)).copied()
    }

    /// What an agent holds as far as it knows: what was claimed and is open.
    fn holds(&self, id: &AgentId) -> Vec<AttemptToken> {
        let queue = self.ledger.agents.get(id).map(|known| known.queue.clone());
        let held = queue.unwrap_or_default();
        let of = |(task, number)| {
            let same = |claimed: &&Claimed| claimed.task == task && claimed.number == number;
            self.claimed.iter().find(same).map(|claimed| claimed.token)
        };
        held.into_iter().filter_map(of).collect()
    }

    async fn take(&mut self, step: Step) {
        match step {
            Step::Add { many, sing } => self.add(many, if sing { "sing" } else { "" }).await,
            Step::Register { agent: who, sings } => {
                let able: Capabilities = if sings { "sing" } else { "dance" }.parse().unwrap();
                self.ledger.meet(&agent(who), &able, true, Instant::now());
                let registration =
                    Registration::new(agent(who), format!("{able}")).with_capabilities(able);
                self.coordinator.register(registration).await.unwrap();
            }
            Step::Bid { agent, task, sats } => self.bid(agent, task, sats, step).await,
            Step::Rush { task, sats } => {
                for (agent, sats) in (0..AGENTS).zip(sats) {
                    self.bid(agent, task, sats, step).await;
                }
            }
            Step::Claim { agent, forgets } => self.claim(agent, forgets).await,
            Step::Report {
                attempt,
                done,
                right,
            } => self.report(attempt, done, right).await,
            Step::ReportAssigned { agent, task, done } => {
                self.report_assigned(agent, task, done).await;
            }
            Step::Pulse { agent: who, names } => self.pulse(&agent(who), names).await,
            Step::Alive { agent: who } => {
                self.ledger.hear(&agent(who), Instant::now());
                self.coordinator.alive(&[agent(who)]).await.unwrap();
            }
            Step::Gone { agent: who } => self.coordinator.gone(&agent(who)).await.unwrap(),
            Step::Cancel { task } => {
                let Some(task) = self.task(task) else { return };
                let over = self.ledger.tasks[&task].status.is_over();
                let cancelled = self.coordinator.cancel(task).await;
                assert_eq!(cancelled.is_err(), over);
            }
            Step::Pass { millis } => self.pass(Duration::from_millis(millis)).await,
            Step::Restart => {
                self.coordinator.close().await;
                self.ledger.restart(Instant::now());
                let settings = self.rules.settings();
                let opened = Coordinator::open(settings, database(&self.folder)).await;
                self.coordinator = opened.unwrap();
            }
        }
    }

    async fn add(&mut self, many: u8, wanted: &str) {
        let task = NewTask::new("sing".parse().unwrap()).with_capabilities(wanted.parse().unwrap());
        let tasks = vec![task.clone(); usize::from(many)];
        let added = self.coordinator.add(tasks, None).await.unwrap();
        assert_eq!(added.len(), usize::from(many));
        for view in added {
            self.given.push(view.id);
            self.ledger
                .given(view.id, task.capabilities.clone(), Instant::now());
        }
    }

    async fn bid(&mut self, who: u8, task: u8, sats: u8, step: Step) {
        let Some(task) = self.task(task) else { return };
        self.ledger
            .meet(&agent(who), &says(who), false, Instant::now());
        let entry = &self.ledger.tasks[&task];
        let open = entry.status == TaskStatus::Bidding;
        let able = self.ledger.agents[&agent(who)].able.cover(&entry.wanted);
        let bid = NewBid::new(task, agent(who), Sats::new(u64::from(sats)).unwrap())
            .with_capabilities(says(who));
        let answer = self.coordinator.bid(bid).await.unwrap();
        // What it can do is looked at as this very bid says it.
        assert_eq!(answer.accepted, open && able, "{answer:?}");
        self.audit(step).await;
    }

    async fn claim(&mut self, who: u8, forgets: bool) {
        let id = agent(who);
        let holding = if forgets { Vec::new() } else { self.holds(&id) };
        let request = ClaimRequest::new(id.clone()).with_holding(holding.clone());
        let claimed = self.coordinator.claim(request).await;
        let now = Instant::now();
        let Some(known) = self.ledger.agents.get_mut(&id) else {
            assert_eq!(claimed.unwrap_err().kind(), ProblemKind::NotFound);
            return;
        };
        known.heard = now;
        // First what runs and is not held, then what waits; the first that was won.
        let runs =
            |(task, _): &&(TaskId, u32)| self.ledger.tasks[task].status == TaskStatus::Running;
        let known = &self.ledger.agents[&id];
        let lost = known.queue.iter().filter(runs).find(|(task, number)| {
            let same = |claimed: &&Claimed| (claimed.task, claimed.number) == (*task, *number);
            let token = self.claimed.iter().find(same).map(|claimed| claimed.token);
            token.is_none_or(|token| !holding.contains(&token))
        });
        let expected = lost
            .or_else(|| known.queue.iter().find(|held| !runs(held)))
            .copied();
        let claim = claimed.unwrap();
        assert_eq!(
            claim.as_ref().map(|claim| (claim.task_id, claim.number)),
            expected
        );
        let Some(claim) = claim else { return };
        self.ledger.agents.get_mut(&id).unwrap().moved = now;
        let entry = self.ledger.tasks.get_mut(&claim.task_id).unwrap();
        if entry.status == TaskStatus::Running {
            entry.kept = now;
        }
        let same = |known: &&Claimed| (known.task, known.number) == (claim.task_id, claim.number);
        match self.claimed.iter().find(same) {
            Some(known) => assert_eq!(known.token, claim.attempt),
            None => self.claimed.push(Claimed {
                task: claim.task_id,
                number: claim.number,
                agent: id,
                token: claim.attempt,
                accepted: None,
            }),
        }
    }

    /// Whether this is the attempt that a task is open for.
    fn is_open(&self, task: TaskId, number: u32) -> bool {
        let entry = &self.ledger.tasks[&task];
        let open = matches!(entry.status, TaskStatus::Assigned | TaskStatus::Running);
        open && entry.attempts == number
    }

    async fn report(&mut self, attempt: u8, done: bool, right: bool) {
        let from = self.claimed.len().saturating_sub(10);
        let many = (self.claimed.len() - from).max(1);
        let place = from + usize::from(attempt) % many;
        let Some(claimed) = self.claimed.get(place).cloned() else {
            return;
        };
        let by = if right {
            claimed.agent.clone()
        } else {
            AgentId::random()
        };
        let text = format!("by {} at {}", claimed.agent, attempt % 3);
        let (task, attempt) = (claimed.task, claimed.token);
        let answer = if done {
            let completion = Completion::new(attempt, text.clone());
            self.coordinator.complete(task, Some(&by), completion).await
        } else {
            let failure = Failure::new(attempt, text.clone());
            self.coordinator.fail(task, Some(&by), failure).await
        };
        if !right {
            assert_eq!(answer.unwrap_err().kind(), ProblemKind::Forbidden);
            return;
        }
        self.ledger.hear(&claimed.agent, Instant::now());
        let open = self.is_open(task, claimed.number);
        let same = claimed.accepted == Some((done, text.clone()));
        check(answer, open, same, ProblemKind::Superseded);
        if open {
            self.accepted(place, task, &claimed.agent, done, text);
        }
    }

    async fn report_assigned(&mut self, who: Option<u8>, task: u8, done: bool) {
        let Some(task) = self.task(task) else { return };
        let by = who.map(agent);
        let entry = self.ledger.tasks[&task].clone();
        let text = format!("of {task}");
        let answer = if done {
            self.coordinator
                .complete_assigned(task, by.as_ref(), text.clone())
                .await
        } else {
            self.coordinator
                .fail_assigned(task, by.as_ref(), text.clone())
                .await
        };
        if let Some(by) = &by {
            self.ledger.hear(by, Instant::now());
        }
        let own = by.is_none() || by == entry.by;
        let open = self.is_open(task, entry.attempts);
        if open && !own {
            assert_eq!(answer.unwrap_err().kind(), ProblemKind::Forbidden);
            return;
        }
        let status = if done {
            TaskStatus::Completed
        } else {
            TaskStatus::Failed
        };
        let same = own && entry.status == status && entry.result.as_deref() == Some(&text);
        check(answer, open, same, ProblemKind::Conflict);
        if open {
            let of = |claimed: &Claimed| (claimed.task, claimed.number) == (task, entry.attempts);
            let place = self.claimed.iter().position(of).unwrap_or(usize::MAX);
            self.accepted(place, task, &entry.by.unwrap(), done, text);
        }
    }

    fn accepted(&mut self, place: usize, task: TaskId, by: &AgentId, done: bool, text: String) {
        self.ledger.agents.get_mut(by).unwrap().moved = Instant::now();
        if done {
            self.ledger.tasks.get_mut(&task).unwrap().result = Some(text.clone());
        }
        if let Some(claimed) = self.claimed.get_mut(place) {
            claimed.accepted = Some((done, text));
        }
    }

    async fn pulse(&mut self, id: &AgentId, names: bool) {
        let holds = self.holds(id);
        // And one of another's or of long ago.
        let foreign = self
            .claimed
            .iter()
            .find(|claimed| !holds.contains(&claimed.token));
        let mut attempts = if names { holds } else { Vec::new() };
        let kept = attempts.len();
        attempts.extend(foreign.map(|claimed| claimed.token));
        let pulse = Pulse::new(id.clone()).with_attempts(attempts.clone());
        let answer = self.coordinator.heartbeat(pulse).await;
        let now = Instant::now();
        let Some(known) = self.ledger.agents.get_mut(id) else {
            assert_eq!(answer.unwrap_err().kind(), ProblemKind::NotFound);
            return;
        };
        known.heard = now;
        if kept > 0 {
            known.moved = now;
        }
        for token in &attempts[..kept] {
            let claimed = self.claimed.iter().find(|claimed| claimed.token == *token);
            self.ledger
                .tasks
                .get_mut(&claimed.unwrap().task)
                .unwrap()
                .kept = now;
        }
        assert_eq!(answer.unwrap().superseded, attempts[kept..]);
    }

    /// Takes down what has happened, and compares all that is told.
    async fn audit(&mut self, step: Step) {
        let now = Instant::now();
        let metrics = self.coordinator.metrics().await.unwrap();
        let events = self
            .coordinator
            .events(Some(self.ledger.latest))
            .await
            .unwrap();
        assert!(!events.has_lost());
        let mut events = events.map(|event| event.unwrap());
        while self.ledger.latest < metrics.latest_event {
            self.ledger.enter(&events.next().await.unwrap(), step, now);
        }
        self.ledger.is_up_to_date(now);
        assert_eq!(metrics.late_reports, self.ledger.late_reports);

        let mut counts: BTreeMap<TaskStatus, u64> = BTreeMap::new();
        let told = self.all_tasks().await;
        assert_eq!(
            told.iter().map(|view| view.id).collect::<Vec<_>>(),
            self.given
        );
        for view in told {
            let entry = &self.ledger.tasks[&view.id];
            assert_eq!(view.status, entry.status, "{view:?}");
            assert_eq!(view.assigned_agent, entry.by, "{view:?}");
            assert_eq!(view.winning_bid, entry.winning, "{view:?}");
            assert_eq!(view.result, entry.result, "{view:?}");
            assert_eq!(
                (view.auctions, view.attempts),
                (entry.auctions, entry.attempts)
            );
            assert_eq!(view.completed_at.is_some(), entry.status.is_over());
            *counts.entry(view.status).or_default() += 1;
        }
        let mut in_memory = metrics.tasks.clone();
        in_memory.retain(|_, count| *count > 0);
        assert_eq!(in_memory, counts);
        let of = |status| counts.get(&status).copied().unwrap_or_default();
        assert_eq!(metrics.open_auctions, of(TaskStatus::Bidding));
        let open = of(TaskStatus::Assigned) + of(TaskStatus::Running);
        assert_eq!(metrics.open_attempts, open);

        for auction in self.coordinator.auctions().await.unwrap() {
            let entry = &self.ledger.tasks[&auction.task];
            assert_eq!(entry.status, TaskStatus::Bidding, "{auction:?}");
            assert_eq!(auction.auction, entry.auctions, "{auction:?}");
            assert_eq!(auction.bids, entry.bids.len(), "{auction:?}");
            assert_eq!(auction.left, entry.ends - now, "{auction:?}");
        }
        let agents = self.coordinator.agents().await.unwrap();
        assert_eq!(agents.len(), self.ledger.agents.len());
        for view in agents {
            let known = &self.ledger.agents[&view.id];
            assert_eq!(view.status, known.stands(), "{view:?}");
            assert_eq!(view.capabilities, known.able, "{view:?}");
        }
    }

    async fn all_tasks(&self) -> Vec<TaskView> {
        let mut all = Vec::new();
        let mut page = Page::default().with_limit(MAX_PAGE);
        loop {
            let filter = TaskFilter::default();
            let got = self.coordinator.tasks(filter, page.clone()).await.unwrap();
            all.extend(got.tasks);
            match got.next {
                Some(next) => page.after = Some(next),
                None => return all,
            }
        }
    }
}

/// Whether a report was taken that had to be, and refused that could not.
fn check(answer: Result<TaskView>, open: bool, same: bool, refusal: ProblemKind) {
    match answer {
        Ok(_) => assert!(open || same, "a report was taken that comes too late"),
        Err(error) => {
            assert!(!open && !same, "{error}");
            assert_eq!(error.kind(), refusal);
        }
    }
}
