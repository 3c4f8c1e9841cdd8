//! A backend for the tests of layers: a memory backend whose answers can be held back or replaced.

use std::collections::HashMap;
use std::fmt;
use std::future::pending;
use std::sync::{Arc, Mutex};

use alveary_core::{
    AgentBackend, AgentId, AgentInfo, AgentPath, AgentSpec, BackendKind, Capabilities, Error,
    ErrorKind, EventOptions, EventStream, Exec, ExecSpec, Execution, Exit, FileInfo, FileKind,
    Files, Health, Incarnation, ListOptions, LogOptions, LogStream, MemoryBackend, Operation,
    Pause, PauseOptions, Plans, PutOptions, RemoveOptions, Result, Signal, Signals, SpawnOptions,
    Stats, StatsOptions, StopOptions, TarStream, Usage, UsageStream,
};
use async_trait::async_trait;
use futures_util::{StreamExt, stream};

/// What becomes of one call.
#[derive(Debug)]
pub(super) enum Answer {
    /// It is answered as it should be.
    Honest,
    /// It is never carried out and never answered.
    Stall,
    /// It is carried out and never answered.
    Lost,
    /// It is not carried out, and this is answered.
    Refused(Error),
}

type Script = Box<dyn Fn(Operation, usize) -> Answer + Send + Sync>;

/// Asks its script about each call: which operation it is, and how many of it there were before.
pub(super) struct Scripted {
    memory: MemoryBackend,
    script: Script,
    calls: Mutex<HashMap<Operation, usize>>,
}

impl Scripted {
    pub(super) fn new(
        script: impl Fn(Operation, usize) -> Answer + Send + Sync + 'static,
    ) -> Arc<Self> {
        Arc::new(Self {
            memory: memory(),
            script: Box::new(script),
            calls: Mutex::default(),
        })
    }

    /// How many calls of this operation there were.
    pub(super) fn calls(&self, operation: Operation) -> usize {
        let calls = self.calls.lock().unwrap();
        calls.get(&operation).copied().unwrap_or(0)
    }

    /// The backend beneath, whose answers are always honest.
    pub(super) fn honest(&self) -> &MemoryBackend {
        &self.memory
    }

    async fn play<T>(
        &self,
        operation: Operation,
        call: impl Future<Output = Result<T>> + Send,
    ) -> Result<T> {
        let before = {
            let mut calls = self.calls.lock().unwrap();
            let count = calls.entry(operation).or_default();
            *count += 1;
            *count - 1
        };
        match (self.script)(operation, before) {
            Answer::Honest => call.await,
            Answer::Stall => pending().await,
            Answer::Lost => {
                // Whatever was answered is what is lost.
                drop(call.await);
                pending().await
            }
            Answer::Refused(error) => Err(error),
        }
    }
}

/// `idle` runs until it is asked to end, `deaf` until it is ended by force.
fn memory() -> MemoryBackend {
    MemoryBackend::new()
        .with_program("idle", |agent| async move {
            agent.stop_requested().await;
            0
        })
        .with_program("deaf", |_| pending::<i32>())
        .with_exec("stay", |_| pending::<i32>())
}

pub(super) fn idle() -> AgentSpec {
    AgentSpec::new("idle", ["idle"])
}

/// An error of this kind, retried as its kind has it.
pub(super) fn refused(kind: ErrorKind) -> Error {
    Error::new(kind, Operation::Spawn, "as the test has it")
}

