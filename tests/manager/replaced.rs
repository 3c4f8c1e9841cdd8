//! One that runs and is to be started anew: it is not stopped for a start that cannot be had.

use std::fs;
use std::sync::atomic::Ordering;
use std::time::Duration;

use alveary::{
    Agent, AgentBackend, AgentInfo, AgentSpec, AgentState, Desired, ErrorKind, Restart, SecretSpec,
    StopOptions, SwarmManager, UpOptions,
};
use tokio::time::timeout;

use crate::house::{House, stay, until};
use crate::lines::Lines;

const OLD: &str = "[agents.echo]\ncommand = [\"stay\"]\nrestart = \"always\"\n";
const NEW: &str =
    "[agents.echo]\ncommand = [\"stay\"]\nrestart = \"always\"\nenv = { A = \"1\" }\n";

async fn echo(swarm: &SwarmManager<Lines>) -> Agent {
    let echo = swarm.find("echo").await;
    echo.expect("a list").expect("it is recorded")
}

/// It is as it was, and meant to be.
fn runs_on(before: &AgentInfo, now: &Agent) {
    assert_eq!(*now.state(), AgentState::Running);
    assert_eq!(now.info.incarnation, before.incarnation);
    assert_eq!(now.desired, Some(Desired::Running));
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_had_is_refused_and_who_runs_is_left_and_restarted_as_before() {
    let (house, lines) = (House::new(), Lines::new());
    let swarm = SwarmManager::new(lines.clone());
    let up = async |agents: &str| {
        let report = swarm.up(&house.fleet(agents), UpOptions::default()).await;
        let report = report.unwrap();
        report.failures().map(|(_, why)| why.kind()).next()
    };
    assert_eq!(up(OLD).await, None);
    let before = echo(&swarm).await.info;
    for kind in [ErrorKind::ImageNotFound, ErrorKind::EngineUnavailable] {
        lines.refuse_ahead(kind);
        assert_eq!(up(NEW).await, Some(kind));
        runs_on(&before, &echo(&swarm).await);
        let restarted = swarm.restart(&before.id, StopOptions::default()).await;
        assert_eq!(restarted.unwrap_err().kind(), kind);
        runs_on(&before, &echo(&swarm).await);
    }
    // Whoever restarts agents asks nobody whether that can be: there is nothing to lose.
    let ended = lines.inner.stop(&before.id, StopOptions::by_force()).await;
    ended.unwrap();
    until(&swarm, "it runs again", |agents| {
        let again = agents[0].info.incarnation != before.incarnation;
        again && *agents[0].state() == AgentState::Running
    })
    .await;
    let again = echo(&swarm).await.info;
    assert_eq!(again.spec_hash, before.spec_hash);

    lines.refuse_ahead(None);
    assert_eq!(up(NEW).await, None);
    let new = echo(&swarm).await;
    assert_eq!(*new.state(), AgentState::Running);
    assert_ne!(new.info.spec_hash, before.spec_hash);
}

#[tokio::test(start_paused = true)]
async fn a_secret_that_is_not_there_any_more_stops_nobody() {
    let house = House::new();
    let swarm = SwarmManager::new(Lines::new());
    let key = house.path().join("key");
    fs::write(&key, "hunter2").unwrap();
    let spec = stay("echo").secret("KEY", SecretSpec::file(&key));
    let before = swarm.spawn(spec).await.unwrap();
    fs::remove_file(&key).unwrap();
    let restarted = swarm.restart(&before.id, StopOptions::default()).await;
    let refused = restarted.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::InvalidSpec);
    assert_eq!(refused.agent(), Some(&before.id));
    runs_on(&before, &echo(&swarm).await);

    fs::write(&key, "hunter3").unwrap();
    let restarted = swarm.restart(&before.id, StopOptions::default()).await;
    assert_ne!(restarted.unwrap().incarnation, before.incarnation);
}

#[tokio::test(start_paused = true)]
async fn who_is_stopped_while_what_it_needs_is_fetched_stays_stopped() {
    let lines = Lines::new();
    let swarm = SwarmManager::new(lines.clone());
    let spec = AgentSpec::new("echo", ["stay"]).restart(Restart::always());
    let before = swarm.spawn(spec).await.unwrap();
    lines.hold_ahead.store(true, Ordering::SeqCst);
    let (restarted, ()) = tokio::join!(swarm.restart(&before.id, StopOptions::default()), async {
        let seen_to = timeout(Duration::from_mins(1), lines.reached.notified()).await;
        seen_to.expect("what it needs is fetched");
        runs_on(&before, &echo(&swarm).await);
        let stopped = swarm.stop(&before.id, StopOptions::default()).await;
        stopped.unwrap();
        lines.hold_ahead.store(false, Ordering::SeqCst);
        lines.release.notify_one();
    });
    assert_eq!(restarted.unwrap_err().kind(), ErrorKind::Conflict);
    let now = echo(&swarm).await;
    assert_eq!(now.info.incarnation, before.incarnation);
    assert_eq!(now.desired, Some(Desired::Stopped));
    assert!(now.exit.is_some());
}
