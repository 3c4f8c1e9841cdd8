//! What outlives a manager: the programs, and the agents of each swarm.

use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use tokio::sync::broadcast;

use super::agent::Agent;
use super::context::AgentContext;
use super::exec::ExecContext;
use crate::event::AgentEvent;
use crate::exit::ExitStatus;
use crate::id::{AgentId, SwarmUid};

/// How many events a slow listener may be behind before it is told that it lags.
const EVENTS_KEPT: usize = 1024;

/// How much of one agent's output is kept.
const LOG_KEPT: usize = 4 << 20;

pub(super) type Program =
    Arc<dyn Fn(AgentContext) -> Pin<Box<dyn Future<Output = ExitStatus> + Send>> + Send + Sync>;

pub(super) type ExecProgram =
    Arc<dyn Fn(ExecContext) -> Pin<Box<dyn Future<Output = ExitStatus> + Send>> + Send + Sync>;

/// The engine of [`MemoryBackend`](crate::MemoryBackend)s: what two managers of one swarm have in common.
///
/// Cloning gives another handle on the same engine.
///
/// ```
/// use alveary_core::{MemoryBackend, MemoryEngine, SwarmUid};
///
/// let engine = MemoryEngine::new().with_program("true", |_| async { 0 });
/// let swarm = SwarmUid::random();
/// let first = MemoryBackend::on(&engine, swarm);
/// let second = MemoryBackend::on(&engine, swarm); // sees what the first has begun
/// ```
#[derive(Clone)]
pub struct MemoryEngine(Arc<Inner>);

struct Inner {
    programs: RwLock<HashMap<String, Program>>,
    execs: RwLock<HashMap<String, ExecProgram>>,
    swarms: RwLock<HashMap<SwarmUid, Arc<SwarmTable>>>,
    log_kept: usize,
    started: AtomicU64,
}

/// The agents of one swarm.
pub(super) struct SwarmTable {
    pub(super) agents: RwLock<HashMap<AgentId, Arc<Agent>>>,
    pub(super) events: broadcast::Sender<AgentEvent>,
}

impl Default for MemoryEngine {
    fn default() -> Self {
        Self::with_log_bound(LOG_KEPT)
    }
}

impl MemoryEngine {
    /// An engine without programs and agents.
    pub fn new() -> Self {
        Self::default()
    }

    /// An engine that keeps about so many bytes of each agent's output.
    pub fn with_log_bound(bytes: usize) -> Self {
        Self(Arc::new(Inner {
            programs: RwLock::default(),
            execs: RwLock::default(),
            swarms: RwLock::default(),
            log_kept: bytes,
            started: AtomicU64::new(0),
        }))
    }

    /// Gives the engine a program: what an agent runs whose `command` begins with this name. What the
    /// program ends with is its code, or an [`ExitStatus`] to end as no async closure can by itself.
    ///
    /// A program that blocks its thread cannot be ended by force: it has to await what it waits for.
    #[must_use]
    pub fn with_program<F, R>(
        self,
        name: impl Into<String>,
        program: impl Fn(AgentContext) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = R> + Send + 'static,
        R: Into<ExitStatus>,
    {
        let program: Program = Arc::new(move |context| {
            let running = program(context);
            Box::pin(async move { running.await.into() })
        });
        let mut programs = self
            .0
            .programs
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        programs.insert(name.into(), program);
        drop(programs);
        self
    }

    /// Gives the engine a program that is run beside agents: what [`Exec::run`](crate::Exec::run) runs for a
    /// command that begins with this name.
    ///
    /// It reads and writes the streams of its [`ExecContext`]; it is dropped when the agent ends, or when the
    /// one who runs it drops it.
    ///
    /// ```
    /// use alveary_core::MemoryEngine;
    ///
    /// let engine = MemoryEngine::new().with_exec("cat", |mut exec| async move {
    ///     match tokio::io::copy(&mut exec.stdin, &mut exec.stdout).await {
    ///         Ok(_) => 0,
    ///         Err(_) => 1,
    ///     }
    /// });
    /// ```
    #[must_use]
    pub fn with_exec<F, R>(
        self,
        name: impl Into<String>,
        program: impl Fn(ExecContext) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = R> + Send + 'static,
        R: Into<ExitStatus>,
    {
        let program: ExecProgram = Arc::new(move |context| {
            let running = program(context);
            Box::pin(async move { running.await.into() })
        });
        let mut execs = self.0.execs.write().unwrap_or_else(PoisonError::into_inner);
        execs.insert(name.into(), program);
        drop(execs);
        self
    }

    pub(super) fn exec_program(&self, name: &str) -> Option<ExecProgram> {
        let execs = self.0.execs.read().unwrap_or_else(PoisonError::into_inner);
        execs.get(name).cloned()
    }

    pub(super) fn program(&self, name: &str) -> Option<Program> {
        let programs = self
            .0
            .programs
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        programs.get(name).cloned()
    }

    /// The programs that there are, for an error that names them.
    pub(super) fn program_names(&self) -> Vec<String> {
        let programs = self
            .0
            .programs
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        let mut names: Vec<_> = programs.keys().cloned().collect();
        names.sort();
        names
    }

    pub(super) fn swarm(&self, uid: SwarmUid) -> Arc<SwarmTable> {
        let mut swarms = self
            .0
            .swarms
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        swarms
            .entry(uid)
            .or_insert_with(|| {
                Arc::new(SwarmTable {
                    agents: RwLock::default(),
                    events: broadcast::channel(EVENTS_KEPT).0,
                })
            })
            .clone()
    }

    pub(super) fn log_kept(&self) -> usize {
        self.0.log_kept
    }

    /// What the engine calls its next agent.
    pub(super) fn next_handle(&self) -> String {
        format!("task-{}", self.0.started.fetch_add(1, Ordering::Relaxed))
    }
}

impl fmt::Debug for MemoryEngine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryEngine")
            .field("programs", &self.program_names())
            .finish_non_exhaustive()
    }
}
