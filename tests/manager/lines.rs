//! A backend whose lines can be cut, held and refused on.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use alveary::{
    AgentBackend, AgentEvent, AgentId, AgentInfo, AgentPlan, AgentSpec, BackendKind, Capabilities,
    Error, ErrorKind, EventOptions, EventStream, Exit, Health, ListOptions, LogOptions, LogStream,
    MemoryBackend, Operation, Plans, RemoveOptions, Result, SpawnOptions, StopOptions,
};
use async_trait::async_trait;
use tokio::sync::{Notify, broadcast};

use crate::house::memory;

/// Memory, with a hand on its lines: it can be silent, and hold starts back.
#[derive(Debug)]
pub(crate) struct Lines {
    pub(crate) inner: MemoryBackend,
    pub(crate) cut: AtomicBool,
    pub(crate) cutting: broadcast::Sender<()>,
    pub(crate) hold: AtomicBool,
    pub(crate) hold_ahead: AtomicBool,
    /// Lists do not come to an end.
    pub(crate) slow: AtomicBool,
    /// Of whom it is never said how it stands, where it is asked.
    pub(crate) silent_about: Mutex<Option<AgentId>>,
    /// With what starts are refused, and how many were asked for.
    pub(crate) refuse: Mutex<Option<ErrorKind>>,
    pub(crate) starts: AtomicUsize,
    /// With what is refused what is asked for ahead of a start.
    refuse_ahead: Mutex<Option<ErrorKind>>,
    /// What is held has reached us.
    pub(crate) reached: Notify,
    pub(crate) release: Notify,
}

impl Lines {
    pub(crate) fn new() -> Arc<Self> {
        Self::over(memory())
    }

    pub(crate) fn over(inner: MemoryBackend) -> Arc<Self> {
        Arc::new(Self {
            inner,
            cut: AtomicBool::new(false),
            cutting: broadcast::Sender::new(1),
            hold: AtomicBool::new(false),
            hold_ahead: AtomicBool::new(false),
            slow: AtomicBool::new(false),
            silent_about: Mutex::default(),
            refuse: Mutex::default(),
            starts: AtomicUsize::new(0),
            refuse_ahead: Mutex::default(),
            reached: Notify::new(),
            release: Notify::new(),
        })
    }

    pub(crate) fn cut(&self) {
        self.cut.store(true, Ordering::SeqCst);
        let _ = self.cutting.send(());
    }

    pub(crate) fn refuse_starts(&self, kind: impl Into<Option<ErrorKind>>) {
        *self.refuse.lock().expect("nobody panics with it") = kind.into();
    }

    pub(crate) fn refuse_ahead(&self, kind: impl Into<Option<ErrorKind>>) {
        *self.refuse_ahead.lock().expect("nobody panics with it") = kind.into();
    }

    pub(crate) fn mend(&self) {
        self.cut.store(false, Ordering::SeqCst);
    }

    async fn held(&self, hold: &AtomicBool) {
        if hold.load(Ordering::SeqCst) {
            self.reached.notify_one();
            self.release.notified().await;
        }
    }

    pub(crate) fn check_line(&self, operation: Operation) -> Result<()> {
        if self.cut.load(Ordering::SeqCst) {
            return Err(Error::new(
                ErrorKind::EngineUnavailable,
                operation,
                "the line is cut",
            ));
        }
        Ok(())
    }
}

impl std::fmt::Display for Lines {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("memory at the end of a line")
    }
}

#[async_trait]
impl AgentBackend for Lines {
    fn kind(&self) -> BackendKind {
        self.inner.kind()
    }
    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }
    async fn check(&self) -> Result<Health> {
        self.inner.check().await
    }
    async fn spawn(&self, id: &AgentId, spec: &AgentSpec, o: SpawnOptions) -> Result<AgentInfo> {
        self.check_line(Operation::Spawn)?;
        self.starts.fetch_add(1, Ordering::SeqCst);
        let refused = *self.refuse.lock().expect("nobody panics with it");
        if let Some(kind) = refused {
            return Err(Error::new(kind, Operation::Spawn, "not now"));
        }
        self.held(&self.hold).await;
        self.inner.spawn(id, spec, o).await
    }
    async fn inspect(&self, id: &AgentId) -> Result<AgentInfo> {
        self.check_line(Operation::Inspect)?;
        let silent_about = self
            .silent_about
            .lock()
            .expect("nobody panics with it")
            .clone();
        if silent_about.as_ref() == Some(id) {
            std::future::pending::<()>().await;
        }
        self.inner.inspect(id).await
    }
    async fn list(&self, o: ListOptions) -> Result<Vec<AgentInfo>> {
        self.check_line(Operation::List)?;
        if self.slow.load(Ordering::SeqCst) {
            std::future::pending::<()>().await;
        }
        self.inner.list(o).await
    }
    async fn stop(&self, id: &AgentId, o: StopOptions) -> Result<Exit> {
        self.inner.stop(id, o).await
    }
    async fn remove(&self, id: &AgentId, o: RemoveOptions) -> Result<()> {
        self.inner.remove(id, o).await
    }
    async fn events(&self, o: EventOptions) -> Result<EventStream> {
        self.check_line(Operation::Events)?;
        let events = self.inner.events(o).await?;
        let mut cutting = self.cutting.subscribe();
        let cut = async move {
            let _ = cutting.recv().await;
        };
        let events = futures_util::StreamExt::take_until(events, Box::pin(cut));
        Ok(EventStream::new(futures_util::StreamExt::map(
            events,
            |event: Result<AgentEvent>| event,
        )))
    }
    async fn logs(&self, id: &AgentId, o: LogOptions) -> Result<LogStream> {
        self.inner.logs(id, o).await
    }
    fn plans(&self) -> Option<&dyn Plans> {
        Some(self)
    }
}

#[async_trait]
impl Plans for Lines {
    fn plan(&self, _: &AgentId, _: &AgentSpec) -> Result<AgentPlan> {
        Ok(AgentPlan::default())
    }
    async fn prepare(&self, _: &AgentId, _: &AgentSpec) -> Result<()> {
        self.held(&self.hold_ahead).await;
        let refused = *self.refuse_ahead.lock().expect("nobody panics with it");
        match refused {
            Some(kind) => Err(Error::new(kind, Operation::Spawn, "it cannot be had")),
            None => Ok(()),
        }
    }
}
