//! A backend between which and its caller things go wrong.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use alveary_core::{
    AgentBackend, AgentEvent, AgentId, AgentInfo, AgentSpec, BackendKind, Capabilities, Error,
    ErrorKind, EventOptions, EventStream, Exec, Exit, Files, Health, ListOptions, LogOptions,
    LogStream, Operation, Pause, Plans, RemoveOptions, Result, Signals, SpawnOptions, Stats,
    StopOptions,
};
use async_trait::async_trait;
use futures_util::{StreamExt, stream};

/// Wraps a backend and has things go wrong between it and its caller: replies are lost after the call was
/// carried out, calls arrive twice, everything takes its time, events and whole streams of them go missing.
///
/// What goes wrong is drawn from a seed, so that a run can be repeated. Nothing goes wrong unless it is asked
/// for.
///
/// ```
/// use std::sync::Arc;
/// use alveary_conformance::Chaos;
/// use alveary_core::{AgentBackend, AgentId, AgentSpec, ErrorKind, MemoryBackend, SpawnOptions};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), alveary_core::Error> {
/// let memory = MemoryBackend::new().with_program("true", |_| async { 0 });
/// let chaos = Chaos::new(Arc::new(memory));
/// chaos.lose_next_replies(1);
///
/// let (id, spec, options) = (AgentId::random(), AgentSpec::new("a", ["true"]), SpawnOptions::default());
/// let lost = chaos.spawn(&id, &spec, options.clone()).await.unwrap_err();
/// assert_eq!(lost.kind(), ErrorKind::Indeterminate);
/// assert_eq!(chaos.spawn(&id, &spec, options).await?.id, id); // it had been carried out
/// # Ok(()) }
/// ```
pub struct Chaos {
    inner: Arc<dyn AgentBackend>,
    odds: Odds,
    dice: Arc<Mutex<fastrand::Rng>>,
    /// How many of the next replies are lost for certain.
    lose_next: AtomicU64,
}

#[derive(Debug, Clone, Copy, Default)]
struct Odds {
    lost_reply: f64,
    doubled_call: f64,
    lost_event: f64,
    lost_stream: f64,
    delay: Duration,
}

impl Chaos {
    /// Wraps a backend; nothing goes wrong yet.
    pub fn new(inner: Arc<dyn AgentBackend>) -> Self {
        Self {
            inner,
            odds: Odds::default(),
            dice: Arc::new(Mutex::new(fastrand::Rng::with_seed(0))),
            lose_next: AtomicU64::new(0),
        }
    }

    /// Draws from this seed.
    #[must_use]
    pub fn with_seed(self, seed: u64) -> Self {
        self.roll(|dice| dice.seed(seed));
        self
    }

    /// Loses this part of all replies (0 to 1), after the call was carried out: what changes something gives
    /// `Indeterminate`, what asks gives `Timeout`.
    #[must_use]
    pub fn with_lost_replies(mut self, part: f64) -> Self {
        self.odds.lost_reply = part;
        self
    }

    /// Carries out this part of all calls twice, and gives the second answer.
    #[must_use]
    pub fn with_doubled_calls(mut self, part: f64) -> Self {
        self.odds.doubled_call = part;
        self
    }

    /// Loses this part of all events, and tells nobody.
    #[must_use]
    pub fn with_lost_events(mut self, part: f64) -> Self {
        self.odds.lost_event = part;
        self
    }

    /// Ends the stream of events with an error at this part of all events.
    #[must_use]
    pub fn with_lost_streams(mut self, part: f64) -> Self {
        self.odds.lost_stream = part;
        self
    }

    /// Has every call take up to this long, before it is carried out and again before its reply.
    #[must_use]
    pub fn with_delays(mut self, at_most: Duration) -> Self {
        self.odds.delay = at_most;
        self
    }

    /// Loses so many of the next replies for certain.
    pub fn lose_next_replies(&self, replies: u64) {
        self.lose_next.store(replies, Ordering::SeqCst);
    }

    fn roll<T>(&self, roll: impl FnOnce(&mut fastrand::Rng) -> T) -> T {
        roll(&mut self.dice.lock().unwrap_or_else(PoisonError::into_inner))
    }

    async fn dawdle(&self) {
        if !self.odds.delay.is_zero() {
            let part = self.roll(fastrand::Rng::f64);
            tokio::time::sleep(self.odds.delay.mul_f64(part)).await;
        }
    }

