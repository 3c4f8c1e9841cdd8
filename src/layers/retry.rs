//! Asking again, where that is known to be harmless.

mod facets;

use std::fmt;
use std::future::Future;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use alveary_core::{
    AgentBackend, AgentId, AgentInfo, AgentSpec, BackendKind, Capabilities, Error, ErrorKind,
    EventOptions, EventStream, Exec, Exit, Files, Health, ListOptions, LogOptions, LogStream,
    Operation, Pause, Plans, RemoveOptions, Result, Signals, SpawnOptions, Stats, StopOptions,
};
use async_trait::async_trait;
use backon::{ExponentialBuilder, Retryable};

use super::RetryOptions;

/// Makes a call again where its error says that it may be: see [`Error::retry`].
///
/// Nothing else is repeated, reads neither: an engine that is gone is not asked three times by everyone who
/// looks. A start is repeated with its own id and incarnation, so that it finds what the first attempt began.
/// Attempts are bounded; the last error is the one that is given. But a start of which one attempt was never
/// answered stays `Indeterminate`, whatever a later attempt is told.
#[derive(Debug)]
pub struct Retry<B> {
    inner: B,
    options: RetryOptions,
}

impl<B> Retry<B> {
    /// Repeats the calls of a backend.
    pub fn new(inner: B, options: RetryOptions) -> Self {
        Self { inner, options }
    }

    async fn repeat<T, Call, F>(&self, call: Call) -> Result<T>
    where
        Call: FnMut() -> F + Send,
        F: Future<Output = Result<T>> + Send,
        T: Send,
    {
        self.repeat_where(may_repeat, call).await
    }

    async fn repeat_where<T, Call, F>(
        &self,
        may: fn(&RetryOptions, &Error) -> bool,
        call: Call,
    ) -> Result<T>
    where
        Call: FnMut() -> F + Send,
        F: Future<Output = Result<T>> + Send,
        T: Send,
    {
        let repeats = self.options.attempts.get().saturating_sub(1);
        let pauses = ExponentialBuilder::new()
            .with_min_delay(self.options.delay)
            .with_max_delay(self.options.max_delay)
            .with_max_times(usize::try_from(repeats).unwrap_or(usize::MAX))
            .with_jitter();
        call.retry(pauses)
            .sleep(tokio::time::sleep)
            .when(|error: &Error| may(&self.options, error))
            // `None`: the attempts are used up.
            .adjust(|error, pause| pause.map(|pause| pause.max(asked_pause(error))))
            .notify(|error, pause| {
                tracing::debug!(kind = %error.kind(), ?pause, "asking the engine again");
            })
            .await
    }
}

fn may_repeat(options: &RetryOptions, error: &Error) -> bool {
    error.retry() == alveary_core::Retry::SameId || may_repeat_later(options, error)
}

/// Where nothing was begun, and a pause may help.
fn may_repeat_later(options: &RetryOptions, error: &Error) -> bool {
    match error.retry() {
        // The caller may have better to do than to sit out a long one.
        alveary_core::Retry::After(pause) => pause <= options.max_delay,
        _ => false,
    }
}

/// What a later attempt is refused says nothing of an earlier one, of which no more was heard: that may have
/// been carried out.
fn still_unknown(id: &AgentId, later: Error) -> Error {
    Error::new(
        ErrorKind::Indeterminate,
        Operation::Spawn,
        format!(
            "it is not known whether it was started, and asked again the engine said: {}",
            later.message()
        ),
    )
    .with_cure("look for it by `list`, or spawn it again with the same id and incarnation")
    .with_agent(id)
    .with_source(later)
}

