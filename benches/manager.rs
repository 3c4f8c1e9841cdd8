//! What the manager adds to a call of its backend, and what a look at its memory costs.
//!
//! Over a backend that does nothing, so that all that is measured is the manager's own. At the end the
//! figures stand side by side, with what they are to be.

#![expect(clippy::unwrap_used, reason = "a bench that cannot go on ends there")]
#![expect(clippy::print_stdout, reason = "a bench says what it has measured")]

use std::fmt;
use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use alveary::{
    AgentBackend, AgentId, AgentInfo, AgentSpec, AgentState, BackendConfig, BackendKind,
    Capabilities, ConnectContext, EndedBy, EventOptions, EventStream, Exit, ExitStatus, Fleet,
    Health, ListOptions, LoadOptions, LogOptions, LogStream, ManagerOptions, OpenOptions, Registry,
    RemoveOptions, Result, Running, SpawnOptions, StopOptions, SwarmManager, WatchOptions,
};
use async_trait::async_trait;
use criterion::{BenchmarkId, Criterion, criterion_group};
use tokio::runtime::Runtime;

/// The sizes of swarm between which nothing may differ.
const SIZES: [usize; 2] = [10, 10_000];

/// An engine that does nothing and forgets everything.
#[derive(Debug)]
struct Nothing;

impl fmt::Display for Nothing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("nothing")
    }
}

#[async_trait]
impl AgentBackend for Nothing {
    fn kind(&self) -> BackendKind {
        BackendKind::new("nothing")
    }
    fn capabilities(&self) -> Capabilities {
        Capabilities::default()
    }
    async fn check(&self) -> Result<Health> {
        Ok(Health::default())
    }
    async fn spawn(&self, id: &AgentId, spec: &AgentSpec, o: SpawnOptions) -> Result<AgentInfo> {
        let state = AgentState::Running;
        Ok(AgentInfo::new(
            id.clone(),
            o.incarnation,
            spec.name.clone(),
            state,
        ))
    }
    async fn inspect(&self, id: &AgentId) -> Result<AgentInfo> {
        Err(alveary::Error::agent_not_found(
            alveary::Operation::Inspect,
            id,
        ))
    }
    async fn list(&self, _: ListOptions) -> Result<Vec<AgentInfo>> {
        Ok(Vec::new())
    }
    async fn stop(&self, _: &AgentId, _: StopOptions) -> Result<Exit> {
        Ok(Exit::new(ExitStatus::Code(0), EndedBy::Us))
    }
    async fn remove(&self, _: &AgentId, _: RemoveOptions) -> Result<()> {
        Ok(())
    }
    async fn events(&self, _: EventOptions) -> Result<EventStream> {
        Ok(EventStream::new(futures_util::stream::pending()))
    }
    async fn logs(&self, _: &AgentId, _: LogOptions) -> Result<LogStream> {
        Ok(LogStream::new(futures_util::stream::empty()))
    }
}

/// The settings of [`Nothing`].
#[derive(Debug, Default, serde::Deserialize)]
struct NoSettings {}

#[async_trait]
impl BackendConfig for NoSettings {
    const NAME: &'static str = "nothing";

    async fn connect(self, _: ConnectContext) -> Result<Arc<dyn AgentBackend>> {
        Ok(Arc::new(Nothing))
    }
}

fn spec(name: usize) -> AgentSpec {
    AgentSpec::new(
        format!("agent-{name}"),
        ["python3", "agent.py", "--verbose"],
    )
    .env("LOG", "info")
    .capability("summarise")
}

/// A manager of a swarm of this size.
fn swarm(runtime: &Runtime, size: usize) -> SwarmManager<Nothing> {
    // An engine that remembers nobody is not to be asked who is there.
    let once = WatchOptions::default().with_relist(Duration::from_hours(24));
    let options = ManagerOptions::default().with_watch(once);
    let swarm = SwarmManager::with_options(Arc::new(Nothing), options);
    runtime.block_on(async {
        let started = swarm.spawn_many((0..size).map(spec)).await;
        assert!(started.iter().all(std::result::Result::is_ok));
    });
    swarm
}

/// A manager of a swarm of this size that records it in a state folder.
fn recorded_swarm(runtime: &Runtime, root: &Path, size: usize) -> SwarmManager {
    let file = format!(
        "swarm = \"of-{size}\"\nbackend = \"nothing\"\n[agents.somebody]\ncommand = [\"true\"]\n"
    );
    let load = LoadOptions::default().with_state_dir(root);
    let fleet = Fleet::parse(&file, root.join("alveary.toml"), &load).unwrap();
    let opening = OpenOptions::new()
        .registry(Registry::new().with::<NoSettings>())
        .secrets_root(root.join("secrets"))
        .open_fleet(fleet);
    runtime.block_on(async {
        let swarm = opening.await.unwrap().swarm;
        let started = swarm.spawn_many((0..size).map(spec)).await;
        assert!(started.iter().all(std::result::Result::is_ok));
        swarm
    })
}

