//! The coordinator, as all who speak with it see it.

use std::sync::Arc;
use std::time::Duration;

use alveary_agent::protocol::{
    AgentView, AttemptToken, BidAnswer, BidView, Claim, ClaimRequest, Completion, EventId, Failure,
    IdempotencyKey, NewBid, NewTask, OpenTasks, Pulse, PulseAnswer, Registration, TaskId, TaskView,
    Welcome,
};
use alveary_core::AgentId;
use tokio::time::{Instant, sleep_until};

use crate::clerk::Clerk;
use crate::desk::{AuctionView, Metrics, Outcome, Page, TaskFilter, TaskPage};
use crate::error::Result;
use crate::settings::Settings;
use crate::store::Database;

mod events;
mod keeper;

pub use events::Events;

/// The longest that a call waits for something to happen. Who asks for more is answered after this.
pub const MAX_WAIT: Duration = Duration::from_mins(1);

/// Takes tasks, auctions them among agents, and sees that each is done once or ends.
///
/// A handle: clones are of the same coordinator, which ends with the last of them. Execution is at least once;
/// exactly one completion of a task is accepted. It holds no credentials and checks none: whoever has a handle may
/// say anything, in anybody's name.
///
/// Every call may be dropped: what it was about to do then has been done whole, or not at all.
///
/// ```
/// use alveary_agent::protocol::{NewTask, TaskStatus};
/// use alveary_coordinator::{Coordinator, Database, Settings};
///
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// let coordinator = Coordinator::open(Settings::default(), Database::Memory).await?;
/// let task = NewTask::new("say hello".parse().unwrap());
/// let added = coordinator.add(vec![task], None).await?;
/// assert_eq!(added[0].status, TaskStatus::Bidding);
/// # Ok::<(), alveary_coordinator::Error>(()) }).unwrap();
/// ```
#[derive(Debug, Clone)]
pub struct Coordinator {
    clerk: Clerk,
    settings: Arc<Settings>,
}

impl Coordinator {
    /// Opens a book, takes up what is open in it, and begins.
    ///
    /// Needs a tokio runtime with time. A file that another coordinator has open is a `Conflict`.
    pub async fn open(settings: Settings, database: Database) -> Result<Self> {
        let clerk = Clerk::start(database, settings.clone()).await?;
        tokio::spawn(keeper::keep(
            clerk.news().due.subscribe(),
            clerk.downgrade(),
        ));
        Ok(Self {
            clerk,
            settings: Arc::new(settings),
        })
    }

    /// How it goes about its work.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Ends it, whoever else has a handle, and closes the file. Every later call is `Unavailable`, and so is what
    /// waits; streams of events end.
    pub async fn close(&self) {
        self.clerk.end().await;
    }

    /// Takes tasks, at most 10,000 at once, and opens an auction for each; all of them or none.
    ///
    /// Under a key that was used before, the same tasks have no effect and are given as they stand now; others are a
    /// `Conflict`. A key is either for all of them, or each task that is to have one brings its own.
    pub async fn add(
        &self,
        tasks: Vec<NewTask>,
        key: Option<IdempotencyKey>,
    ) -> Result<Vec<TaskView>> {
        self.clerk
            .turn(move |turn| turn.add(&tasks, key.as_ref()))
            .await
    }

    /// A task as it stands.
    pub async fn task(&self, id: TaskId) -> Result<TaskView> {
        self.clerk.look(move |desk, _| desk.task(id)).await
    }

    /// A stretch of the tasks, in the order in which they were given.
    pub async fn tasks(&self, filter: TaskFilter, page: Page) -> Result<TaskPage> {
        self.clerk
            .look(move |desk, _| desk.tasks(&filter, &page))
            .await
    }

    /// The bids for a task, the earliest first; the first thousand.
    pub async fn bids(&self, task: TaskId) -> Result<Vec<BidView>> {
        self.clerk.look(move |desk, _| desk.bids(task)).await
    }

