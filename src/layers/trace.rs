//! What was asked of the engine, how it went, and how long it took.

mod facets;

use std::fmt;
use std::future::Future;
use std::time::Instant;

use alveary_core::{
    AgentBackend, AgentId, AgentInfo, AgentSpec, BackendKind, Capabilities, EventOptions,
    EventStream, Exec, Exit, Files, Health, ListOptions, LogOptions, LogStream, Pause, Plans,
    RemoveOptions, Result, Signals, SpawnOptions, Stats, StopOptions,
};
use async_trait::async_trait;
use tracing::field::Empty;
use tracing::{Instrument, Span, debug_span, info_span};

use crate::metrics::SwarmMetrics;

/// A span around each call: `backend`, `operation`, `agent`, and at its end `outcome` and `took_ms`.
///
/// Verbs that change something are told at level INFO, looks at DEBUG. `outcome` is `ok`, the error's kind,
/// or `dropped`. Of a spec the name is told and nothing else, of an error its kind and nothing else: no
/// argument, no value of a variable, no secret and no word of an engine gets into a trace here.
#[derive(Debug)]
pub struct Trace<B> {
    inner: B,
    /// Who counts the calls, too.
    metrics: Option<SwarmMetrics>,
}

impl<B> Trace<B> {
    /// Traces the calls of a backend.
    pub fn new(inner: B) -> Self {
        Self {
            inner,
            metrics: None,
        }
    }

    /// Counts them, too: how many of each operation, how many failed by which kind of error, and how long starts took.
    #[must_use]
    pub fn counted(mut self, metrics: &SwarmMetrics) -> Self {
        self.metrics = Some(metrics.clone());
        self
    }

    /// Runs a call inside its span and tells at its end how it went, also when it is dropped.
    async fn traced<T>(
        &self,
        (span, operation): (Span, &'static str),
        call: impl Future<Output = Result<T>> + Send,
    ) -> Result<T> {
        let mut end = End {
            span: span.clone(),
            operation,
            metrics: self.metrics.as_ref(),
            began: Instant::now(),
            outcome: "dropped",
        };
        let result = call.instrument(span).await;
        end.outcome = match &result {
            Ok(_) => "ok",
            Err(error) => error.kind().as_str(),
        };
        result
    }
}

macro_rules! call {
    ($span:ident, $self:ident, $operation:literal $(, $field:ident = $value:expr)*) => {
        (
            $span!(
                "backend_call",
                backend = %$self.inner.kind(),
                operation = $operation,
                $($field = %$value,)*
                outcome = Empty,
                took_ms = Empty,
            ),
            $operation,
        )
    };
}

use call;

struct End<'a> {
    span: Span,
    operation: &'static str,
    metrics: Option<&'a SwarmMetrics>,
    began: Instant,
    outcome: &'static str,
}

