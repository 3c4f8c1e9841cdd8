//! What a meter of OpenTelemetry is told is what Prometheus reads, number by number.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on ends there")]

mod collected;
mod told;

use std::sync::Arc;
use std::time::{Duration, Instant};

use alveary::layers::{LayerOptions, measured};
use alveary::{
    Agent, AgentBackend, AgentSpec, AgentState, DownOptions, LoadOptions, ManagerOptions,
    MemoryBackend, OpenOptions, Restart, StopOptions, SwarmEvent, SwarmManager, SwarmMetrics,
};
use futures_util::StreamExt as _;

use collected::Meters;
use told::Told;

const LAG: &str = "alveary_swarm_reconcile_lag_seconds";

/// Waits until an agent of this name is as it should be.
async fn until(swarm: &SwarmManager, name: &str, is: impl Fn(&Agent) -> bool) {
    let mut events = swarm.subscribe().await;
    let seen = async {
        while let Some(event) = events.next().await {
            let agents = match event {
                SwarmEvent::Snapshot(agents) => agents,
                SwarmEvent::Changed(agent) => vec![*agent],
                _ => continue,
            };
            if agents.iter().any(|agent| agent.name() == name && is(agent)) {
                return;
            }
        }
    };
    let deadline = Duration::from_mins(1);
    tokio::time::timeout(deadline, seen).await.unwrap();
}

/// What both say of a moment in which nothing happens; all but the lag is the same then.
#[track_caller]
fn the_same(before: &str, collected: Told, after: &str) -> Option<Told> {
    let (mut before, mut collected, mut after) =
        (Told::scraped(before), collected, Told::scraped(after));
    let lags = [&mut before, &mut collected, &mut after].map(|told| told.take(LAG));
    if before.numbers != after.numbers {
        return None;
    }
    assert!(
        lags.is_sorted() && lags[0] > 0.0,
        "{lags:?}: each is told later"
    );
    assert_eq!(collected.families, before.families);
    assert_eq!(collected.numbers, before.numbers);
    Some(collected)
}

async fn compared(swarm: &SwarmManager, metrics: &SwarmMetrics, meters: &Meters) -> Told {
    let began = Instant::now();
    loop {
        let before = metrics.expose(swarm).await;
        let collected = meters.collect("demo");
        let after = metrics.expose(swarm).await;
        if let Some(told) = the_same(&before, collected, &after) {
            return told;
        }
        // The engine was asked something meanwhile, and the numbers are others.
        assert!(
            began.elapsed() < Duration::from_mins(1),
            "never a quiet moment: {after}"
        );
    }
}

async fn processes(folder: &std::path::Path, metrics: &SwarmMetrics) -> SwarmManager {
    let file = folder.join("alveary.toml");
    std::fs::write(&file, "backend = \"process\"").unwrap();
    let load = LoadOptions::default()
        .with_file(file)
        .with_state_dir(folder.join("state"));
    let options = ManagerOptions::default().with_metrics(metrics.clone());
    let opened = OpenOptions::new().load(load).manager(options).open().await;
    opened.unwrap().swarm
}

