//! There is one restarter, also where somebody lays hands on what says who it is.

use std::fs;
use std::time::Duration;

use alveary::{AgentSpec, Restart, StopOptions, Supervision, SwarmManager};

use crate::house::{House, until};

fn always() -> Restart {
    Restart::always()
        .at_most(1000, Duration::from_secs(1))
        .delay(Duration::from_millis(20), Duration::from_millis(20))
}

/// Waits until this manager does not restart agents any more.
async fn steps_down(swarm: &SwarmManager) {
    let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
    while matches!(swarm.supervision(), Ok(Supervision::Us)) {
        assert!(tokio::time::Instant::now() < deadline, "it leads on");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn a_restarter_whose_lease_is_taken_away_steps_down_for_the_one_who_has_it_now() {
    let house = House::new();
    let first = house.supervisor().await;
    first.wait_supervising().await;
    let echo = AgentSpec::new("echo", ["stay"]).restart(always());
    let echo = first.spawn(echo).await.unwrap();
    // Somebody tidies up.
    fs::remove_file(house.state().join("lease")).unwrap();
    let second = house.supervisor().await;
    second.wait_supervising().await;
    steps_down(&first).await;

    // Nobody but the second sees to its end.
    let backend = first.backend();
    backend
        .stop(&echo.id, StopOptions::by_force())
        .await
        .unwrap();
    until(&second, "it was restarted", |agents| {
        agents[0].info.incarnation != echo.incarnation && agents[0].exit.is_none()
    })
    .await;
    assert_eq!(first.get(&echo.id).await.unwrap().restarts, 1);

    // The first takes over again, by the lease that there is now.
    drop(second);
    first.wait_supervising().await;
    let before = first.get(&echo.id).await.unwrap().info.incarnation;
    let backend = first.backend();
    backend
        .stop(&echo.id, StopOptions::by_force())
        .await
        .unwrap();
    until(&first, "it was restarted again", |agents| {
        agents[0].info.incarnation != before && agents[0].exit.is_none()
    })
    .await;
}

#[tokio::test]
async fn a_restarter_whose_swarm_was_thrown_away_ends_and_writes_nothing_into_the_next_one() {
    let house = House::new();
    let first = house.supervisor().await;
    first.wait_supervising().await;
    let old = AgentSpec::new("old", ["stay"]).restart(always());
    first.spawn(old).await.unwrap();
    let until_down = tokio::spawn({
        let first = first.clone();
        async move { first.until_down().await }
    });
    fs::remove_dir_all(house.state()).unwrap();
    let next = house.shell().await;
    let new = AgentSpec::new("new", ["stay"]);
    next.spawn(new).await.unwrap();
    until_down.await.unwrap().unwrap();
    steps_down(&first).await;
    let error = first
        .spawn(AgentSpec::new("late", ["stay"]))
        .await
        .unwrap_err();
    assert!(error.to_string().contains("another swarm"), "{error}");
    let recorded = fs::read_to_string(house.state().join("members.jsonl")).unwrap();
    assert!(recorded.contains("new") && !recorded.contains("late"));
}