/// How long the engine wants to be left alone.
fn asked_pause(error: &Error) -> Duration {
    match error.retry() {
        alveary_core::Retry::After(pause) => pause,
        _ => Duration::ZERO,
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<B: AgentBackend> AgentBackend for Retry<B> {
    fn kind(&self) -> BackendKind {
        self.inner.kind()
    }

    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }

    async fn check(&self) -> Result<Health> {
        self.repeat(|| self.inner.check()).await
    }

    async fn spawn(
        &self,
        id: &AgentId,
        spec: &AgentSpec,
        options: SpawnOptions,
    ) -> Result<AgentInfo> {
        // Relaxed: the attempts are made one after the other.
        let unanswered = AtomicBool::new(false);
        let answer = self
            .repeat(|| async {
                let answer = self.inner.spawn(id, spec, options.clone()).await;
                if matches!(&answer, Err(error) if error.kind() == ErrorKind::Indeterminate) {
                    unanswered.store(true, Ordering::Relaxed);
                }
                answer
            })
            .await;
        match answer {
            Err(error) if unanswered.into_inner() && error.kind() != ErrorKind::Indeterminate => {
                Err(still_unknown(id, error))
            }
            answer => answer,
        }
    }

    async fn inspect(&self, id: &AgentId) -> Result<AgentInfo> {
        self.repeat(|| self.inner.inspect(id)).await
    }

    async fn list(&self, options: ListOptions) -> Result<Vec<AgentInfo>> {
        self.repeat(|| self.inner.list(options.clone())).await
    }

    async fn stop(&self, id: &AgentId, options: StopOptions) -> Result<Exit> {
        self.repeat(|| self.inner.stop(id, options.clone())).await
    }

    async fn remove(&self, id: &AgentId, options: RemoveOptions) -> Result<()> {
        let mut attempt = 0;
        let removed = self
            .repeat(|| {
                attempt += 1;
                self.inner.remove(id, options.clone())
            })
            .await;
        match removed {
            // An earlier attempt, of which no more was heard, has done it.
            Err(error) if attempt > 1 && error.kind() == ErrorKind::NotFound => Ok(()),
            removed => removed,
        }
    }

    async fn events(&self, options: EventOptions) -> Result<EventStream> {
        self.repeat(|| self.inner.events(options.clone())).await
    }

    async fn logs(&self, id: &AgentId, options: LogOptions) -> Result<LogStream> {
        self.repeat(|| self.inner.logs(id, options.clone())).await
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

impl<B: fmt::Display> fmt::Display for Retry<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use alveary_core::Retry as May;
    use tokio::time::Instant;

    use super::*;
    use crate::layers::scripted::{Answer, Scripted, idle, refused};

    pub(super) fn retried(
        script: impl Fn(Operation, usize) -> Answer + Send + Sync + 'static,
    ) -> (Arc<Scripted>, Retry<Arc<Scripted>>) {
        let inner = Scripted::new(script);
        (
            Arc::clone(&inner),
            Retry::new(inner, RetryOptions::default()),
        )
    }

    /// Refuses this often, then is honest.
    pub(super) fn at_first(
        often: usize,
        error: impl Fn() -> Error + Send + Sync,
    ) -> impl Fn(Operation, usize) -> Answer + Send + Sync {
        move |_, before| {
            if before < often {
                Answer::Refused(error())
            } else {
                Answer::Honest
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_start_of_which_nothing_is_known_is_asked_for_again_by_its_own_name() {
        let (inner, backend) = retried(at_first(2, || refused(ErrorKind::Indeterminate)));
        let (id, options) = (AgentId::random(), SpawnOptions::default());
        let info = backend.spawn(&id, &idle(), options.clone()).await.unwrap();
        assert_eq!((info.id, info.incarnation), (id, options.incarnation));
        assert_eq!(inner.calls(Operation::Spawn), 3);
    }

    #[tokio::test(start_paused = true)]
    async fn the_attempts_are_bounded_and_the_last_error_is_given() {
        let (inner, backend) = retried(at_first(9, || refused(ErrorKind::Indeterminate)));
        let error = backend
            .spawn(&AgentId::random(), &idle(), SpawnOptions::default())
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Indeterminate);
        assert_eq!(inner.calls(Operation::Spawn), 3);
    }

    #[tokio::test(start_paused = true)]
    async fn a_start_that_may_have_been_made_stays_unknown_whatever_a_later_attempt_is_told() {
        let (_, backend) = retried(|_, before| {
            Answer::Refused(refused(if before == 0 {
                ErrorKind::Indeterminate
            } else {
                ErrorKind::EngineUnavailable
            }))
        });
        let error = backend
            .spawn(&AgentId::random(), &idle(), SpawnOptions::default())
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Indeterminate);
        let cause = std::error::Error::source(&error).unwrap();
        let cause = cause.downcast_ref::<Error>().unwrap();
        assert_eq!(cause.kind(), ErrorKind::EngineUnavailable);
    }

    #[tokio::test(start_paused = true)]
    async fn what_would_fail_the_same_way_is_asked_once() {
        for kind in [
            ErrorKind::EngineUnavailable,
            ErrorKind::Timeout,
            ErrorKind::InvalidSpec,
        ] {
            let (inner, backend) = retried(at_first(1, move || refused(kind)));
            let error = backend.list(ListOptions::default()).await.unwrap_err();
            assert_eq!(error.kind(), kind);
            assert_eq!(inner.calls(Operation::List), 1);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_engine_that_asks_for_a_pause_is_given_it() {
        let busy = || {
            let pause = Duration::from_secs(4);
            refused(ErrorKind::OutOfResources).with_retry(May::After(pause))
        };
        let (_, backend) = retried(at_first(1, busy));
        let begun = Instant::now();
        backend.check().await.unwrap();
        assert!(begun.elapsed() >= Duration::from_secs(4));
    }

    #[tokio::test(start_paused = true)]
    async fn a_pause_that_is_too_long_is_left_to_the_caller() {
        let busy = || {
            let pause = Duration::from_mins(1);
            refused(ErrorKind::OutOfResources).with_retry(May::After(pause))
        };
        let (inner, backend) = retried(at_first(1, busy));
        let begun = Instant::now();
        assert!(backend.check().await.is_err());
        assert_eq!(begun.elapsed(), Duration::ZERO);
        assert_eq!(inner.calls(Operation::Check), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_removal_that_an_unanswered_attempt_has_made_is_a_success() {
        let (inner, backend) = retried(at_first(1, || refused(ErrorKind::Indeterminate)));
        // As if the first attempt had been carried out: there is nobody of that id.
        let gone = AgentId::random();
        assert!(
            backend
                .remove(&gone, RemoveOptions::default())
                .await
                .is_ok()
        );
        assert_eq!(inner.calls(Operation::Remove), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn a_removal_of_nobody_is_not_a_success() {
        let (_, backend) = retried(|_, _| Answer::Honest);
        let error = backend
            .remove(&AgentId::random(), RemoveOptions::default())
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
    }
}
