//! How fast a backend is: one group of benches, the same for all.

use std::future::Future;
use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use alveary_core::{
    AgentBackend, AgentId, AgentSpec, AgentState, ListOptions, RemoveOptions, Result, SpawnOptions,
    StopOptions, SwarmUid,
};
use criterion::{BenchmarkId, Criterion, Throughput};
use futures_util::future::join_all;
use tokio::runtime::Runtime;

use crate::behaviour::Behaviour;
use crate::harness::Harness;

/// How many agents `spawn_many` starts at once.
const MANY: usize = 50;

/// How many agents there are while `list` and `is_running` are asked.
const THERE: usize = 100;

/// Measures a backend: `spawn`, `spawn_many`, `stop`, `list` and `is_running`, in a group of the harness's
/// name.
///
/// What is measured is the call alone: making room for the next is not in it. The agents are those of
/// [`Behaviour::Sleep`]. A backend that cannot be connected, or fails, ends the bench with its error.
///
/// ```no_run
/// use alveary_conformance::{MemoryHarness, bench};
/// use criterion::{Criterion, criterion_group, criterion_main};
///
/// fn memory(c: &mut Criterion) {
///     bench(c, &MemoryHarness::default());
/// }
/// criterion_group!(benches, memory);
/// criterion_main!(benches);
/// ```
pub fn bench(c: &mut Criterion, harness: &impl Harness) {
    let runtime = succeeds("start a runtime", Runtime::new());
    let swarm = SwarmUid::random();
    let backend = runtime.block_on(async {
        let backend = succeeds("connect", harness.connect(&swarm).await);
        succeeds("check", backend.check().await);
        backend
    });
    let Some(spec) = harness.spec(&Behaviour::Sleep) else {
        fails("find an agent that sleeps", harness.name());
    };
    let subject = Subject {
        runtime,
        backend,
        spec,
    };
    let mut group = c.benchmark_group(harness.name());
    // Engines take their time: few samples, so that a group takes a minute and not an hour.
    group.sample_size(10);
    group.throughput(Throughput::Elements(1));
    group.bench_function("spawn", |b| b.iter_custom(|times| subject.spawn(times)));
    group.bench_function("stop", |b| b.iter_custom(|times| subject.stop(times)));
    group.throughput(Throughput::Elements(MANY as u64));
    group.bench_function(BenchmarkId::new("spawn_many", MANY), |b| {
        b.iter_custom(|times| subject.spawn_many(times));
    });
    let ids = subject.fill();
    group.throughput(Throughput::Elements(1));
    group.bench_function(BenchmarkId::new("list", THERE), |b| {
        b.iter_custom(|times| subject.list(times));
    });
    group.bench_function(BenchmarkId::new("is_running", THERE), |b| {
        b.iter_custom(|times| subject.is_running(times, &ids));
    });
    group.finish();
    subject.remove_all();
    subject.runtime.block_on(harness.clean_up(&swarm));
}

/// What is measured, and on what.
struct Subject {
    runtime: Runtime,
    backend: Arc<dyn AgentBackend>,
    spec: AgentSpec,
}

impl Subject {
    async fn start(&self) -> AgentId {
        let id = AgentId::random();
        let options = SpawnOptions::default();
        succeeds("spawn", self.backend.spawn(&id, &self.spec, options).await);
        id
    }

    async fn end(&self, id: &AgentId) {
        let options = RemoveOptions::default().with_force(true);
        succeeds("remove", self.backend.remove(id, options).await);
    }

    fn spawn(&self, times: u64) -> Duration {
        self.sum(times, || async {
            let begun = Instant::now();
            let id = self.start().await;
            let took = begun.elapsed();
            self.end(&id).await;
            took
        })
    }

    fn stop(&self, times: u64) -> Duration {
        self.sum(times, || async {
            let id = self.start().await;
            let begun = Instant::now();
            let options = StopOptions::by_force();
            succeeds("stop", self.backend.stop(&id, options).await);
            let took = begun.elapsed();
            self.end(&id).await;
            took
        })
    }

    fn spawn_many(&self, times: u64) -> Duration {
        self.sum(times, || async {
            let begun = Instant::now();
            let ids = join_all((0..MANY).map(|_| self.start())).await;
            let took = begun.elapsed();
            join_all(ids.iter().map(|id| self.end(id))).await;
            took
        })
    }

    fn list(&self, times: u64) -> Duration {
        self.whole(times, |_| async {
            black_box(self.backend.list(ListOptions::default()).await.map(|_| ()))
        })
    }

    fn is_running(&self, times: u64, ids: &[AgentId]) -> Duration {
        self.whole(times, |turn| async move {
            let id = &ids[turn % ids.len()];
            let state = self.backend.inspect(id).await?.state;
            black_box(matches!(state, AgentState::Running));
            Ok(())
        })
    }

    fn fill(&self) -> Vec<AgentId> {
        self.runtime
            .block_on(join_all((0..THERE).map(|_| self.start())))
    }

    fn remove_all(&self) {
        self.runtime.block_on(async {
            let all = succeeds("list", self.backend.list(ListOptions::default()).await);
            join_all(all.iter().map(|info| self.end(&info.id))).await;
        });
    }

    /// The sum of what each turn measures of itself.
    fn sum<F: Future<Output = Duration>>(&self, times: u64, turn: impl Fn() -> F) -> Duration {
        self.runtime.block_on(async {
            let mut sum = Duration::ZERO;
            for _ in 0..times {
                sum += turn().await;
            }
            sum
        })
    }

    /// The time of all turns together, for those that are too short to be measured one by one.
    fn whole<F>(&self, times: u64, turn: impl Fn(usize) -> F) -> Duration
    where
        F: Future<Output = Result<()>>,
    {
        self.runtime.block_on(async {
            let begun = Instant::now();
            for n in 0..times {
                // On a small machine the number wraps; any agent will do.
                succeeds("ask", turn(usize::try_from(n).unwrap_or_default()).await);
            }
            begun.elapsed()
        })
    }
}

/// A bench has nobody to give an error to: a figure of a call that failed is none.
fn succeeds<T, E: std::fmt::Display>(what: &str, result: Result<T, E>) -> T {
    match result {
        Ok(value) => value,
        Err(error) => fails(what, error),
    }
}

fn fails(what: &str, why: impl std::fmt::Display) -> ! {
    panic!("the bench failed to {what}: {why}")
}
