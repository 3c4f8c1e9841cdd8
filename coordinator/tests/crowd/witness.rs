//! What agents were told, whatever the coordinator says of it later.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use alveary_agent::protocol::{
    AttemptToken, BidAnswer, Claim, ClaimRequest, EventId, NewBid, OpenTasks, Pulse, PulseAnswer,
    Registration, TaskId, Welcome,
};
use alveary_agent::{Error, ErrorKind, Result, Transport};
use alveary_core::AgentId;
use async_trait::async_trait;
use tokio::sync::watch;

/// Sees what passes between a crowd of agents and its coordinator.
#[derive(Debug, Default)]
pub(crate) struct Witness {
    seen: Mutex<Seen>,
    accepted: watch::Sender<usize>,
}

#[derive(Debug, Default)]
struct Seen {
    /// The completions that were accepted: of which task, by which attempt, with which result.
    accepted: BTreeMap<TaskId, Vec<(AttemptToken, String)>>,
    /// Refusals that no agent deserved.
    odd: Vec<String>,
}

impl Witness {
    /// Waits until so many completions were accepted.
    pub(crate) async fn saw(&self, many: usize) {
        let mut accepted = self.accepted.subscribe();
        accepted
            .wait_for(|accepted| *accepted >= many)
            .await
            .unwrap();
    }

    /// Each task's only accepted result.
    pub(crate) fn results(&self) -> BTreeMap<TaskId, String> {
        let seen = self.seen.lock().unwrap();
        let one = |(task, accepted): (&TaskId, &Vec<(AttemptToken, String)>)| {
            let [(_, result)] = &accepted[..] else {
                panic!("task {task} was accepted more than once: {accepted:?}");
            };
            (*task, result.clone())
        };
        seen.accepted.iter().map(one).collect()
    }

    /// Nobody was refused anything: a coordinator that is not there is one thing, one that says no another.
    pub(crate) fn saw_nothing_odd(&self) {
        let odd = &self.seen.lock().unwrap().odd;
        assert!(odd.is_empty(), "{} such as {:?}", odd.len(), odd.first());
    }

    fn note<T>(&self, answer: Result<T>) -> Result<T> {
        if let Err(error) = &answer
            && !is_not_there(error)
        {
            self.seen.lock().unwrap().odd.push(error.to_string());
        }
        answer
    }

    fn accept(&self, task: TaskId, attempt: AttemptToken, result: &str) {
        let mut seen = self.seen.lock().unwrap();
        let accepted = seen.accepted.entry(task).or_default();
        accepted.push((attempt, result.to_owned()));
        self.accepted.send_modify(|accepted| *accepted += 1);
    }
}

/// Whether a call failed because nobody answered it, as one does who is killed.
fn is_not_there(error: &Error) -> bool {
    let told = error.to_string();
    let away = told.contains("cannot be reached") || told.contains("broke off");
    error.kind() == ErrorKind::Unavailable && away
}

/// A transport with a witness.
#[derive(Debug)]
pub(crate) struct Witnessed<T> {
    pub(crate) transport: T,
    pub(crate) witness: Arc<Witness>,
}

#[async_trait]
impl<T: Transport> Transport for Witnessed<T> {
    async fn register(&self, registration: &Registration) -> Result<Welcome> {
        self.witness
            .note(self.transport.register(registration).await)
    }

    async fn open_tasks(&self, after: Option<EventId>, wait: Duration) -> Result<OpenTasks> {
        self.witness
            .note(self.transport.open_tasks(after, wait).await)
    }

    async fn bid(&self, bid: &NewBid) -> Result<BidAnswer> {
        self.witness.note(self.transport.bid(bid).await)
    }

    async fn claim(&self, request: &ClaimRequest) -> Result<Option<Claim>> {
        self.witness.note(self.transport.claim(request).await)
    }

    async fn pulse(&self, pulse: &Pulse) -> Result<PulseAnswer> {
        self.witness.note(self.transport.pulse(pulse).await)
    }

    async fn complete(&self, task: TaskId, attempt: AttemptToken, result: &str) -> Result<()> {
        let answer = self.transport.complete(task, attempt, result).await;
        if answer.is_ok() {
            self.witness.accept(task, attempt, result);
        }
        self.witness.note(answer)
    }

    async fn fail(&self, task: TaskId, attempt: AttemptToken, reason: &str) -> Result<()> {
        self.witness
            .note(self.transport.fail(task, attempt, reason).await)
    }

    async fn leave(&self, agent: &AgentId) -> Result<()> {
        self.witness.note(self.transport.leave(agent).await)
    }
}