    /// The auctions that are open, the oldest first.
    pub async fn auctions(&self) -> Result<Vec<AuctionView>> {
        self.clerk.look(|desk, at| Ok(desk.auctions(at))).await
    }

    /// The tasks that are open for bids, the oldest first: all, or those whose auction opened after an event.
    ///
    /// Waits until there is one, at most so long (and at most [`MAX_WAIT`]).
    pub async fn open_tasks(&self, after: Option<EventId>, wait: Duration) -> Result<OpenTasks> {
        let until = Instant::now() + wait.min(MAX_WAIT);
        let mut opened = self.clerk.news().opened.subscribe();
        loop {
            // Before the question: an auction that opens after it is not overlooked.
            opened.mark_unchanged();
            let open = self
                .clerk
                .look(move |desk, _| Ok(desk.open_tasks(after)))
                .await?;
            if !open.tasks.is_empty() || Instant::now() >= until {
                return Ok(open);
            }
            // Whether it was changed, ended or in vain: the next question tells.
            tokio::select! {
                _ = opened.changed() => {}
                () = sleep_until(until) => {}
                () = self.clerk.news().ended() => {}
            }
        }
    }

    /// Takes a bid. That the auction is over, or asks for what the agent cannot do, is an answer and no error.
    ///
    /// An agent that is not known is entered by its bid.
    pub async fn bid(&self, bid: NewBid) -> Result<BidAnswer> {
        self.clerk.turn(move |turn| turn.bid(&bid)).await
    }

    /// An agent presents itself. Again: what it says now is what holds.
    pub async fn register(&self, registration: Registration) -> Result<Welcome> {
        self.clerk
            .turn(move |turn| turn.register(&registration))
            .await
    }

    /// The agents that were heard of, by id.
    pub async fn agents(&self) -> Result<Vec<AgentView>> {
        self.clerk.look(|desk, _| desk.agents()).await
    }

    /// Gives an agent the next task that it has won. `NotFound` for an agent that is not known.
    ///
    /// Waits until there is one, at most as long as the request says (and at most [`MAX_WAIT`]). A call that is
    /// dropped has claimed nothing, but for one that is dropped with its answer on the way: that attempt is given out
    /// again by the next claim that does not name it.
    pub async fn claim(&self, request: ClaimRequest) -> Result<Option<Claim>> {
        let until = Instant::now() + request.wait.min(MAX_WAIT);
        let won = self.clerk.won(&request.agent_id);
        // A wait gives signs of life as often as it must.
        let sign = self.settings.heartbeat / 3;
        loop {
            let mut next = std::pin::pin!(won.notified());
            // Before the question: what is won after it is not overlooked.
            next.as_mut().enable();
            let asked = request.clone();
            let claim = self
                .clerk
                .turn_and(
                    move |turn| turn.claim(&asked),
                    |turn, claim| match claim {
                        Some(claim) => turn.unclaim(claim.attempt),
                        None => Ok(()),
                    },
                )
                .await?;
            let now = Instant::now();
            if claim.is_some() || now >= until {
                return Ok(claim);
            }
            // Whether something was won or not: the next question tells.
            tokio::select! {
                () = next => {}
                () = sleep_until(until.min(now + sign)) => {}
                () = self.clerk.news().ended() => {}
            }
        }
    }

    /// A heartbeat. `NotFound` for an agent that is not known.
    pub async fn heartbeat(&self, pulse: Pulse) -> Result<PulseAnswer> {
        self.clerk.turn(move |turn| turn.pulse(&pulse)).await
    }

    /// Any other sign of life of an agent. Does not wait, and may be left out when there is much to do.
    pub fn seen(&self, agent: &AgentId) {
        let agent = agent.clone();
        self.clerk.tell(move |turn| turn.heard(&agent));
    }

