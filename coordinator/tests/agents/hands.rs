//! What trials make agents of.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use alveary_agent::protocol::{
    AttemptToken, BidAnswer, Claim, ClaimRequest, EventId, NewBid, OpenTasks, Pulse, PulseAnswer,
    Registration, Sats, TaskId, Welcome,
};
use alveary_agent::{AgentId, Error, ErrorKind, Result, Task, Transport};
use async_trait::async_trait;
use tokio::sync::watch;

use super::bed::{Bed, PATIENCE, id};

/// Does what it is told, and nothing by itself.
#[derive(Debug)]
pub(crate) struct Puppet {
    pub(crate) id: AgentId,
    pub(crate) way: Arc<dyn Transport>,
}

impl Puppet {
    /// One that is known.
    pub(crate) async fn known(bed: &Bed, name: &str, able: &str) -> Self {
        let puppet = Self {
            id: id(name),
            way: bed.way(name),
        };
        puppet
            .way
            .register(&puppet.registration(able))
            .await
            .unwrap();
        puppet
    }

    pub(crate) fn registration(&self, able: &str) -> Registration {
        Registration::new(self.id.clone(), self.id.to_string())
            .with_capabilities(able.parse().unwrap())
    }

    pub(crate) async fn bid(&self, task: TaskId, sats: u64) -> BidAnswer {
        let bid = NewBid::new(task, self.id.clone(), Sats::new(sats).unwrap());
        self.way.bid(&bid).await.unwrap()
    }

    pub(crate) fn asks(&self, holding: &[AttemptToken], wait: Duration) -> ClaimRequest {
        ClaimRequest::new(self.id.clone())
            .with_holding(holding.to_vec())
            .with_wait(wait)
    }

    /// What it has won, if there is something at once.
    pub(crate) async fn claim(&self) -> Option<Claim> {
        self.way
            .claim(&self.asks(&[], Duration::ZERO))
            .await
            .unwrap()
    }

    pub(crate) async fn pulse(&self, attempts: &[AttemptToken]) -> PulseAnswer {
        let pulse = Pulse::new(self.id.clone()).with_attempts(attempts.to_vec());
        self.way.pulse(&pulse).await.unwrap()
    }
}

/// Does a task at once.
pub(crate) async fn shout(task: Task) -> Result<String, Infallible> {
    Ok(task.description.as_str().to_uppercase())
}

/// Work that begins, and ends when it is let.
#[derive(Debug, Clone, Default)]
pub(crate) struct Gate {
    at_work: Arc<watch::Sender<usize>>,
    most: Arc<AtomicUsize>,
    open: Arc<watch::Sender<bool>>,
    dropped: Arc<AtomicUsize>,
}

impl Gate {
    pub(crate) async fn pass(self, _: Task) -> Result<String, String> {
        struct Leave(Gate, bool);
        impl Drop for Leave {
            fn drop(&mut self) {
                if !self.1 {
                    self.0.dropped.fetch_add(1, Ordering::SeqCst);
                }
                self.0.at_work.send_modify(|at_work| *at_work -= 1);
            }
        }
        let mut open = self.open.subscribe();
        let mut leave = Leave(self, false);
        leave.0.at_work.send_modify(|at_work| {
            *at_work += 1;
            leave.0.most.fetch_max(*at_work, Ordering::SeqCst);
        });
        open.wait_for(|open| *open)
            .await
            .map_err(|error| error.to_string())?;
        leave.1 = true;
        Ok("passed".to_owned())
    }

    /// As a handler.
    pub(crate) fn handler(
        &self,
    ) -> impl Fn(Task) -> futures_util::future::BoxFuture<'static, Result<String, String>>
    + Send
    + Sync
    + 'static {
        let gate = self.clone();
        move |task| Box::pin(gate.clone().pass(task))
    }

    pub(crate) fn open(&self) {
        self.open.send_replace(true);
    }

    /// Waits until so many are at work.
    pub(crate) async fn until_at_work(&self, wanted: usize) {
        let mut at_work = self.at_work.subscribe();
        let reached = at_work.wait_for(|at_work| *at_work == wanted);
        let in_time = tokio::time::timeout(PATIENCE, reached).await.is_ok();
        assert!(in_time, "not {wanted} at work: {self:?}");
    }

    /// The most that were at work at a time.
    pub(crate) fn most(&self) -> usize {
        self.most.load(Ordering::SeqCst)
    }

    /// How many were stopped at their work.
    pub(crate) fn dropped(&self) -> usize {
        self.dropped.load(Ordering::SeqCst)
    }
}

/// A way that can be cut.
#[derive(Debug)]
pub(crate) struct Line {
    way: Arc<dyn Transport>,
    cut: watch::Sender<Cut>,
    refused: AtomicUsize,
}

/// What does not pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Cut {
    Nothing,
    Pulses,
    Everything,
}

impl Line {
    pub(crate) fn new(way: Arc<dyn Transport>) -> Arc<Self> {
        Arc::new(Self {
            way,
            cut: watch::Sender::new(Cut::Nothing),
            refused: AtomicUsize::new(0),
        })
    }

    /// From now nothing of this passes, and what waits for an answer does so in vain.
    pub(crate) fn cut(&self, what: Cut) {
        self.cut.send_replace(what);
    }

    /// Carries a call for as long as less than this is cut.
    async fn carry<T>(&self, least: Cut, call: impl Future<Output = Result<T>>) -> Result<T> {
        let mut cut = self.cut.subscribe();
        let is_cut = async {
            // The sender is this line's own, and stays.
            let _ = cut.wait_for(|cut| *cut >= least).await;
        };
        tokio::select! {
            biased;
            () = is_cut => Err(Error::new(ErrorKind::Unavailable, "the line is cut")),
            answer = call => {
                let is_refused = |error: &Error| error.kind() == ErrorKind::Superseded;
                if answer.as_ref().is_err_and(is_refused) {
                    self.refused.fetch_add(1, Ordering::SeqCst);
                }
                answer
            }
        }
    }

    /// How many reports were refused because their attempt was over.
    pub(crate) fn refused(&self) -> usize {
        self.refused.load(Ordering::SeqCst)
    }
}

#[async_trait]
impl Transport for Line {
    async fn register(&self, registration: &Registration) -> Result<Welcome> {
        self.carry(Cut::Everything, self.way.register(registration))
            .await
    }

    async fn open_tasks(&self, after: Option<EventId>, wait: Duration) -> Result<OpenTasks> {
        self.carry(Cut::Everything, self.way.open_tasks(after, wait))
            .await
    }

    async fn bid(&self, bid: &NewBid) -> Result<BidAnswer> {
        self.carry(Cut::Everything, self.way.bid(bid)).await
    }

    async fn claim(&self, request: &ClaimRequest) -> Result<Option<Claim>> {
        self.carry(Cut::Everything, self.way.claim(request)).await
    }

    async fn pulse(&self, pulse: &Pulse) -> Result<PulseAnswer> {
        self.carry(Cut::Pulses, self.way.pulse(pulse)).await
    }

    async fn complete(&self, task: TaskId, attempt: AttemptToken, result: &str) -> Result<()> {
        self.carry(Cut::Everything, self.way.complete(task, attempt, result))
            .await
    }

    async fn fail(&self, task: TaskId, attempt: AttemptToken, reason: &str) -> Result<()> {
        self.carry(Cut::Everything, self.way.fail(task, attempt, reason))
            .await
    }

    async fn leave(&self, agent: &AgentId) -> Result<()> {
        self.carry(Cut::Everything, self.way.leave(agent)).await
    }
}
