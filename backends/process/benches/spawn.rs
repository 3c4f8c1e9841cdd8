//! How long it takes to spawn an agent, beside what the standard library takes for the same process.
//!
//! The two are measured in turn, pair by pair, so that a machine whose speed drifts slows both.

#![expect(clippy::print_stdout, reason = "what a bench finds is printed")]

use std::fs::File;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use alveary_core::{
    AgentBackend, AgentId, AgentSpec, BackendConfig, ConnectContext, RemoveOptions, SpawnOptions,
    StopOptions, SwarmName, SwarmUid,
};
use alveary_process::{ProcessConfig, keeper};

const PAIRS: usize = 300;

fn main() {
    keeper::run_if_asked();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        for (name, by_keeper) in [("kept by a keeper", true), ("kept by this process", false)] {
            let folder = tempfile::tempdir().expect("a folder");
            let mut config = ProcessConfig::default();
            config.keeper = by_keeper;
            let context =
                ConnectContext::new(SwarmName::new("bench").expect("a name"), SwarmUid::random())
                    .with_state_dir(folder.path());
            let backend = config.connect(context).await.expect("a backend");
            pairs(name, &backend).await;
            burst(name, &backend).await;
        }
    });
}

async fn pairs(name: &str, backend: &Arc<dyn AgentBackend>) {
    let output = tempfile::tempdir().expect("a folder");
    let (mut bare, mut ours) = (Vec::new(), Vec::new());
    for n in 0..PAIRS {
        bare.push(by_hand(output.path(), n));
        let (id, spec) = (AgentId::random(), sleep());
        let begun = Instant::now();
        backend
            .spawn(&id, &spec, SpawnOptions::default())
            .await
            .expect("it starts");
        ours.push(begun.elapsed());
        backend
            .stop(&id, StopOptions::by_force())
            .await
            .expect("it ends");
        backend
            .remove(&id, RemoveOptions::default())
            .await
            .expect("it goes");
    }
    report(&format!("spawn, {name}"), &mut bare, &mut ours);
}

async fn burst(name: &str, backend: &Arc<dyn AgentBackend>) {
    const AT_ONCE: usize = 300;
    let output = tempfile::tempdir().expect("a folder");
    let (mut bare, mut ours) = (Vec::new(), Vec::new());
    for _ in 0..5 {
        let begun = Instant::now();
        let mut children: Vec<_> = (0..AT_ONCE).map(|n| start(output.path(), n)).collect();
        bare.push(begun.elapsed());
        for child in &mut children {
            child.kill().expect("it can be killed");
            child.wait().expect("it ends");
        }
        let ids: Vec<_> = (0..AT_ONCE).map(|_| AgentId::random()).collect();
        let spec = sleep();
        let begun = Instant::now();
        let spawned = ids
            .iter()
            .map(|id| backend.spawn(id, &spec, SpawnOptions::default()));
        for outcome in futures_util::future::join_all(spawned).await {
            outcome.expect("it starts");
        }
        ours.push(begun.elapsed());
        let removed = ids
            .iter()
            .map(|id| backend.remove(id, RemoveOptions::default().with_force(true)));
        for outcome in futures_util::future::join_all(removed).await {
            outcome.expect("it goes");
        }
    }
    report(&format!("{AT_ONCE} at once, {name}"), &mut bare, &mut ours);
}

fn sleep() -> AgentSpec {
    AgentSpec::new("sleep", ["/bin/sleep", "1000"])
}

fn start(folder: &std::path::Path, n: usize) -> std::process::Child {
    let file = File::create(folder.join(n.to_string())).expect("a file");
    Command::new("/bin/sleep")
        .arg("1000")
        .stdin(Stdio::null())
        .stderr(file.try_clone().expect("a descriptor"))
        .stdout(file)
        .process_group(0)
        .spawn()
        .expect("it starts")
}

fn by_hand(folder: &std::path::Path, n: usize) -> Duration {
    let begun = Instant::now();
    let mut child = start(folder, n);
    let took = begun.elapsed();
    child.kill().expect("it can be killed");
    child.wait().expect("it ends");
    took
}

fn report(what: &str, bare: &mut [Duration], ours: &mut [Duration]) {
    bare.sort();
    ours.sort();
    let at =
        |times: &[Duration], part: usize| times[(times.len() * part / 100).min(times.len() - 1)];
    let (bare_p50, ours_p50) = (at(bare, 50), at(ours, 50));
    println!(
        "{what}: by hand p50 {bare_p50:?} p99 {:?}; ours p50 {ours_p50:?} p99 {:?}; ratio p50 {:.2} p99 {:.2}",
        at(bare, 99),
        at(ours, 99),
        ours_p50.as_secs_f64() / bare_p50.as_secs_f64(),
        at(ours, 99).as_secs_f64() / at(bare, 99).as_secs_f64(),
    );
}
