//! No call waits for ever, and no time limit is taken for an answer.

mod facets;
mod pace;

use std::fmt;
use std::future::Future;
use std::time::Duration;

use alveary_core::{
    AgentBackend, AgentId, AgentInfo, AgentSpec, AgentState, BackendKind, Capabilities, Error,
    ErrorKind, EventOptions, EventStream, Exec, Exit, Files, Health, Incarnation, ListOptions,
    LogOptions, LogStream, Operation, Pause, Plans, RemoveOptions, Result, Retry, Signals,
    SpawnOptions, Stats, StopOptions,
};
use async_trait::async_trait;
use tokio::time::timeout;

use super::Timeouts;

/// Gives every call a time limit.
///
/// A look that takes too long is a [`Timeout`](ErrorKind::Timeout): nothing was changed by it. A verb that
/// takes too long may have been carried out, so its outcome is found out by looking at the agent; what cannot
/// be found out is [`Indeterminate`](ErrorKind::Indeterminate), and never a failure. A stream is limited
/// until it is open, not while it flows.
#[derive(Debug)]
pub struct Timeout<B> {
    inner: B,
    limits: Timeouts,
}

impl<B> Timeout<B> {
    /// Puts the limits around a backend.
    pub fn new(inner: B, limits: Timeouts) -> Self {
        Self { inner, limits }
    }
}

impl<B: AgentBackend> Timeout<B> {
    /// What a start became whose answer did not come.
    async fn find_start(&self, id: &AgentId, incarnation: Incarnation) -> Result<AgentInfo> {
        let unknown = |why: &str| {
            let limit = shown(self.limits.spawn);
            Error::new(
                ErrorKind::Indeterminate,
                Operation::Spawn,
                format!("the engine did not say within {limit} whether it starts, and {why}"),
            )
            .with_agent(id)
            .with_cure("spawn it again with the same id and incarnation, or look for it by `list`")
        };
        match timeout(self.limits.inspect, self.inner.inspect(id)).await {
            Ok(Ok(info)) if info.incarnation != incarnation => {
                Err(unknown("an earlier start of it is what is seen"))
            }
            Ok(Ok(info)) if info.state == AgentState::Pending => {
                Err(unknown("it is seen as merely meant to be"))
            }
            Ok(Ok(info)) => Ok(info),
            // It may still come: the engine has the order.
            Ok(Err(error)) if error.kind() == ErrorKind::NotFound => {
                Err(unknown("it is not seen yet"))
            }
            Ok(Err(error)) => Err(unknown("it cannot be looked for").with_source(error)),
            Err(_) => Err(unknown("does not say whether it is there either")),
        }
    }

    /// What a stop became whose answer did not come.
    async fn find_end(
        &self,
        id: &AgentId,
        incarnation: Option<Incarnation>,
        waited: Duration,
    ) -> Result<Exit> {
        let error = |kind, what: &str| {
            Error::new(
                kind,
                Operation::Stop,
                format!("{what} after {}", shown(waited)),
            )
            .with_agent(id)
            // The caller has waited for as long as it said: whether to wait once more is its to say.
            .with_retry(Retry::Never)
        };
        let unknown = || {
            error(
                ErrorKind::Indeterminate,
                "the engine does not say whether it has ended",
            )
            .with_cure("see that the engine answers, and stop the agent again")
        };
        let info = match timeout(self.limits.inspect, self.inner.inspect(id)).await {
            Ok(Ok(info)) => info,
            Ok(Err(gone)) if gone.kind() == ErrorKind::NotFound => {
                return Err(gone.with_operation(Operation::Stop));
            }
            Ok(Err(cause)) => return Err(unknown().with_source(cause)),
            Err(_) => return Err(unknown()),
        };
        if incarnation.is_some_and(|meant| meant != info.incarnation) {
            return Err(error(
                ErrorKind::Conflict,
                "it was started again, and that start was not meant, seen",
            )
            .with_cure("name its latest start, or none"));
        }
        match info.state {
            AgentState::Exited(exit) => Ok(exit),
            AgentState::Failed { reason } => Ok(Exit::unknown(reason)),
            AgentState::Unknown { .. } => Err(unknown()),
            _ => Err(
                error(ErrorKind::StillRunning, "it has not ended").with_cure(
                    "stop it again, by force where it must end now; the stop itself goes on",
                ),
            ),
        }
    }

    /// What a removal became whose answer did not come.
    async fn find_gone(&self, id: &AgentId) -> Result<()> {
        match timeout(self.limits.inspect, self.inner.inspect(id)).await {
            Ok(Err(error)) if error.kind() == ErrorKind::NotFound => Ok(()),
            _ => Err(Error::new(
                ErrorKind::Indeterminate,
                Operation::Remove,
                format!(
                    "the engine did not say within {} whether it is removed",
                    shown(self.limits.remove)
                ),
            )
            .with_agent(id)
            .with_cure("remove it again, or look for it by `list`")),
        }
    }
}

