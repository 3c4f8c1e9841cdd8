//! Numbers about a swarm, for who watches from outside.

mod histogram;
mod list;
#[cfg(feature = "otel")]
mod otel;
mod standing;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use alveary_core::{AgentBackend, Exposition};

use crate::manager::SwarmManager;
use histogram::Times;
use list::METRICS;
pub(crate) use standing::Standing;

/// Numbers about a swarm: how long starts take, how agents stand, what fails, how often agents are restarted.
///
/// Hand one to [`ManagerOptions::with_metrics`](crate::ManagerOptions::with_metrics), and it counts from then on what the
/// manager does and what the backend answers. It counts for this process alone and begins at nought. Clones count together.
/// To count costs some hundred nanoseconds a call of the engine.
///
/// | name | what |
/// |---|---|
/// | `alveary_swarm_info` | 1, with the labels `backend` and `version` |
/// | `alveary_swarm_agents` | agents by `state` |
/// | `alveary_swarm_agents_ready` | agents that run and are ready |
/// | `alveary_swarm_spawn_seconds` | a histogram of how long starts took that succeeded |
/// | `alveary_swarm_calls_total` | calls of the engine by `operation` |
/// | `alveary_swarm_failures_total` | those that failed, by `operation` and `kind` of [error](crate::ErrorKind) |
/// | `alveary_swarm_restarts_total` | agents that were started again because they had ended |
/// | `alveary_swarm_restarts_used_up_total` | agents given up because they ended too often |
/// | `alveary_swarm_reconciles_total` | how often all that is known was held against the engine's own list |
/// | `alveary_swarm_reconcile_lag_seconds` | how long ago that was the last time; absent before the first |
/// | `alveary_swarm_engine_heard` | whether the engine is heard: 1, or 0 and every state is `unknown` |
///
/// ```
/// use std::sync::Arc;
/// use alveary::{ManagerOptions, MemoryBackend, SwarmManager, SwarmMetrics};
/// use alveary::layers::{LayerOptions, measured};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> alveary::Result<()> {
/// let metrics = SwarmMetrics::new();
/// let backend = measured(Arc::new(MemoryBackend::new()), &LayerOptions::default(), &metrics);
/// let options = ManagerOptions::default().with_metrics(metrics.clone());
/// let swarm = SwarmManager::with_options(backend, options);
/// swarm.list().await?;
/// let text = metrics.expose(&swarm).await;
/// assert!(text.contains("alveary_swarm_agents{state=\"running\"} 0\n"));
/// assert!(text.contains("alveary_swarm_engine_heard 1\n"));
/// # Ok(()) }
/// ```
#[derive(Debug, Clone, Default)]
pub struct SwarmMetrics(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    calls: Mutex<BTreeMap<&'static str, Calls>>,
    spawns: Times,
    restarts: AtomicU64,
    used_up: AtomicU64,
    reconciles: AtomicU64,
    reconciled: Mutex<Option<Instant>>,
}

/// Calls of one operation.
#[derive(Debug, Default)]
struct Calls {
    all: u64,
    failed: BTreeMap<&'static str, u64>,
}

impl SwarmMetrics {
    /// Everything at nought.
    pub fn new() -> Self {
        Self::default()
    }

    /// All numbers, in the text form of Prometheus (0.0.4): of the counts, and of how the agents of this swarm stand. The
    /// engine is not asked.
    pub async fn expose<B: AgentBackend + ?Sized>(&self, swarm: &SwarmManager<B>) -> String {
        let standing = swarm.standing().await;
        let mut text = Exposition::new();
        for metric in &METRICS {
            metric.write(&self.0, &standing, &mut text);
        }
        text.into_text()
    }

    pub(crate) fn called(&self, operation: &'static str, outcome: &'static str, took: Duration) {
        let mut calls = lock(&self.0.calls);
        let of = calls.entry(operation).or_default();
        of.all += 1;
        if outcome != "ok" {
            *of.failed.entry(outcome).or_default() += 1;
        }
        drop(calls);
        if operation == "spawn" && outcome == "ok" {
            self.0.spawns.add(took);
        }
    }

    pub(crate) fn restarted(&self) {
        self.0.restarts.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn gave_up(&self) {
        self.0.used_up.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn reconciled(&self) {
        self.0.reconciles.fetch_add(1, Ordering::Relaxed);
        *lock(&self.0.reconciled) = Some(Instant::now());
    }
}

impl Counts {
    fn lag(&self) -> Option<Duration> {
        lock(&self.reconciled).map(|at| at.elapsed())
    }

    fn restarts(&self) -> u64 {
        self.restarts.load(Ordering::Relaxed)
    }

    fn used_up(&self) -> u64 {
        self.used_up.load(Ordering::Relaxed)
    }

    fn reconciles(&self) -> u64 {
        self.reconciles.load(Ordering::Relaxed)
    }
}

fn lock<T>(what: &Mutex<T>) -> MutexGuard<'_, T> {
    what.lock().unwrap_or_else(PoisonError::into_inner)
}
