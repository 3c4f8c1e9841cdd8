//! How long it takes to start local processes through the manager, beside what the standard library takes
//! for the same: with a keeper, and with the manager's process keeping.

#![expect(clippy::unwrap_used, reason = "a bench that cannot go on ends there")]
#![expect(clippy::print_stdout, reason = "a bench says what it has measured")]

use std::fs::File;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use alveary::keeper;
use alveary::process::ProcessConfig;
use alveary::{
    AgentId, AgentSpec, BackendConfig, ConnectContext, RemoveOptions, StopOptions, SwarmManager,
    SwarmName, SwarmUid,
};
use alveary_conformance::Pairs;
use criterion::{Criterion, criterion_group};
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};

const PAIRS: usize = 1000;
const AT_ONCE: usize = 300;
const BURSTS: usize = 10;

/// A swarm of local processes, and where it keeps its state.
struct Hive {
    runtime: Runtime,
    swarm: SwarmManager,
    names: u64,
    _folder: TempDir,
}

impl Hive {
    fn new(by_keeper: bool) -> Self {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let mut config = ProcessConfig::default();
        config.keeper = by_keeper;
        let context = ConnectContext::new(SwarmName::new("bench").unwrap(), SwarmUid::random())
            .with_state_dir(folder.path());
        let swarm = runtime.block_on(async {
            let backend = config.connect(context).await.unwrap();
            backend.check().await.unwrap();
            SwarmManager::new(backend)
        });
        Self {
            runtime,
            swarm,
            names: 0,
            _folder: folder,
        }
    }

    fn spec(&mut self) -> AgentSpec {
        self.names += 1;
        AgentSpec::new(format!("sleep-{}", self.names), ["/bin/sleep", "1000"])
    }

    /// How long one spawn takes; what it started is gone afterwards.
    fn spawn(&mut self) -> Duration {
        let spec = self.spec();
        self.runtime.block_on(async {
            let begun = Instant::now();
            let agent = self.swarm.spawn(spec).await.unwrap();
            let took = begun.elapsed();
            self.swarm
                .stop(&agent.id, StopOptions::by_force())
                .await
                .unwrap();
            self.swarm
                .remove(&agent.id, RemoveOptions::default())
                .await
                .unwrap();
            took
        })
    }

    /// How long it takes to spawn many at once; they are gone afterwards.
    fn spawn_many(&mut self) -> Duration {
        let specs: Vec<_> = (0..AT_ONCE).map(|_| self.spec()).collect();
        self.runtime.block_on(async {
            let begun = Instant::now();
            let started = self.swarm.spawn_many(specs).await;
            let took = begun.elapsed();
            let ids: Vec<AgentId> = started.into_iter().map(|agent| agent.unwrap().id).collect();
            let force = RemoveOptions::default().with_force(true);
            let removed = ids.iter().map(|id| self.swarm.remove(id, force.clone()));
            for outcome in futures_util::future::join_all(removed).await {
                outcome.unwrap();
            }
            took
        })
    }
}

/// The same process as an agent is, by hand: its output to a new file, a group of its own.
fn by_hand(folder: &Path, name: usize) -> Child {
    let output = File::create(folder.join(name.to_string())).unwrap();
    Command::new("/bin/sleep")
        .arg("1000")
        .stdin(Stdio::null())
        .stderr(output.try_clone().unwrap())
        .stdout(output)
        .process_group(0)
        .spawn()
        .unwrap()
}

fn end(mut child: Child) {
    child.kill().unwrap();
    child.wait().unwrap();
}

fn one_by_hand(folder: &Path, name: usize) -> Duration {
    let begun = Instant::now();
    let child = by_hand(folder, name);
    let took = begun.elapsed();
    end(child);
    took
}

fn many_by_hand(folder: &Path) -> Duration {
    let begun = Instant::now();
    let children: Vec<_> = (0..AT_ONCE).map(|name| by_hand(folder, name)).collect();
    let took = begun.elapsed();
    children.into_iter().for_each(end);
    took
}

fn latency(criterion: &mut Criterion) {
    let folder = tempfile::tempdir().unwrap();
    let mut group = criterion.benchmark_group("process/spawn");
    group.sample_size(50);
    let mut name = 0;
    group.bench_function("by hand", |bencher| {
        bencher.iter_custom(|times| {
            let one = |_| {
                name += 1;
                one_by_hand(folder.path(), name)
            };
            (0..times).map(one).sum()
        });
    });
    for (keeping, by_keeper) in KEEPINGS {
        let mut hive = Hive::new(by_keeper);
        group.bench_function(keeping, |bencher| {
            bencher.iter_custom(|times| (0..times).map(|_| hive.spawn()).sum());
        });
    }
    group.finish();
}

const KEEPINGS: [(&str, bool); 2] = [
    ("kept by a keeper", true),
    ("kept by the manager's process", false),
];

/// In turn with the baseline, as a table.
fn compare() {
    println!("\n{}", Pairs::HEAD);
    for (keeping, by_keeper) in KEEPINGS {
        let (mut hive, folder) = (Hive::new(by_keeper), tempfile::tempdir().unwrap());
        let mut pairs = Pairs::default();
        for name in 0..PAIRS {
            pairs.push(one_by_hand(folder.path(), name), hive.spawn());
        }
        println!(
            "{}",
            pairs.row(&format!("spawn of a process, {keeping}"), "≤ 1.5")
        );
        let mut pairs = Pairs::default();
        for _ in 0..BURSTS {
            let folder = tempfile::tempdir().unwrap();
            pairs.push(many_by_hand(folder.path()), hive.spawn_many());
        }
        println!(
            "{}",
            pairs.row(&format!("spawn of {AT_ONCE} at once, {keeping}"), "≤ 1.3")
        );
    }
}

criterion_group!(benches, latency);

fn main() {
    keeper::run_if_asked();
    benches();
    Criterion::default().configure_from_args().final_summary();
    compare();
}
