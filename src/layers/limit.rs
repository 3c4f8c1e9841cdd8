//! No more calls at once than the engine can use.

mod facets;

use std::fmt;

use alveary_core::{
    AgentBackend, AgentId, AgentInfo, AgentSpec, BackendKind, Capabilities, EventOptions,
    EventStream, Exec, Exit, Files, Health, ListOptions, LogOptions, LogStream, Pause, Plans,
    RemoveOptions, Result, Signals, SpawnOptions, Stats, StopOptions,
};
use async_trait::async_trait;
use tokio::sync::{Semaphore, SemaphorePermit};

use super::AtOnce;

/// Bounds the calls that are under way at once; what is above the bound waits in the order in which it came.
///
/// Starts, stops with a grace, and all other calls have a bound each, and do not wait for one another: a
/// burst of starts delays no look at an agent, and fifty agents that use up their grace delay no start. A
/// stop by force is short and urgent, so it does not queue behind those that wait for a grace. A stream
/// counts until it is open, not while it flows.
#[derive(Debug)]
pub struct Limit<B> {
    inner: B,
    spawn: Semaphore,
    stop: Semaphore,
    other: Semaphore,
}

impl<B> Limit<B> {
    /// Puts the bound around a backend.
    pub fn new(inner: B, at_once: &AtOnce) -> Self {
        let semaphore = |count: std::num::NonZeroU32| {
            let count = usize::try_from(count.get()).unwrap_or(usize::MAX);
            Semaphore::new(count.min(Semaphore::MAX_PERMITS))
        };
        Self {
            inner,
            spawn: semaphore(at_once.spawn),
            stop: semaphore(at_once.stop),
            other: semaphore(at_once.other),
        }
    }

    /// Which bound a stop counts under.
    fn for_stop(&self, options: &StopOptions) -> &Semaphore {
        if options.grace.is_some_and(|grace| grace.is_zero()) {
            &self.other
        } else {
            &self.stop
        }
    }
}