    /// Takes a result. `Superseded`, and recorded, if the attempt is over; the same result again is no error.
    /// `Forbidden` if `by` is not whose attempt it is.
    pub async fn complete(
        &self,
        task: TaskId,
        by: Option<&AgentId>,
        completion: Completion,
    ) -> Result<TaskView> {
        self.report(
            task,
            completion.attempt,
            by,
            Outcome::Done,
            completion.result,
        )
        .await
    }

    /// Takes the word that the task could not be done: it fails, with the reason as its result. Refuses as
    /// [`complete`](Self::complete).
    pub async fn fail(
        &self,
        task: TaskId,
        by: Option<&AgentId>,
        failure: Failure,
    ) -> Result<TaskView> {
        self.report(task, failure.attempt, by, Outcome::NotDone, failure.reason)
            .await
    }

    async fn report(
        &self,
        task: TaskId,
        attempt: AttemptToken,
        by: Option<&AgentId>,
        outcome: Outcome,
        text: String,
    ) -> Result<TaskView> {
        let by = by.cloned();
        self.clerk
            .turn(move |turn| turn.report(task, attempt, by.as_ref(), outcome, &text))
            .await?
    }

    /// The tasks that an agent has won and not taken up. A sign of life of `by`.
    pub async fn assigned(&self, by: Option<&AgentId>) -> Result<Vec<TaskView>> {
        if let Some(by) = by.cloned() {
            self.clerk.turn(move |turn| turn.heard(&by)).await?;
        }
        self.clerk.look(|desk, _| desk.assigned()).await
    }

    /// Takes a result without a token: of an open task, from whom it is assigned to. `Conflict`, and recorded, if
    /// the task is not open; `Forbidden` if it is not `by`'s. The same result again is no error.
    ///
    /// An agent that has lost a task and been given the same one again cannot be told from itself.
    pub async fn complete_assigned(
        &self,
        task: TaskId,
        by: Option<&AgentId>,
        result: String,
    ) -> Result<TaskView> {
        self.report_assigned(task, by, Outcome::Done, result).await
    }

    /// Takes the word, without a token, that the task could not be done. Refuses as
    /// [`complete_assigned`](Self::complete_assigned).
    pub async fn fail_assigned(
        &self,
        task: TaskId,
        by: Option<&AgentId>,
        reason: String,
    ) -> Result<TaskView> {
        self.report_assigned(task, by, Outcome::NotDone, reason)
            .await
    }

    async fn report_assigned(
        &self,
        task: TaskId,
        by: Option<&AgentId>,
        outcome: Outcome,
        text: String,
    ) -> Result<TaskView> {
        let by = by.cloned();
        self.clerk
            .turn(move |turn| turn.report_assigned(task, by.as_ref(), outcome, &text))
            .await?
    }

    /// Ends a task that is not wanted any more: it fails, with the result "Cancelled." `Conflict` if it is over.
    pub async fn cancel(&self, task: TaskId) -> Result<TaskView> {
        self.clerk.turn(move |turn| turn.cancel(task)).await
    }

    /// An agent is known to have ended: what it had is auctioned again at once. Of one that is not known, nothing.
    pub async fn gone(&self, agent: &AgentId) -> Result<()> {
        let agent = agent.clone();
        self.clerk.turn(move |turn| turn.gone(&agent)).await
    }

    /// Agents are known to live. Of those that are not known, nothing.
    pub async fn alive(&self, agents: &[AgentId]) -> Result<()> {
        let agents = agents.to_vec();
        self.clerk
            .turn(move |turn| agents.iter().try_for_each(|agent| turn.heard(agent)))
            .await
    }

    /// What happens, in order and without a gap: after an event, or from now.
    ///
    /// Events are kept in a bounded number: [`Events::has_lost`] says whether some after this one are gone.
    pub async fn events(&self, after: Option<EventId>) -> Result<Events> {
        Events::follow(self.clerk.clone(), after).await
    }

    /// Numbers about it.
    pub async fn metrics(&self) -> Result<Metrics> {
        self.clerk.look(|desk, _| Ok(desk.metrics())).await
    }
}