impl Drop for End<'_> {
    fn drop(&mut self) {
        if let Some(metrics) = self.metrics {
            metrics.called(self.operation, self.outcome, self.began.elapsed());
        }
        if self.span.is_disabled() {
            return;
        }
        let took = self.began.elapsed().as_secs_f64() * 1000.0;
        self.span.record("outcome", self.outcome);
        self.span.record("took_ms", took);
        let _inside = self.span.enter();
        tracing::debug!(outcome = self.outcome, took_ms = took, "the call ended");
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<B: AgentBackend> AgentBackend for Trace<B> {
    fn kind(&self) -> BackendKind {
        self.inner.kind()
    }

    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }

    async fn check(&self) -> Result<Health> {
        let span = call!(debug_span, self, "check");
        self.traced(span, self.inner.check()).await
    }

    async fn spawn(
        &self,
        id: &AgentId,
        spec: &AgentSpec,
        options: SpawnOptions,
    ) -> Result<AgentInfo> {
        let span = call!(
            info_span,
            self,
            "spawn",
            agent = id,
            name = alveary_core::Escaped(&spec.name),
            incarnation = options.incarnation
        );
        self.traced(span, self.inner.spawn(id, spec, options)).await
    }

    async fn inspect(&self, id: &AgentId) -> Result<AgentInfo> {
        let span = call!(debug_span, self, "inspect", agent = id);
        self.traced(span, self.inner.inspect(id)).await
    }

    async fn list(&self, options: ListOptions) -> Result<Vec<AgentInfo>> {
        let span = call!(debug_span, self, "list");
        self.traced(span, self.inner.list(options)).await
    }

    async fn stop(&self, id: &AgentId, options: StopOptions) -> Result<Exit> {
        let span = call!(info_span, self, "stop", agent = id);
        self.traced(span, self.inner.stop(id, options)).await
    }

    async fn remove(&self, id: &AgentId, options: RemoveOptions) -> Result<()> {
        let span = call!(info_span, self, "remove", agent = id, force = options.force);
        self.traced(span, self.inner.remove(id, options)).await
    }

    async fn events(&self, options: EventOptions) -> Result<EventStream> {
        let span = call!(debug_span, self, "events");
        self.traced(span, self.inner.events(options)).await
    }

    async fn logs(&self, id: &AgentId, options: LogOptions) -> Result<LogStream> {
        let span = call!(
            debug_span,
            self,
            "logs",
            agent = id,
            follow = options.follow
        );
        self.traced(span, self.inner.logs(id, options)).await
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

impl<B: fmt::Display> fmt::Display for Trace<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::{Arc, Mutex};

    use alveary_core::{ErrorKind, ExecSpec, Operation, PauseOptions, Secret, SecretSpec, Signal};
    use tracing_subscriber::fmt::format::FmtSpan;

    use super::*;
    use crate::layers::scripted::{Answer, Scripted, refused};
    use crate::layers::{LayerOptions, standard};

    #[derive(Clone, Default)]
    struct Capture(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Capture {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Capture {
        fn text(&self) -> String {
            String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
        }

        /// Everything there is to see, down to the last detail.
        fn begin(&self) -> tracing::subscriber::DefaultGuard {
            let writer = self.clone();
            let subscriber = tracing_subscriber::fmt()
                .with_max_level(tracing::Level::TRACE)
                .with_span_events(FmtSpan::FULL)
                .with_ansi(false)
                .with_writer(move || writer.clone())
                .finish();
            tracing::subscriber::set_default(subscriber)
        }
    }

    fn secretive() -> AgentSpec {
        AgentSpec::new("idle", ["idle", "argument-7f3a"])
            .env("TOKEN", "variable-7f3a")
            .secret("KEY", Secret::new("file-7f3a"))
            .secret("WORD", SecretSpec::given(Secret::new("word-7f3a")).as_env())
    }

    #[tokio::test(start_paused = true)]
    async fn nothing_that_must_not_be_seen_is_seen_in_the_finest_trace() {
        let capture = Capture::default();
        let _tracing = capture.begin();
        let inner = Scripted::new(|operation, before| match (operation, before) {
            (Operation::Spawn, 0) => Answer::Refused(refused(ErrorKind::Indeterminate)),
            (Operation::Inspect, _) => Answer::Refused(
                refused(ErrorKind::Engine).with_engine_words("TOKEN=variable-7f3a is odd"),
            ),
            _ => Answer::Honest,
        });
        let backend = standard(inner, &LayerOptions::default());
        let id = AgentId::new("traced-agent").unwrap();
        backend.check().await.unwrap();
        backend
            .spawn(&id, &secretive(), SpawnOptions::default())
            .await
            .unwrap();
        backend.inspect(&id).await.unwrap_err();
        let signals = backend.signals().unwrap();
        signals.signal(&id, Signal::HUP, None).await.unwrap();
        let secretive = ExecSpec::new(["stay", "exec-7f3a"]).env("TOKEN", "exec-value-7f3a");
        let exec = backend.exec().unwrap();
        drop(exec.run(&id, &secretive).await.unwrap());
        let pause = backend.pause().unwrap();
        pause.freeze(&id, PauseOptions::default()).await.unwrap();
        backend.stats().unwrap().read(&id).await.unwrap();
        backend.stop(&id, StopOptions::default()).await.unwrap();
        backend.remove(&id, RemoveOptions::default()).await.unwrap();

        let text = capture.text();
        for told in [
            "operation=\"spawn\"",
            "agent=traced-agent",
            "backend=memory",
            "outcome=\"ok\"",
            "outcome=\"engine error\"",
            "took_ms=",
            "asking the engine again",
            "operation=\"signal\"",
            "operation=\"exec\"",
            "operation=\"pause\"",
            "operation=\"stats\"",
        ] {
            assert!(text.contains(told), "{told} is missing in {text}");
        }
        assert!(!text.contains("7f3a"), "{text}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_that_is_dropped_is_told_as_dropped() {
        let capture = Capture::default();
        let _tracing = capture.begin();
        let backend = Trace::new(Scripted::new(|_, _| Answer::Stall));
        let patience = std::time::Duration::from_secs(1);
        assert!(
            tokio::time::timeout(patience, backend.check())
                .await
                .is_err()
        );
        assert!(capture.text().contains("outcome=\"dropped\""));
    }
}