/// A call that changes nothing.
async fn look<T>(
    limit: Duration,
    key: &str,
    operation: Operation,
    call: impl Future<Output = Result<T>> + Send,
) -> Result<T> {
    timeout(limit, call).await.unwrap_or_else(|_| {
        Err(Error::new(
            ErrorKind::Timeout,
            operation,
            format!("the engine did not answer within {}", shown(limit)),
        )
        .with_cure(format!(
            "see that the engine answers; where it is merely slow, raise `calls.timeout.{key}`"
        )))
    })
}

fn shown(time: Duration) -> impl fmt::Display {
    // Parts below a millisecond tell nobody anything.
    let millis = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    humantime::format_duration(Duration::from_millis(millis)).to_string()
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<B: AgentBackend> AgentBackend for Timeout<B> {
    fn kind(&self) -> BackendKind {
        self.inner.kind()
    }

    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }

    async fn check(&self) -> Result<Health> {
        let limit = self.limits.check;
        timeout(limit, self.inner.check())
            .await
            .unwrap_or_else(|_| {
                Err(Error::new(
                    ErrorKind::EngineUnavailable,
                    Operation::Check,
                    format!("the engine did not answer within {}", shown(limit)),
                )
                .with_cure(
                    "see that it runs; where it is merely slow, raise `calls.timeout.check`",
                ))
            })
    }

    async fn spawn(
        &self,
        id: &AgentId,
        spec: &AgentSpec,
        options: SpawnOptions,
    ) -> Result<AgentInfo> {
        let incarnation = options.incarnation;
        match timeout(self.limits.spawn, self.inner.spawn(id, spec, options)).await {
            Ok(answer) => answer,
            Err(_) => self.find_start(id, incarnation).await,
        }
    }

    async fn inspect(&self, id: &AgentId) -> Result<AgentInfo> {
        let limit = self.limits.inspect;
        look(limit, "inspect", Operation::Inspect, self.inner.inspect(id))
            .await
            .map_err(|error| about(error, id))
    }

    async fn list(&self, options: ListOptions) -> Result<Vec<AgentInfo>> {
        let limit = self.limits.list;
        look(limit, "list", Operation::List, self.inner.list(options)).await
    }

    async fn stop(&self, id: &AgentId, options: StopOptions) -> Result<Exit> {
        let incarnation = options.incarnation;
        let grace = options.grace.unwrap_or(self.limits.unnamed_grace);
        let limit = grace.saturating_add(self.limits.stop);
        match timeout(limit, self.inner.stop(id, options)).await {
            Ok(answer) => answer,
            Err(_) => self.find_end(id, incarnation, limit).await,
        }
    }

    async fn remove(&self, id: &AgentId, options: RemoveOptions) -> Result<()> {
        match timeout(self.limits.remove, self.inner.remove(id, options)).await {
            Ok(answer) => answer,
            Err(_) => self.find_gone(id).await,
        }
    }

    async fn events(&self, options: EventOptions) -> Result<EventStream> {
        let limit = self.limits.subscribe;
        look(
            limit,
            "subscribe",
            Operation::Events,
            self.inner.events(options),
        )
        .await
    }

    async fn logs(&self, id: &AgentId, options: LogOptions) -> Result<LogStream> {
        let limit = self.limits.subscribe;
        look(
            limit,
            "subscribe",
            Operation::Logs,
            self.inner.logs(id, options),
        )
        .await
        .map_err(|error| about(error, id))
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

/// Names the agent in an error that does not yet.
fn about(error: Error, id: &AgentId) -> Error {
    match error.agent() {
        Some(_) => error,
        None => error.with_agent(id),
    }
}

impl<B: fmt::Display> fmt::Display for Timeout<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use futures_util::StreamExt;
    use tokio::time::Instant;

    use super::*;
    use crate::layers::scripted::{Answer, Scripted, idle};

    pub(super) fn timed(
        script: impl Fn(Operation, usize) -> Answer + Send + Sync + 'static,
    ) -> (Arc<Scripted>, Timeout<Arc<Scripted>>) {
        let inner = Scripted::new(script);
        let limits = Timeouts::default();
        (Arc::clone(&inner), Timeout::new(inner, limits))
    }

    pub(super) fn only(
        one: Operation,
        answer: fn() -> Answer,
    ) -> impl Fn(Operation, usize) -> Answer {
        move |operation, _| {
            if operation == one {
                answer()
            } else {
                Answer::Honest
            }
        }
    }

    pub(super) async fn spawned(inner: &Scripted, spec: &AgentSpec) -> AgentId {
        let id = AgentId::random();
        let options = SpawnOptions::default();
        inner.honest().spawn(&id, spec, options).await.unwrap();
        id
    }

    #[tokio::test(start_paused = true)]
    async fn a_look_that_takes_too_long_is_a_timeout_that_names_its_setting() {
        let (inner, backend) = timed(only(Operation::Inspect, || Answer::Stall));
        let id = spawned(&inner, &idle()).await;
        let begun = Instant::now();
        let error = backend.inspect(&id).await.unwrap_err();
        assert_eq!(begun.elapsed(), Duration::from_secs(5));
        assert_eq!(error.kind(), ErrorKind::Timeout);
        assert_eq!(error.agent(), Some(&id));
        assert!(
            error.to_string().contains("calls.timeout.inspect"),
            "{error}"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn an_engine_that_does_not_answer_a_check_is_unavailable() {
        let (_, backend) = timed(only(Operation::Check, || Answer::Stall));
        let error = backend.check().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::EngineUnavailable);
    }

    #[tokio::test(start_paused = true)]
    async fn a_start_whose_answer_is_lost_is_found() {
        let (_, backend) = timed(only(Operation::Spawn, || Answer::Lost));
        let (id, options) = (AgentId::random(), SpawnOptions::default());
        let info = backend.spawn(&id, &idle(), options.clone()).await.unwrap();
        assert_eq!(info.incarnation, options.incarnation);
    }

    #[tokio::test(start_paused = true)]
    async fn a_start_that_is_not_seen_may_still_come() {
        let (_, backend) = timed(only(Operation::Spawn, || Answer::Stall));
        let id = AgentId::random();
        let error = backend
            .spawn(&id, &idle(), SpawnOptions::default())
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Indeterminate);
        assert_eq!(error.retry(), Retry::SameId);
        assert_eq!(error.agent(), Some(&id));
    }

    #[tokio::test(start_paused = true)]
    async fn an_earlier_start_is_not_taken_for_this_one() {
        let (inner, backend) = timed(only(Operation::Spawn, || Answer::Stall));
        let id = spawned(&inner, &idle()).await;
        let error = backend
            .spawn(&id, &idle(), SpawnOptions::default())
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Indeterminate);
    }

    #[tokio::test(start_paused = true)]
    async fn a_start_of_which_nothing_can_be_seen_is_indeterminate_within_both_limits() {
        let (_, backend) = timed(|_, _| Answer::Stall);
        let begun = Instant::now();
        let error = backend
            .spawn(&AgentId::random(), &idle(), SpawnOptions::default())
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Indeterminate);
        assert_eq!(begun.elapsed(), Duration::from_secs(15 + 5));
    }

    #[tokio::test(start_paused = true)]
    async fn a_stop_has_the_grace_and_its_limit_and_its_outcome_is_found() {
        let (inner, backend) = timed(only(Operation::Stop, || Answer::Lost));
        let id = spawned(&inner, &idle()).await;
        let begun = Instant::now();
        let options = StopOptions::default().with_grace(Duration::from_secs(30));
        let exit = backend.stop(&id, options).await.unwrap();
        assert!(exit.is_success(), "{exit}");
        assert_eq!(begun.elapsed(), Duration::from_secs(30 + 10));
    }

    #[tokio::test(start_paused = true)]
    async fn a_stop_that_names_no_grace_is_not_cut_short() {
        let (inner, backend) = timed(only(Operation::Stop, || Answer::Stall));
        let id = spawned(&inner, &idle()).await;
        let begun = Instant::now();
        let error = backend.stop(&id, StopOptions::default()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::StillRunning);
        assert_eq!(begun.elapsed(), Duration::from_secs(600 + 10));
    }

    #[tokio::test(start_paused = true)]
    async fn a_stop_of_which_nothing_can_be_seen_is_neither_an_end_nor_repeated() {
        let (inner, backend) = timed(|_, _| Answer::Stall);
        let id = spawned(&inner, &idle()).await;
        let error = backend
            .stop(&id, StopOptions::by_force())
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Indeterminate);
        assert_eq!(error.retry(), Retry::Never);
    }

    #[tokio::test(start_paused = true)]
    async fn the_end_of_another_start_is_not_taken_for_the_one_that_was_meant() {
        let (inner, backend) = timed(only(Operation::Stop, || Answer::Stall));
        let id = spawned(&inner, &idle()).await;
        let other = StopOptions::by_force().with_incarnation(Incarnation::random());
        let error = backend.stop(&id, other).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Conflict);
    }

    #[tokio::test(start_paused = true)]
    async fn a_removal_whose_answer_is_lost_is_found_and_one_that_is_not_seen_is_indeterminate() {
        for (answer, removed) in [
            ((|| Answer::Lost) as fn() -> Answer, true),
            (|| Answer::Stall, false),
        ] {
            let (inner, backend) = timed(only(Operation::Remove, answer));
            let id = spawned(&inner, &idle()).await;
            let force = RemoveOptions::default().with_force(true);
            match backend.remove(&id, force).await {
                Ok(()) => assert!(removed),
                Err(error) => {
                    assert!(!removed, "{error}");
                    assert_eq!(error.kind(), ErrorKind::Indeterminate);
                }
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_stream_flows_for_longer_than_it_may_take_to_open() {
        let (inner, backend) = timed(|_, _| Answer::Honest);
        let mut events = backend.events(EventOptions::default()).await.unwrap();
        tokio::time::sleep(Duration::from_hours(1)).await;
        spawned(&inner, &idle()).await;
        assert!(events.next().await.unwrap().is_ok());
    }
}
