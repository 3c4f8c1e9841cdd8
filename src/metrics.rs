//! Numbers about a swarm, for who watches from outside.

mod histogram;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use alveary_core::{AgentBackend, AgentState, Exposition, MetricKind};

use crate::manager::{Agent, SwarmManager};
use histogram::Histogram;

/// The states by which agents are counted, each of which has a number even where it is nought.
const STATES: [&str; 7] = [
    "pending", "starting", "running", "stopping", "exited", "failed", "unknown",
];

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
    spawns: Mutex<Histogram>,
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

/// How agents stand at one moment.
#[derive(Debug, Default)]
struct Standing {
    by_state: BTreeMap<&'static str, u64>,
    ready: u64,
    heard: bool,
}

impl SwarmMetrics {
    /// Everything at nought.
    pub fn new() -> Self {
        Self::default()
    }

    /// All numbers, in the text form of Prometheus (0.0.4): of the counts, and of how the agents of this swarm stand. The
    /// engine is not asked.
    pub async fn expose<B: AgentBackend + ?Sized>(&self, swarm: &SwarmManager<B>) -> String {
        let (agents, heard) = swarm.standing().await;
        let standing = Standing::counted(&agents, heard);
        let mut text = Exposition::new();
        let kind = swarm.backend().kind().to_string();
        text.family(
            "alveary_swarm_info",
            MetricKind::Gauge,
            "What runs the swarm.",
        )
        .sample(
            &[("backend", &kind), ("version", env!("CARGO_PKG_VERSION"))],
            1,
        );
        standing.write(&mut text);
        self.write_calls(&mut text);
        self.write_counts(&mut text);
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
            lock(&self.0.spawns).add(took);
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

    fn write_calls(&self, text: &mut Exposition) {
        let spawns = lock(&self.0.spawns).clone();
        let help = "How long starts took that succeeded, in seconds.";
        text.family("alveary_swarm_spawn_seconds", MetricKind::Histogram, help)
            .histogram(&[], spawns.buckets(), spawns.count(), spawns.sum());
        let calls = lock(&self.0.calls);
        let help = "Calls of the engine, since the start.";
        let mut family = text.family("alveary_swarm_calls_total", MetricKind::Counter, help);
        for (operation, of) in calls.iter() {
            family.sample(&[("operation", operation)], of.all);
        }
        let help = "Calls of the engine that failed, since the start.";
        let mut family = text.family("alveary_swarm_failures_total", MetricKind::Counter, help);
        for (operation, of) in calls.iter() {
            for (kind, count) in &of.failed {
                family.sample(&[("operation", operation), ("kind", kind)], count);
            }
        }
    }

    fn write_counts(&self, text: &mut Exposition) {
        let counts = [
            (
                "alveary_swarm_restarts_total",
                "Agents that were started again because they had ended, since the start.",
                self.0.restarts(),
            ),
            (
                "alveary_swarm_restarts_used_up_total",
                "Agents that were given up because they ended too often, since the start.",
                self.0.used_up(),
            ),
            (
                "alveary_swarm_reconciles_total",
                "How often all that is known was held against the engine's list, since the start.",
                self.0.reconciles(),
            ),
        ];
        for (name, help, count) in counts {
            text.single(name, MetricKind::Counter, help, count);
        }
        if let Some(lag) = self.0.lag() {
            let name = "alveary_swarm_reconcile_lag_seconds";
            let help = "How long ago all that is known was held against the engine's list.";
            text.single(name, MetricKind::Gauge, help, lag.as_secs_f64());
        }
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

impl Standing {
    fn counted(agents: &[Agent], heard: bool) -> Self {
        let mut standing = Self {
            heard,
            ..Self::default()
        };
        for agent in agents {
            *standing.by_state.entry(agent.state().as_str()).or_default() += 1;
            let runs = matches!(agent.state(), AgentState::Running);
            standing.ready += u64::from(runs && agent.ready);
        }
        standing
    }

    fn write(&self, text: &mut Exposition) {
        let help = "Agents by how they stand.";
        let mut family = text.family("alveary_swarm_agents", MetricKind::Gauge, help);
        for state in STATES {
            let count = self.by_state.get(state).unwrap_or(&0);
            family.sample(&[("state", state)], count);
        }
        let help = "Agents that run and are ready.";
        text.single(
            "alveary_swarm_agents_ready",
            MetricKind::Gauge,
            help,
            self.ready,
        );
        let help = "Whether the engine is heard.";
        text.single(
            "alveary_swarm_engine_heard",
            MetricKind::Gauge,
            help,
            u8::from(self.heard),
        );
    }
}

fn lock<T>(what: &Mutex<T>) -> MutexGuard<'_, T> {
    what.lock().unwrap_or_else(PoisonError::into_inner)
}
