//! Restarts: bounded, and never against what is wanted. The clock is the test's own.

use std::sync::Arc;
use std::time::Duration;

use alveary::{
    Agent, AgentBackend, AgentSpec, AgentState, EndedBy, LogOptions, Restart, StopOptions,
    SwarmManager,
};
use alveary_conformance::Chaos;

use crate::house::{is_running, memory, swarm, until};

fn always() -> Restart {
    Restart::always()
        .at_most(3, Duration::from_mins(1))
        .delay(Duration::from_secs(1), Duration::from_secs(4))
}

async fn settled<B: AgentBackend + ?Sized>(swarm: &SwarmManager<B>) {
    until(swarm, "everybody settled", |agents| {
        agents.iter().all(Agent::is_settled)
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_agent_that_dies_at_once_is_restarted_so_many_times_and_has_then_failed() {
    let swarm = swarm();
    let begun = tokio::time::Instant::now();
    let echo = swarm
        .spawn(AgentSpec::new("echo", ["exit", "7"]).restart(always()))
        .await
        .unwrap();
    settled(&swarm).await;
    let agent = swarm.get(&echo.id).await.unwrap();
    let AgentState::Failed { reason } = agent.state() else {
        panic!("{:?}", agent.state());
    };
    assert_eq!(
        reason,
        "restarts used up: 3 within 1m, and then it exited with code 7"
    );
    assert_eq!((agent.restarts, agent.exit.unwrap().code()), (3, Some(7)));
    // One, two and four seconds, each a quarter more or less.
    let took = begun.elapsed();
    assert!(took >= Duration::from_millis(5250), "{took:?}");
    assert!(took <= Duration::from_secs(8), "{took:?}");
    assert_eq!(swarm.wait(&echo.id).await.unwrap().code(), Some(7));
}

#[tokio::test(start_paused = true)]
async fn restarted_by_hand_a_failed_agent_begins_anew() {
    let swarm = swarm();
    let echo = swarm
        .spawn(AgentSpec::new("echo", ["exit", "7"]).restart(always()))
        .await
        .unwrap();
    settled(&swarm).await;
    swarm
        .restart(&echo.id, StopOptions::default())
        .await
        .unwrap();
    assert!(!swarm.get(&echo.id).await.unwrap().is_settled());
    settled(&swarm).await;
    assert_eq!(swarm.get(&echo.id).await.unwrap().restarts, 3);
}

#[tokio::test(start_paused = true)]
async fn a_failure_is_restarted_and_a_success_or_a_stop_is_not() {
    let swarm = swarm();
    let on_failure = Restart::on_failure().at_most(1, Duration::from_mins(1));
    for (name, command) in [
        ("bad", ["exit", "1"]),
        ("good", ["exit", "0"]),
        ("long", ["stay", ""]),
    ] {
        swarm
            .spawn(AgentSpec::new(name, command).restart(on_failure.clone()))
            .await
            .unwrap();
    }
    let long = swarm.find("long").await.unwrap().unwrap();
    swarm.stop(long.id(), StopOptions::default()).await.unwrap();
    settled(&swarm).await;
    let restarts = async |name| swarm.find(name).await.unwrap().unwrap().restarts;
    assert_eq!(
        (
            restarts("bad").await,
            restarts("good").await,
            restarts("long").await
        ),
        (1, 0, 0)
    );
}

#[tokio::test(start_paused = true)]
async fn an_agent_that_runs_well_for_a_while_is_restarted_for_ever() {
    let swarm = swarm();
    let policy = Restart::always()
        .at_most(1, Duration::from_secs(10))
        .delay(Duration::from_millis(100), Duration::from_secs(1));
    let echo = swarm
        .spawn(AgentSpec::new("echo", ["exit-after", "15000", "1"]).restart(policy))
        .await
        .unwrap();
    let mut seen = std::collections::HashSet::new();
    until(&swarm, "it was started six times", |agents| {
        assert!(!matches!(agents[0].state(), AgentState::Failed { .. }));
        seen.insert(agents[0].info.incarnation);
        seen.len() == 6
    })
    .await;
    swarm.kill(&echo.id).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_stop_during_the_pause_wins() {
    let swarm = swarm();
    let echo = swarm
        .spawn(AgentSpec::new("echo", ["exit", "7"]).restart(always()))
        .await
        .unwrap();
    until(&swarm, "it is to be restarted", |agents| {
        agents[0].restarting
    })
    .await;
    let exit = swarm.stop(&echo.id, StopOptions::default()).await.unwrap();
    assert_eq!(exit.code(), Some(7));
    let before = swarm.get(&echo.id).await.unwrap();
    assert!(before.is_settled());
    tokio::time::sleep(Duration::from_hours(1)).await;
    assert_eq!(swarm.get(&echo.id).await.unwrap(), before);
}

/// Whatever the instant: in the pause, between the decision and the start, while it is starting.
#[tokio::test(start_paused = true)]
async fn a_stop_at_any_instant_wins() {
    for instant in 0..120u64 {
        let chaos = Chaos::new(Arc::new(memory()))
            .with_seed(instant)
            .with_delays(Duration::from_millis(40));
        let swarm = SwarmManager::new(Arc::new(chaos));
        let policy = Restart::always()
            .at_most(1000, Duration::from_secs(1))
            .delay(Duration::from_millis(50), Duration::from_millis(50));
        let echo = swarm
            .spawn(AgentSpec::new("echo", ["exit-after", "30", "1"]).restart(policy))
            .await
            .unwrap();
        tokio::time::sleep(Duration::from_millis(300 + instant)).await;
        swarm.stop(&echo.id, StopOptions::default()).await.unwrap();
        let stopped = swarm.backend().inspect(&echo.id).await.unwrap();
        assert!(stopped.state.has_ended(), "at {instant}: {stopped:?}");
        tokio::time::sleep(Duration::from_mins(10)).await;
        let later = swarm.backend().inspect(&echo.id).await.unwrap();
        assert_eq!(stopped.incarnation, later.incarnation, "at {instant}");
        assert!(swarm.get(&echo.id).await.unwrap().is_settled());
    }
}

#[tokio::test(start_paused = true)]
async fn a_restart_whose_reply_is_lost_makes_no_second_agent() {
    let chaos = Arc::new(Chaos::new(Arc::new(memory())));
    let swarm = SwarmManager::new(chaos.clone());
    let echo = swarm
        .spawn(AgentSpec::new("echo", ["exit-after", "5000", "1"]).restart(always()))
        .await
        .unwrap();
    until(&swarm, "it is to be restarted", |agents| {
        agents[0].restarting
    })
    .await;
    chaos.lose_next_replies(1);
    until(&swarm, "it runs again", |agents| {
        agents[0].info.incarnation != echo.incarnation
            && matches!(agents[0].state(), AgentState::Running)
    })
    .await;
    assert_eq!(swarm.list().await.unwrap().len(), 1);
    swarm.kill(&echo.id).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_stop_under_way_is_not_undone_by_a_restart_by_hand_that_came_before() {
    let swarm = swarm();
    let spec = AgentSpec::new("echo", ["stubborn"]).grace(Duration::from_secs(5));
    let echo = swarm.spawn(spec).await.unwrap();
    let restart = swarm.restart(&echo.id, StopOptions::default());
    let stop = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        swarm.stop(&echo.id, StopOptions::default()).await
    };
    let (restarted, stopped) = tokio::join!(restart, stop);
    assert_eq!(restarted.unwrap_err().kind(), alveary::ErrorKind::Conflict);
    assert_eq!(stopped.unwrap().by, EndedBy::UsByForce);
    assert!(!is_running(&swarm, &echo.id));
    assert!(swarm.get(&echo.id).await.unwrap().is_settled());
}

#[tokio::test(start_paused = true)]
async fn output_of_every_start_is_that_starts_own() {
    let swarm = swarm();
    let echo = swarm
        .spawn(
            AgentSpec::new("echo", ["say", "0", "hello"])
                .ready(alveary::ReadyCheck::Log("hello".into())),
        )
        .await
        .unwrap();
    swarm.wait_ready(&echo.id).await.unwrap();
    let again = swarm
        .restart(&echo.id, StopOptions::default())
        .await
        .unwrap();
    assert!(!swarm.get(&echo.id).await.unwrap().ready || again.incarnation != echo.incarnation);
    swarm.wait_ready(&echo.id).await.unwrap();
    assert!(swarm.get(&echo.id).await.unwrap().ready);
    drop(swarm.logs(&echo.id, LogOptions::default()).await.unwrap());
}
