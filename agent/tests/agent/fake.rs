//! A coordinator in memory that gives every task to its first bidder, and breaks when it is told to.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use alveary_agent::protocol::{
    AttemptToken, BidAnswer, Capabilities, Claim, ClaimRequest, EventId, NewBid, OpenTask,
    OpenTasks, Pulse, PulseAnswer, Registration, TaskId, Welcome,
};
use alveary_agent::{AgentId, Error, ErrorKind, Result, Transport};
use async_trait::async_trait;
use tokio::sync::watch;

/// A verb of the transport.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Verb {
    Register,
    OpenTasks,
    Bid,
    Claim,
    Pulse,
    Complete,
    Fail,
    Leave,
}

/// How a call goes wrong.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Fault {
    /// It does not arrive.
    Lost(ErrorKind),
    /// It has its effect, and the answer does not arrive.
    AnswerLost,
    /// It has its effect, and the answer arrives when two pulses have been answered in between: the agent has heard
    /// what the first was told.
    AnswerAfterPulses,
}

#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) registrations: Vec<Registration>,
    pub(crate) bids: Vec<NewBid>,
    pub(crate) pulses: Vec<Pulse>,
    pub(crate) completed: Vec<(TaskId, String)>,
    pub(crate) failed: Vec<(TaskId, String)>,
    pub(crate) late: Vec<TaskId>,
    pub(crate) left: bool,
    pub(crate) claimed: Vec<TaskId>,
    open: Vec<(u64, OpenTask)>,
    won: VecDeque<Claim>,
    running: BTreeMap<AttemptToken, Claim>,
    over: BTreeMap<AttemptToken, TaskId>,
    superseded: Vec<AttemptToken>,
    unknown: bool,
    book: u64,
    faults: Vec<(Verb, Fault)>,
}

#[derive(Debug, Clone)]
pub(crate) struct Fake {
    state: Arc<Mutex<State>>,
    changed: watch::Sender<()>,
    heartbeat: Duration,
}

impl Fake {
    pub(crate) fn new() -> Self {
        Self::with_heartbeat(Duration::from_millis(60))
    }

    pub(crate) fn with_heartbeat(heartbeat: Duration) -> Self {
        Self {
            state: Arc::default(),
            changed: watch::Sender::new(()),
            heartbeat,
        }
    }

    pub(crate) fn look<T>(&self, look: impl FnOnce(&State) -> T) -> T {
        look(&self.state.lock().expect("nobody panicked over it"))
    }

    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let out = change(&mut self.state.lock().expect("nobody panicked over it"));
        self.changed.send_replace(());
        out
    }

    /// Opens an auction.
    pub(crate) fn add(&self, description: &str, wanted: &str) -> TaskId {
        let task_id = TaskId::random();
        self.open(task_id, description, wanted, 1);
        task_id
    }

    pub(crate) fn open(&self, task_id: TaskId, description: &str, wanted: &str, auction: u32) {
        let task = OpenTask::new(task_id, description.parse().expect("a description"))
            .with_capabilities(wanted.parse::<Capabilities>().expect("capabilities"))
            .with_auction(auction);
        self.change(|state| {
            state.book += 1;
            state.open.push((state.book, task));
        });
    }

    /// The next call of this verb goes wrong.
    pub(crate) fn fault(&self, verb: Verb, fault: Fault) {
        self.change(|state| state.faults.push((verb, fault)));
    }

    /// Takes every running attempt from its agent.
    pub(crate) fn supersede(&self) {
        self.change(|state| {
            for (attempt, claim) in std::mem::take(&mut state.running) {
                state.over.insert(attempt, claim.task_id);
                state.superseded.push(attempt);
            }
        });
    }

    /// Knows nobody any more.
    pub(crate) fn forget_agents(&self) {
        self.change(|state| state.unknown = true);
    }

    /// Waits until it is so.
    pub(crate) async fn until(&self, what: &str, so: impl Fn(&State) -> bool) {
        self.until_in(Duration::from_secs(20), what, so).await;
    }

    /// The same, within this time.
    pub(crate) async fn until_in(&self, limit: Duration, what: &str, so: impl Fn(&State) -> bool) {
        let mut changes = self.changed.subscribe();
        let wait = async {
            while !self.look(&so) {
                changes.changed().await.expect("the sender is here");
            }
        };
        let so = tokio::time::timeout(limit, wait).await.is_ok();
        assert!(so, "not within {limit:?}: {what}; {self:?}");
    }

    /// Does what the call asks, or what was arranged.
    fn call<T>(&self, verb: Verb, effect: impl FnOnce(&mut State) -> Result<T>) -> Result<T> {
        self.change(|state| {
            let due = state.faults.iter().position(|(meant, _)| *meant == verb);
            match due.map(|at| state.faults.remove(at).1) {
                Some(Fault::Lost(kind)) => Err(Error::new(kind, "arranged")),
                Some(Fault::AnswerLost) => {
                    effect(state)?;
                    Err(Error::new(
                        ErrorKind::Unavailable,
                        "the answer is lost, as arranged",
                    ))
                }
                Some(Fault::AnswerAfterPulses) | None => effect(state),
            }
        })
    }

    /// Waits until the answer to this verb may arrive, if that was arranged. Asked before the effect.
    fn delay(&self, verb: Verb) -> impl Future<Output = ()> {
        let due = self.look(|state| {
            let next = state.faults.iter().find(|(meant, _)| *meant == verb);
            matches!(next, Some((_, Fault::AnswerAfterPulses))).then_some(state.pulses.len() + 2)
        });
        async move {
            if let Some(due) = due {
                self.until("two pulses", |state| state.pulses.len() >= due)
                    .await;
            }
        }
    }

    /// Waits for `some` up to `wait`, as a long poll does.
    async fn poll<T>(&self, wait: Duration, some: impl Fn(&mut State) -> Option<T>) -> Option<T> {
        let mut changes = self.changed.subscribe();
        let poll = async {
            loop {
                let found = some(&mut self.state.lock().expect("nobody panicked over it"));
                match found {
                    Some(found) => return found,
                    None => changes.changed().await.expect("the sender is here"),
                }
            }
        };
        tokio::time::timeout(wait, poll).await.ok()
    }
}