#[tokio::test]
async fn a_meter_is_told_every_number_that_prometheus_reads_and_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let (metrics, meters) = (SwarmMetrics::new(), Meters::new());
    let swarm = processes(folder.path(), &metrics).await;
    metrics.report_to(&meters.meter("demo"), &swarm).await;

    let steady = AgentSpec::new("steady", ["sleep", "1000"]);
    let steady = swarm.spawn(steady).await.unwrap();
    let twice = Restart::always()
        .at_most(2, Duration::from_mins(1))
        .delay(Duration::from_millis(10), Duration::from_millis(10));
    let clumsy = AgentSpec::new("clumsy", ["false"]).restart(twice);
    swarm.spawn(clumsy).await.unwrap();
    let none = AgentSpec::new("none", ["/there/is/no/such/program"]);
    swarm.spawn(none).await.unwrap_err();
    until(&swarm, "clumsy", |agent| {
        matches!(agent.state(), AgentState::Failed { .. })
    })
    .await;

    let told = compared(&swarm, &metrics, &meters).await;
    let is = |name: &str, labels: &[(&str, &str)]| told.get(name, labels);
    assert_eq!(told.families.len(), 11, "{:?}", told.families);
    assert_eq!(
        is("alveary_swarm_agents", &[("state", "running")]),
        Some(1.0)
    );
    assert_eq!(
        is("alveary_swarm_agents", &[("state", "failed")]),
        Some(1.0)
    );
    assert_eq!(is("alveary_swarm_agents_ready", &[]), Some(1.0));
    assert_eq!(is("alveary_swarm_engine_heard", &[]), Some(1.0));
    assert_eq!(is("alveary_swarm_restarts_total", &[]), Some(2.0));
    assert_eq!(is("alveary_swarm_restarts_used_up_total", &[]), Some(1.0));
    assert_eq!(is("alveary_swarm_spawn_seconds_count", &[]), Some(4.0));
    let spawns = [("operation", "spawn")];
    assert_eq!(is("alveary_swarm_calls_total", &spawns), Some(5.0));
    let failed = [("operation", "spawn"), ("kind", "invalid spec")];
    assert_eq!(is("alveary_swarm_failures_total", &failed), Some(1.0));

    swarm
        .restart(&steady.id, StopOptions::default())
        .await
        .unwrap();
    let told = compared(&swarm, &metrics, &meters).await;
    assert_eq!(
        told.get("alveary_swarm_spawn_seconds_count", &[]),
        Some(5.0)
    );
    swarm.down(DownOptions::default()).await.unwrap();
    let told = compared(&swarm, &metrics, &meters).await;
    let running = [("state", "running")];
    assert_eq!(told.get("alveary_swarm_agents", &running), Some(0.0));
}

fn in_memory(metrics: &SwarmMetrics) -> SwarmManager {
    let backend = MemoryBackend::new().with_program("stay", |agent| async move {
        agent.stop_requested().await;
        0
    });
    let backend: Arc<dyn AgentBackend> = Arc::new(backend);
    let backend = measured(backend, &LayerOptions::default(), metrics);
    let options = ManagerOptions::default().with_metrics(metrics.clone());
    SwarmManager::with_options(backend, options)
}

#[tokio::test]
async fn swarms_with_meters_of_their_own_are_told_apart_and_one_that_is_gone_is_told_of_no_more() {
    let meters = Meters::new();
    let (one, two) = (SwarmMetrics::new(), SwarmMetrics::new());
    let (first, second) = (in_memory(&one), in_memory(&two));
    one.report_to(&meters.meter("one"), &first).await;
    two.report_to(&meters.meter("two"), &second).await;
    for name in ["a", "b"] {
        let spec = AgentSpec::new(name, ["stay"]);
        first.spawn(spec).await.unwrap();
    }
    let spec = AgentSpec::new("a", ["stay"]);
    second.spawn(spec).await.unwrap();
    let ready = |swarm| meters.collect(swarm).get("alveary_swarm_agents_ready", &[]);
    assert_eq!((ready("one"), ready("two")), (Some(2.0), Some(1.0)));

    // The meters keep no swarm alive. Their counts stay as long as somebody has them.
    drop(first);
    until_gone(|| ready("one")).await;
    assert_eq!(ready("two"), Some(1.0));
    let spawns = [("operation", "spawn")];
    let calls = |swarm| {
        meters
            .collect(swarm)
            .get("alveary_swarm_calls_total", &spawns)
    };
    assert_eq!(calls("one"), Some(2.0));
    drop(one);
    until_gone(|| calls("one")).await;
}

/// The background task of a manager may live a moment longer than the manager.
async fn until_gone(look: impl Fn() -> Option<f64>) {
    let began = Instant::now();
    while look().is_some() {
        assert!(began.elapsed() < Duration::from_mins(1), "it is still told");
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_meter_that_comes_late_is_told_the_counts_whole_and_the_times_from_then_on() {
    let (metrics, meters) = (SwarmMetrics::new(), Meters::new());
    let swarm = in_memory(&metrics);
    let spec = AgentSpec::new("a", ["stay"]);
    swarm.spawn(spec).await.unwrap();
    metrics.report_to(&meters.meter("late"), &swarm).await;
    let spec = AgentSpec::new("b", ["stay"]);
    swarm.spawn(spec).await.unwrap();
    let told = meters.collect("late");
    let spawns = [("operation", "spawn")];
    assert_eq!(told.get("alveary_swarm_calls_total", &spawns), Some(2.0));
    assert_eq!(
        told.get("alveary_swarm_spawn_seconds_count", &[]),
        Some(1.0)
    );
}
