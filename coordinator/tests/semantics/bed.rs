//! A coordinator whose time passes when it is told to.

use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::Duration;

use alveary_agent::protocol::{
    AttemptToken, BidAnswer, Claim, ClaimRequest, Completion, Event, EventId, Happening, NewBid,
    NewTask, Pulse, Registration, Sats, TaskId, TaskStatus, TaskView,
};
use alveary_coordinator::{Coordinator, Database, Page, Result, Settings, TaskFilter};
use alveary_core::AgentId;
use futures_util::StreamExt as _;
use tempfile::TempDir;

/// How long an auction lasts unless a test says otherwise.
pub(crate) const AUCTION: Duration = Duration::from_secs(15);
/// How long an agent may be silent unless a test says otherwise.
pub(crate) const HEARTBEAT: Duration = Duration::from_secs(30);
/// The least that time can be told apart by.
pub(crate) const TICK: Duration = Duration::from_millis(1);

/// A coordinator, and short ways to say things to it.
#[derive(Debug)]
pub(crate) struct Bed {
    pub(crate) coordinator: Coordinator,
    _still: mpsc::Sender<()>,
}

/// The last moment before a time is over.
pub(crate) fn short_of(time: Duration) -> Duration {
    time.saturating_sub(TICK)
}

/// Where a coordinator's file may be, until the folder goes.
pub(crate) fn book() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("book");
    (folder, path)
}

pub(crate) fn agent(id: &str) -> AgentId {
    AgentId::new(id).unwrap()
}

pub(crate) fn sats(amount: u64) -> Sats {
    Sats::new(amount).unwrap()
}

pub(crate) fn task(wanted: &str) -> NewTask {
    NewTask::new("sing".parse().unwrap()).with_capabilities(wanted.parse().unwrap())
}

/// What a task is told by, without what a test cannot know.
pub(crate) fn stands(view: &TaskView) -> (TaskStatus, Option<&str>, Option<&str>) {
    let by = view.assigned_agent.as_ref().map(AgentId::as_str);
    (view.status, by, view.result.as_deref())
}

impl Bed {
    /// In memory.
    pub(crate) async fn open(settings: Settings) -> Self {
        Self::on(settings, Database::Memory).await.unwrap()
    }

    /// On a file.
    pub(crate) async fn file(settings: Settings, path: &Path) -> Self {
        Self::on(settings, Database::File(path.to_owned()))
            .await
            .unwrap()
    }

    pub(crate) async fn on(settings: Settings, database: Database) -> Result<Self> {
        // The clock of a test jumps to what is due next as soon as nobody has anything to do, and does not see that
        // the coordinator's thread has. While something blocks, it does not.
        let (still, moving) = mpsc::channel::<()>();
        tokio::task::spawn_blocking(move || moving.recv());
        Ok(Self {
            coordinator: Coordinator::open(settings, database).await?,
            _still: still,
        })
    }

    /// Lets time pass, and what is due then be done.
    pub(crate) async fn pass(&self, time: Duration) {
        self.settle().await;
        tokio::time::advance(time).await;
        self.settle().await;
    }

    /// Waits until everything that was said is done, and who waits for it has heard.
    pub(crate) async fn settle(&self) {
        for _ in 0..2 {
            // Behind all that was asked before.
            self.coordinator.metrics().await.unwrap();
            for _ in 0..32 {
                tokio::task::yield_now().await;
            }
        }
    }

    /// Gives a task for which one must be able to do this.
    pub(crate) async fn give(&self, wanted: &str) -> TaskId {
        let added = self.coordinator.add(vec![task(wanted)], None).await;
        added.unwrap()[0].id
    }

    pub(crate) async fn register(&self, id: &str, able: &str) {
        let registration = Registration::new(agent(id), id.to_uppercase())
            .with_capabilities(able.parse().unwrap());
        self.coordinator.register(registration).await.unwrap();
    }

    pub(crate) async fn bid(&self, id: &str, task: TaskId, amount: u64) -> BidAnswer {
        self.bid_as(id, "", task, amount).await
    }