fn known(state: &State) -> Result<()> {
    if state.unknown {
        return Err(Error::new(ErrorKind::NotFound, "there is no such agent"));
    }
    Ok(())
}

#[async_trait]
impl Transport for Fake {
    async fn register(&self, registration: &Registration) -> Result<Welcome> {
        self.call(Verb::Register, |state| {
            state.unknown = false;
            state.registrations.push(registration.clone());
            Ok(Welcome::new(self.heartbeat).with_now(EventId(state.book)))
        })
    }

    async fn open_tasks(&self, after: Option<EventId>, wait: Duration) -> Result<OpenTasks> {
        self.call(Verb::OpenTasks, |_| Ok(()))?;
        let from = after.unwrap_or_default().0;
        let tasks = |state: &mut State| {
            let fresh = state.open.iter().filter(|(place, _)| *place > from);
            let tasks: Vec<_> = fresh.map(|(_, task)| task.clone()).collect();
            (!tasks.is_empty()).then_some((tasks, state.book))
        };
        let (tasks, book) = self.poll(wait, tasks).await.unwrap_or((Vec::new(), from));
        Ok(OpenTasks::new(tasks).with_after(EventId(book)))
    }

    async fn bid(&self, bid: &NewBid) -> Result<BidAnswer> {
        self.call(Verb::Bid, |state| {
            state.bids.push(bid.clone());
            let at = state
                .open
                .iter()
                .position(|(_, task)| task.task_id == bid.task_id);
            if let Some(at) = at {
                let (_, task) = state.open.remove(at);
                state.won.push_back(
                    Claim::new(
                        task.task_id,
                        task.description,
                        AttemptToken::random(),
                        task.auction,
                    )
                    .with_capabilities(task.capabilities),
                );
            }
            Ok(BidAnswer::new(
                at.is_some(),
                bid.task_id,
                bid.agent_id.clone(),
                "as you wish",
            ))
        })
    }

    async fn claim(&self, request: &ClaimRequest) -> Result<Option<Claim>> {
        self.look(known)?;
        let next = |state: &mut State| {
            let lost = state
                .running
                .values()
                .find(|claim| !request.holding.contains(&claim.attempt));
            lost.cloned().or_else(|| state.won.pop_front())
        };
        let Some(claim) = self.poll(request.wait, next).await else {
            return Ok(None);
        };
        self.call(Verb::Claim, |state| {
            state.claimed.push(claim.task_id);
            state.running.insert(claim.attempt, claim.clone());
            Ok(Some(claim))
        })
    }

    async fn pulse(&self, pulse: &Pulse) -> Result<PulseAnswer> {
        self.call(Verb::Pulse, |state| {
            known(state)?;
            state.pulses.push(pulse.clone());
            let mut superseded = state.superseded.clone();
            let over = |attempt: &&AttemptToken| state.over.contains_key(attempt);
            superseded.extend(pulse.attempts.iter().filter(over));
            Ok(PulseAnswer::new(superseded))
        })
    }

    async fn complete(&self, task: TaskId, attempt: AttemptToken, result: &str) -> Result<()> {
        let delay = self.delay(Verb::Complete);
        let answer = self.call(Verb::Complete, |state| {
            let report = (task, result.to_owned());
            if state.running.remove(&attempt).is_some() {
                state.over.insert(attempt, task);
                state.completed.push(report);
                return Ok(());
            }
            if state.completed.contains(&report) {
                return Ok(());
            }
            state.late.push(task);
            Err(Error::new(ErrorKind::Superseded, "another has it"))
        });
        delay.await;
        answer
    }

    async fn fail(&self, task: TaskId, attempt: AttemptToken, reason: &str) -> Result<()> {
        self.call(Verb::Fail, |state| match state.running.remove(&attempt) {
            Some(_) => {
                state.failed.push((task, reason.to_owned()));
                Ok(())
            }
            None => Err(Error::new(ErrorKind::Superseded, "another has it")),
        })
    }

    async fn leave(&self, _agent: &AgentId) -> Result<()> {
        self.call(Verb::Leave, |state| {
            state.left = true;
            Ok(())
        })
    }
}