/// Returns when nothing moves any more. For a runtime whose clock is paused: time goes on there only when
/// nobody has anything left to do.
pub(super) async fn until_nothing_moves() {
    tokio::time::sleep(std::time::Duration::from_nanos(1)).await;
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl AgentBackend for Scripted {
    fn kind(&self) -> BackendKind {
        self.memory.kind()
    }

    fn capabilities(&self) -> Capabilities {
        self.memory.capabilities()
    }

    async fn check(&self) -> Result<Health> {
        self.play(Operation::Check, self.memory.check()).await
    }

    async fn spawn(
        &self,
        id: &AgentId,
        spec: &AgentSpec,
        options: SpawnOptions,
    ) -> Result<AgentInfo> {
        self.play(Operation::Spawn, self.memory.spawn(id, spec, options))
            .await
    }

    async fn inspect(&self, id: &AgentId) -> Result<AgentInfo> {
        self.play(Operation::Inspect, self.memory.inspect(id)).await
    }

    async fn list(&self, options: ListOptions) -> Result<Vec<AgentInfo>> {
        self.play(Operation::List, self.memory.list(options)).await
    }

    async fn stop(&self, id: &AgentId, options: StopOptions) -> Result<Exit> {
        self.play(Operation::Stop, self.memory.stop(id, options))
            .await
    }

    async fn remove(&self, id: &AgentId, options: RemoveOptions) -> Result<()> {
        self.play(Operation::Remove, self.memory.remove(id, options))
            .await
    }

    async fn events(&self, options: EventOptions) -> Result<EventStream> {
        self.play(Operation::Events, self.memory.events(options))
            .await
    }

    async fn logs(&self, id: &AgentId, options: LogOptions) -> Result<LogStream> {
        self.play(Operation::Logs, self.memory.logs(id, options))
            .await
    }

    fn signals(&self) -> Option<&dyn Signals> {
        Some(self)
    }

    fn exec(&self) -> Option<&dyn Exec> {
        Some(self)
    }

    fn stats(&self) -> Option<&dyn Stats> {
        Some(self)
    }

    fn files(&self) -> Option<&dyn Files> {
        Some(self)
    }

    fn pause(&self) -> Option<&dyn Pause> {
        Some(self)
    }
    fn plans(&self) -> Option<&dyn Plans> {
        None
    }
    fn belongings(&self) -> Option<&dyn alveary_core::Belongings> {
        None
    }
    fn leases(&self) -> Option<&dyn alveary_core::Leases> {
        None
    }
}

#[async_trait]
impl Signals for Scripted {
    async fn signal(
        &self,
        id: &AgentId,
        signal: Signal,
        incarnation: Option<Incarnation>,
    ) -> Result<()> {
        let signals = self.memory.signals().unwrap();
        self.play(Operation::Signal, signals.signal(id, signal, incarnation))
            .await
    }
}

#[async_trait]
impl Exec for Scripted {
    async fn run(&self, id: &AgentId, spec: &ExecSpec) -> Result<Execution> {
        self.play(Operation::Exec, self.memory.run(id, spec)).await
    }

    fn ends_when_dropped(&self) -> bool {
        true
    }
}

#[async_trait]
impl Stats for Scripted {
    async fn read(&self, id: &AgentId) -> Result<Usage> {
        self.play(Operation::Stats, self.memory.read(id)).await
    }

    async fn follow(&self, id: &AgentId, options: StatsOptions) -> Result<UsageStream> {
        self.play(Operation::Stats, self.memory.follow(id, options))
            .await
    }
}

/// A file system of one empty file, which takes whatever is put there.
#[async_trait]
impl Files for Scripted {
    async fn look(&self, _id: &AgentId, _path: &AgentPath) -> Result<FileInfo> {
        let info = async { Ok(FileInfo::new("file", FileKind::File, 0, 0o644)) };
        self.play(Operation::GetFiles, info).await
    }

    /// Its end never comes.
    async fn get(&self, _id: &AgentId, _path: &AgentPath) -> Result<TarStream> {
        let first = stream::once(async { Ok(b"first".as_slice().into()) });
        let archive = async { Ok(TarStream::new(first.chain(stream::pending()))) };
        self.play(Operation::GetFiles, archive).await
    }

    async fn put(
        &self,
        _id: &AgentId,
        _into: &AgentPath,
        mut archive: TarStream,
        _options: PutOptions,
    ) -> Result<()> {
        while let Some(piece) = archive.next().await {
            piece?;
        }
        self.play(Operation::PutFiles, async { Ok(()) }).await
    }
}

#[async_trait]
impl Pause for Scripted {
    async fn freeze(&self, id: &AgentId, options: PauseOptions) -> Result<()> {
        self.play(Operation::Pause, self.memory.freeze(id, options))
            .await
    }

    async fn thaw(&self, id: &AgentId, options: PauseOptions) -> Result<()> {
        self.play(Operation::Resume, self.memory.thaw(id, options))
            .await
    }
}

impl fmt::Display for Scripted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a scripted backend")
    }
}

impl fmt::Debug for Scripted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Scripted")
    }
}