    pub(crate) async fn bid_as(
        &self,
        id: &str,
        able: &str,
        task: TaskId,
        amount: u64,
    ) -> BidAnswer {
        let bid =
            NewBid::new(task, agent(id), sats(amount)).with_capabilities(able.parse().unwrap());
        self.coordinator.bid(bid).await.unwrap()
    }

    /// What the agent gets that holds nothing and does not wait.
    pub(crate) async fn claim(&self, id: &str) -> Option<Claim> {
        self.claim_holding(id, &[]).await
    }

    pub(crate) async fn claim_holding(&self, id: &str, holding: &[AttemptToken]) -> Option<Claim> {
        let request = ClaimRequest::new(agent(id)).with_holding(holding.to_vec());
        self.coordinator.claim(request).await.unwrap()
    }

    /// A task that this agent, alone, has won and taken up.
    pub(crate) async fn begun(&self, id: &str) -> Claim {
        let task = self.give("").await;
        self.won(id, task).await;
        self.claim(id).await.unwrap()
    }

    /// Has an agent win a task at the end of its auction.
    pub(crate) async fn won(&self, id: &str, task: TaskId) {
        self.bid(id, task, 10).await;
        if self.view(task).await.status == TaskStatus::Bidding {
            self.pass(AUCTION).await;
        }
        let view = self.view(task).await;
        assert_eq!(stands(&view), (TaskStatus::Assigned, Some(id), None));
    }

    /// A heartbeat; what it says is no longer the agent's.
    pub(crate) async fn pulse(&self, id: &str, attempts: &[AttemptToken]) -> Vec<AttemptToken> {
        let pulse = Pulse::new(agent(id)).with_attempts(attempts.to_vec());
        self.coordinator.heartbeat(pulse).await.unwrap().superseded
    }

    pub(crate) async fn complete(
        &self,
        task: TaskId,
        attempt: AttemptToken,
        result: &str,
    ) -> Result<TaskView> {
        let result = result.to_owned();
        let completion = Completion::new(attempt, result);
        self.coordinator.complete(task, None, completion).await
    }

    pub(crate) async fn view(&self, task: TaskId) -> TaskView {
        self.coordinator.task(task).await.unwrap()
    }

    pub(crate) async fn status(&self, task: TaskId) -> TaskStatus {
        self.view(task).await.status
    }

    /// How an agent stands, as a word.
    pub(crate) async fn agent(&self, id: &str) -> Option<String> {
        let agents = self.coordinator.agents().await.unwrap();
        let found = agents.into_iter().find(|view| view.id.as_str() == id);
        found.map(|view| view.status.to_string())
    }

    /// Everything that has happened after an event.
    pub(crate) async fn happened(&self, after: EventId) -> Vec<Event> {
        let latest = self.coordinator.metrics().await.unwrap().latest_event;
        let events = self.coordinator.events(Some(after)).await.unwrap();
        let mut events = events.map(|event| event.unwrap());
        let mut all = Vec::new();
        while all.last().map_or(after, |last: &Event| last.id) < latest {
            all.push(events.next().await.unwrap());
        }
        all
    }

    /// What has happened to a task, one word for each.
    pub(crate) async fn story(&self, task: TaskId) -> Vec<&'static str> {
        let events = self.happened(EventId(0)).await;
        let word = |event: Event| {
            let (of, word) = match event.what {
                Happening::TaskAdded { task } => (task, "added"),
                Happening::AuctionOpened { task, .. } => (task, "opened"),
                Happening::BidPlaced { task, .. } => (task, "bid"),
                Happening::Assigned { task, .. } => (task, "assigned"),
                Happening::Started { task, .. } => (task, "started"),
                Happening::Superseded { task, .. } => (task, "superseded"),
                Happening::LateReport { task, .. } => (task, "late"),
                Happening::Completed { task, .. } => (task, "completed"),
                Happening::Failed { task, .. } => (task, "failed"),
                _ => return None,
            };
            (of == task).then_some(word)
        };
        events.into_iter().filter_map(word).collect()
    }

    /// All tasks, by pages as small as can be.
    pub(crate) async fn all_tasks(&self) -> Vec<TaskView> {
        let mut all = Vec::new();
        let mut page = Page::default().with_limit(1);
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