/// Waits for a turn. The semaphores are never closed, so there is always one in the end.
async fn turn(semaphore: &Semaphore) -> Option<SemaphorePermit<'_>> {
    semaphore.acquire().await.ok()
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<B: AgentBackend> AgentBackend for Limit<B> {
    fn kind(&self) -> BackendKind {
        self.inner.kind()
    }

    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }

    async fn check(&self) -> Result<Health> {
        let _turn = turn(&self.other).await;
        self.inner.check().await
    }

    async fn spawn(
        &self,
        id: &AgentId,
        spec: &AgentSpec,
        options: SpawnOptions,
    ) -> Result<AgentInfo> {
        let _turn = turn(&self.spawn).await;
        self.inner.spawn(id, spec, options).await
    }

    async fn inspect(&self, id: &AgentId) -> Result<AgentInfo> {
        let _turn = turn(&self.other).await;
        self.inner.inspect(id).await
    }

    async fn list(&self, options: ListOptions) -> Result<Vec<AgentInfo>> {
        let _turn = turn(&self.other).await;
        self.inner.list(options).await
    }

    async fn stop(&self, id: &AgentId, options: StopOptions) -> Result<Exit> {
        let _turn = turn(self.for_stop(&options)).await;
        self.inner.stop(id, options).await
    }

    async fn remove(&self, id: &AgentId, options: RemoveOptions) -> Result<()> {
        let _turn = turn(&self.other).await;
        self.inner.remove(id, options).await
    }

    async fn events(&self, options: EventOptions) -> Result<EventStream> {
        let _turn = turn(&self.other).await;
        self.inner.events(options).await
    }

    async fn logs(&self, id: &AgentId, options: LogOptions) -> Result<LogStream> {
        let _turn = turn(&self.other).await;
        self.inner.logs(id, options).await
    }

    fn signals(&self) -> Option<&dyn Signals> {
        self.inner.signals().map(|_| self as &dyn Signals)
    }

    fn exec(&self) -> Option<&dyn Exec> {
        self.inner.exec().map(|_| self as &dyn Exec)
    }

    fn stats(&self) -> Option<&dyn Stats> {
        self.inner.stats().map(|_| self as &dyn Stats)
    }

    fn files(&self) -> Option<&dyn Files> {
        self.inner.files().map(|_| self as &dyn Files)
    }

    fn pause(&self) -> Option<&dyn Pause> {
        self.inner.pause().map(|_| self as &dyn Pause)
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

impl<B: fmt::Display> fmt::Display for Limit<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;
    use std::sync::Arc;
    use std::time::Duration;

    use tokio::task::JoinSet;

    use super::*;
    use crate::layers::scripted::{Answer, Scripted, idle, until_nothing_moves};
    use alveary_core::{Operation, Signal};

    pub(super) fn limited(inner: &Arc<Scripted>) -> Arc<Limit<Arc<Scripted>>> {
        let two = NonZeroU32::new(2).unwrap();
        let at_once = AtOnce {
            spawn: two,
            stop: two,
            other: two,
        };
        Arc::new(Limit::new(Arc::clone(inner), &at_once))
    }

    fn stalling(stalled: Operation) -> Arc<Scripted> {
        Scripted::new(move |operation, _| {
            if operation == stalled {
                Answer::Stall
            } else {
                Answer::Honest
            }
        })
    }

    #[tokio::test(start_paused = true)]
    async fn no_more_starts_are_under_way_than_allowed_and_looks_do_not_wait_for_them() {
        let inner = stalling(Operation::Spawn);
        let limit = limited(&inner);
        let mut starts = JoinSet::new();
        for _ in 0..5 {
            let limit = Arc::clone(&limit);
            starts.spawn(async move {
                let id = AgentId::random();
                limit.spawn(&id, &idle(), SpawnOptions::default()).await
            });
        }
        until_nothing_moves().await;
        assert_eq!(inner.calls(Operation::Spawn), 2);
        assert!(limit.list(ListOptions::default()).await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_that_is_dropped_gives_its_turn_to_the_next() {
        let inner = stalling(Operation::List);
        let limit = limited(&inner);
        let mut looks = JoinSet::new();
        for _ in 0..3 {
            let limit = Arc::clone(&limit);
            looks.spawn(async move { limit.list(ListOptions::default()).await });
        }
        until_nothing_moves().await;
        assert_eq!(inner.calls(Operation::List), 2);
        looks.abort_all();
        until_nothing_moves().await;
        assert!(limit.check().await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn a_stop_by_force_does_not_wait_for_those_that_use_up_their_grace() {
        let inner = Scripted::new(|_, _| Answer::Honest);
        let limit = limited(&inner);
        let deaf = AgentSpec::new("deaf", ["deaf"]);
        let mut stops = JoinSet::new();
        let mut ids = Vec::new();
        for _ in 0..3 {
            let id = AgentId::random();
            inner
                .spawn(&id, &deaf, SpawnOptions::default())
                .await
                .unwrap();
            ids.push(id.clone());
            let limit = Arc::clone(&limit);
            stops.spawn(async move {
                let patient = StopOptions::default().with_grace(Duration::from_hours(1));
                limit.stop(&id, patient).await
            });
        }
        until_nothing_moves().await;
        assert_eq!(inner.calls(Operation::Stop), 2);
        let begun = tokio::time::Instant::now();
        for id in &ids {
            limit.stop(id, StopOptions::by_force()).await.unwrap();
        }
        assert!(begun.elapsed() < Duration::from_secs(1));
    }

    #[tokio::test(start_paused = true)]
    async fn an_open_stream_takes_up_no_turn() {
        let limit = limited(&Scripted::new(|_, _| Answer::Honest));
        let mut streams = Vec::new();
        for _ in 0..5 {
            streams.push(limit.events(EventOptions::default()).await.unwrap());
        }
        assert!(limit.check().await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn signals_wait_for_their_turn_too() {
        let inner = stalling(Operation::Signal);
        let limit = limited(&inner);
        let mut calls = JoinSet::new();
        for _ in 0..3 {
            let limit = Arc::clone(&limit);
            calls.spawn(async move {
                let signals = limit.signals().unwrap();
                signals.signal(&AgentId::random(), Signal::HUP, None).await
            });
        }
        until_nothing_moves().await;
        assert_eq!(inner.calls(Operation::Signal), 2);
    }
}