    /// Whether the reply of the call that was just carried out is lost.
    fn loses_reply(&self) -> bool {
        let certain = self
            .lose_next
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| {
                left.checked_sub(1)
            })
            .is_ok();
        certain || self.roll(|dice| dice.f64() < self.odds.lost_reply)
    }

    /// Carries a call out as badly as the odds have it.
    async fn call<T, F>(&self, lost: Error, call: impl Fn() -> F) -> Result<T>
    where
        F: Future<Output = Result<T>>,
    {
        self.dawdle().await;
        let mut answer = call().await;
        if self.roll(|dice| dice.f64() < self.odds.doubled_call) {
            answer = call().await;
        }
        self.dawdle().await;
        if self.loses_reply() {
            return Err(lost);
        }
        answer
    }
}

fn lost_change(operation: Operation, id: &AgentId) -> Error {
    Error::new(ErrorKind::Indeterminate, operation, "the reply was lost")
        .with_agent(id)
        .with_cure("make the same call again, or list")
}

fn lost_question(operation: Operation) -> Error {
    Error::new(ErrorKind::Timeout, operation, "the reply was lost")
        .with_cure("ask again")
        .with_retry(alveary_core::Retry::SameId)
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl AgentBackend for Chaos {
    fn kind(&self) -> BackendKind {
        self.inner.kind()
    }

    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }

    async fn check(&self) -> Result<Health> {
        self.call(lost_question(Operation::Check), || self.inner.check())
            .await
    }

    async fn spawn(
        &self,
        id: &AgentId,
        spec: &AgentSpec,
        options: SpawnOptions,
    ) -> Result<AgentInfo> {
        self.call(lost_change(Operation::Spawn, id), || {
            self.inner.spawn(id, spec, options.clone())
        })
        .await
    }

    async fn inspect(&self, id: &AgentId) -> Result<AgentInfo> {
        self.call(lost_question(Operation::Inspect).with_agent(id), || {
            self.inner.inspect(id)
        })
        .await
    }

    async fn list(&self, options: ListOptions) -> Result<Vec<AgentInfo>> {
        self.call(lost_question(Operation::List), || {
            self.inner.list(options.clone())
        })
        .await
    }

    async fn stop(&self, id: &AgentId, options: StopOptions) -> Result<Exit> {
        self.call(lost_change(Operation::Stop, id), || {
            self.inner.stop(id, options.clone())
        })
        .await
    }

    async fn remove(&self, id: &AgentId, options: RemoveOptions) -> Result<()> {
        self.call(lost_change(Operation::Remove, id), || {
            self.inner.remove(id, options.clone())
        })
        .await
    }

    async fn events(&self, options: EventOptions) -> Result<EventStream> {
        let events = self
            .call(lost_question(Operation::Events), || {
                self.inner.events(options.clone())
            })
            .await?;
        Ok(self.spoil(events))
    }

    async fn logs(&self, id: &AgentId, options: LogOptions) -> Result<LogStream> {
        self.call(lost_question(Operation::Logs).with_agent(id), || {
            self.inner.logs(id, options.clone())
        })
        .await
    }

    fn signals(&self) -> Option<&dyn Signals> {
        self.inner.signals()
    }

    fn exec(&self) -> Option<&dyn Exec> {
        self.inner.exec()
    }

    fn stats(&self) -> Option<&dyn Stats> {
        self.inner.stats()
    }

    fn files(&self) -> Option<&dyn Files> {
        self.inner.files()
    }

    fn pause(&self) -> Option<&dyn Pause> {
        self.inner.pause()
    }
    fn plans(&self) -> Option<&dyn Plans> {
        self.inner.plans()
    }
    fn belongings(&self) -> Option<&dyn alveary_core::Belongings> {
        self.inner.belongings()
    }
    fn leases(&self) -> Option<&dyn alveary_core::Leases> {
        self.inner.leases()
    }
}

impl Chaos {
    fn spoil(&self, events: EventStream) -> EventStream {
        let (odds, dice) = (self.odds, self.dice.clone());
        let roll = move |odds: f64| {
            let mut dice = dice.lock().unwrap_or_else(PoisonError::into_inner);
            dice.f64() < odds
        };
        let spoilt = stream::unfold(Some(events), move |events| {
            let roll = roll.clone();
            async move {
                let mut events = events?;
                loop {
                    let event: Result<AgentEvent> = events.next().await?;
                    if roll(odds.lost_stream) {
                        let error = Error::new(
                            ErrorKind::EngineUnavailable,
                            Operation::Events,
                            "the stream was cut",
                        );
                        return Some((Err(error), None));
                    }
                    if !roll(odds.lost_event) {
                        return Some((event, Some(events)));
                    }
                }
            }
        });
        EventStream::new(spoilt)
    }
}

impl fmt::Debug for Chaos {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Chaos")
            .field("inner", &self.inner)
            .field("odds", &self.odds)
            .finish_non_exhaustive()
    }
}

impl fmt::Display for Chaos {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} with chaos", self.inner)
    }
}
