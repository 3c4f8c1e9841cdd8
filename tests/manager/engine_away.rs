//! What an engine that is away, or refuses, costs in restarts.

use std::sync::atomic::Ordering;
use std::time::Duration;

use alveary::{
    AgentBackend, AgentSpec, AgentState, Desired, ErrorKind, SpawnOptions, StopOptions,
    SwarmManager,
};

use crate::house::{stay, until};
use crate::lines::Lines;

#[tokio::test(start_paused = true)]
async fn an_engine_that_is_away_uses_up_no_restarts() {
    let lines = Lines::new();
    let swarm = SwarmManager::new(lines.clone());
    let policy = alveary::Restart::always()
        .at_most(2, Duration::from_hours(1))
        .delay(Duration::from_secs(1), Duration::from_secs(1));
    let echo = swarm
        .spawn(AgentSpec::new("echo", ["stay"]).restart(policy))
        .await
        .unwrap();
    lines
        .inner
        .stop(&echo.id, StopOptions::by_force())
        .await
        .unwrap();
    until(&swarm, "its end is known", |agents| {
        agents[0].exit.is_some()
    })
    .await;
    lines.cut();
    tokio::time::sleep(Duration::from_mins(10)).await;
    lines.mend();
    until(&swarm, "it runs again", |agents| {
        *agents[0].state() == AgentState::Running
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn what_is_not_the_agents_fault_uses_up_no_restarts_and_is_not_tried_without_a_pause() {
    for kind in [
        ErrorKind::OutOfResources,
        ErrorKind::Conflict,
        ErrorKind::EngineUnavailable,
    ] {
        let lines = Lines::new();
        let swarm = SwarmManager::new(lines.clone());
        let policy = alveary::Restart::always()
            .at_most(2, Duration::from_hours(1))
            .delay(Duration::ZERO, Duration::ZERO);
        let echo = swarm
            .spawn(AgentSpec::new("echo", ["stay"]).restart(policy))
            .await
            .unwrap();
        lines.refuse_starts(kind);
        lines
            .inner
            .stop(&echo.id, StopOptions::by_force())
            .await
            .unwrap();
        tokio::time::sleep(Duration::from_mins(10)).await;
        let tried = lines.starts.load(Ordering::SeqCst);
        assert!((10..1300).contains(&tried), "{kind}: {tried}");
        lines.refuse_starts(None);
        until(&swarm, "it runs again", |agents| {
            *agents[0].state() == AgentState::Running
        })
        .await;
        // One restart was made, however often it was tried.
        assert_eq!(swarm.get(&echo.id).await.unwrap().restarts, 1, "{kind}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_engine_that_is_away_during_a_restart_by_hand_changes_nothing_of_what_is_wanted() {
    let lines = Lines::new();
    let swarm = SwarmManager::new(lines.clone());
    let policy = alveary::Restart::always();
    let echo = swarm.spawn(stay("echo").restart(policy)).await.unwrap();
    lines.refuse_starts(ErrorKind::EngineUnavailable);
    let error = swarm
        .restart(&echo.id, StopOptions::default())
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::EngineUnavailable);
    let agent = swarm.get(&echo.id).await.unwrap();
    assert_eq!(agent.desired, Some(Desired::Running));
    lines.refuse_starts(None);
    until(&swarm, "it runs again", |agents| {
        *agents[0].state() == AgentState::Running
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn one_that_cannot_be_started_by_its_own_fault_is_given_up_whoever_began_with_it() {
    for by_hand in [false, true] {
        let lines = Lines::new();
        let swarm = SwarmManager::new(lines.clone());
        let policy = alveary::Restart::always()
            .at_most(4, Duration::from_hours(1))
            .delay(Duration::from_secs(1), Duration::from_secs(1));
        let echo = swarm.spawn(stay("echo").restart(policy)).await.unwrap();
        if by_hand {
            lines.refuse_starts(ErrorKind::EngineUnavailable);
            let restarted = swarm.restart(&echo.id, StopOptions::default()).await;
            assert_eq!(restarted.unwrap_err().kind(), ErrorKind::EngineUnavailable);
        }
        lines.refuse_starts(ErrorKind::ImageNotFound);
        if !by_hand {
            let end = StopOptions::by_force();
            lines.inner.stop(&echo.id, end).await.unwrap();
        }
        until(&swarm, "it is given up", |agents| {
            matches!(agents[0].state(), AgentState::Failed { .. })
        })
        .await;
        let agent = swarm.get(&echo.id).await.unwrap();
        let AgentState::Failed { reason } = agent.state() else {
            panic!("{agent:?}");
        };
        let used_up = "restarts used up: 4 within 1h, and then it could not be started";
        assert!(reason.starts_with(used_up), "{by_hand}: {reason}");
        // What is asked for by hand is no restart that counts.
        assert_eq!(agent.restarts, 4, "{by_hand}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_restart_that_meets_a_fresher_start_leaves_it_and_what_is_wanted_of_it() {
    let lines = Lines::new();
    let swarm = SwarmManager::new(lines.clone());
    let echo = swarm.spawn(stay("echo")).await.unwrap();
    lines.hold.store(true, Ordering::SeqCst);
    let (restarted, other) = tokio::join!(swarm.restart(&echo.id, StopOptions::default()), async {
        lines.reached.notified().await;
        let other = SpawnOptions::default();
        let info = lines.inner.spawn(&echo.id, &stay("echo"), other).await;
        lines.release.notify_one();
        info.unwrap()
    });
    assert_eq!(restarted.unwrap().incarnation, other.incarnation);
    let agent = swarm.get(&echo.id).await.unwrap();
    assert_eq!(agent.info.incarnation, other.incarnation);
    assert_eq!(agent.desired, Some(Desired::Running));
}