/// The time of so many spawns through the manager; what they make is taken away in between, unmeasured.
async fn through_manager<B: AgentBackend + ?Sized>(
    swarm: &SwarmManager<B>,
    times: u64,
) -> Duration {
    let mut total = Duration::ZERO;
    for _ in 0..times {
        let spec = spec(usize::MAX);
        let begun = Instant::now();
        let info = swarm.spawn(spec).await.unwrap();
        total += begun.elapsed();
        swarm
            .remove(&info.id, RemoveOptions::default())
            .await
            .unwrap();
    }
    total
}

/// The same without the manager.
async fn bare(backend: &dyn AgentBackend, times: u64) -> Duration {
    let mut total = Duration::ZERO;
    for _ in 0..times {
        let spec = spec(usize::MAX);
        let begun = Instant::now();
        let id = AgentId::random();
        black_box(
            backend
                .spawn(&id, &spec, SpawnOptions::default())
                .await
                .unwrap(),
        );
        total += begun.elapsed();
    }
    total
}

fn spawn(criterion: &mut Criterion) {
    let runtime = Runtime::new().unwrap();
    let mut group = criterion.benchmark_group("spawn");
    group.bench_function("bare", |bencher| {
        bencher
            .to_async(&runtime)
            .iter_custom(|times| bare(&Nothing, times));
    });
    for size in SIZES {
        let swarm = swarm(&runtime, size);
        let id = BenchmarkId::new("manager", size);
        group.bench_with_input(id, &swarm, |bencher, swarm| {
            bencher
                .to_async(&runtime)
                .iter_custom(|times| through_manager(swarm, times));
        });
    }
    group.finish();
}

fn look(criterion: &mut Criterion) {
    let runtime = Runtime::new().unwrap();
    let mut group = criterion.benchmark_group("is_running");
    for size in SIZES {
        let swarm = swarm(&runtime, size);
        let id = runtime
            .block_on(swarm.find("agent-5"))
            .unwrap()
            .unwrap()
            .info
            .id;
        assert_eq!(swarm.is_running(&id), Running::Yes);
        group.bench_function(BenchmarkId::from_parameter(size), |bencher| {
            bencher.iter(|| swarm.is_running(black_box(&id)));
        });
    }
    group.finish();
}

fn list(criterion: &mut Criterion) {
    let runtime = Runtime::new().unwrap();
    let swarm = swarm(&runtime, 1000);
    criterion.bench_function("list/1000", |bencher| {
        bencher
            .to_async(&runtime)
            .iter(|| async { swarm.list().await.unwrap().len() });
    });
}

/// The figures side by side, as a table: medians of a few thousand.
fn summary() {
    let runtime = Runtime::new().unwrap();
    let median = |mut one: Box<dyn FnMut() -> Duration + '_>| {
        let mut times: Vec<_> = (0..4000).map(|_| one()).collect();
        times.sort_unstable();
        times[times.len() / 2]
    };
    println!("\n| what | measured, p50 | goal |\n|---|---|---|");
    let floor = median(Box::new(|| runtime.block_on(bare(&Nothing, 1))));
    println!("| `spawn` of a backend that does nothing | {floor:?} | |");
    let mut overheads = Vec::new();
    for size in SIZES {
        let swarm = swarm(&runtime, size);
        let time = median(Box::new(|| runtime.block_on(through_manager(&swarm, 1))));
        let overhead = time.saturating_sub(floor);
        println!("| the manager's own part of a spawn, {size} agents | {overhead:?} | ≤ 5 µs |");
        overheads.push(overhead);

        let id = runtime
            .block_on(swarm.find("agent-5"))
            .unwrap()
            .unwrap()
            .info
            .id;
        let looks = 1000;
        let look = median(Box::new(|| {
            let begun = Instant::now();
            for _ in 0..looks {
                black_box(swarm.is_running(black_box(&id)));
            }
            begun.elapsed() / looks
        }));
        println!("| `is_running`, {size} agents | {look:?} | ≤ 100 ns |");
    }
    let ratio = overheads[1].as_secs_f64() / overheads[0].as_secs_f64();
    println!("| the manager's own part at 10,000 agents ÷ at 10 | {ratio:.2} | flat |");
    let root = tempfile::tempdir().unwrap();
    for size in SIZES {
        let swarm = recorded_swarm(&runtime, root.path(), size);
        let time = median(Box::new(|| runtime.block_on(through_manager(&swarm, 1))));
        let overhead = time.saturating_sub(floor);
        println!("| the same with records on disk, {size} agents | {overhead:?} | |");
    }
}

criterion_group!(benches, spawn, look, list);

fn main() {
    benches();
    Criterion::default().configure_from_args().final_summary();
    summary();
}
