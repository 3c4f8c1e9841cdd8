//! Agents that somebody removes in the engine, past every manager.

use std::time::Duration;

use alveary::{
    AgentBackend, AgentId, AgentState, RemoveOptions, Restart, StopOptions, SwarmManager, UpOptions,
};

use crate::house::{House, is_running, stay, until};

async fn take_away(house: &House, id: &AgentId) {
    let engine = house.behind_the_managers().await;
    let force = RemoveOptions::default().with_force(true);
    let removed = engine.remove(id, force).await;
    removed.expect("it is there");
}

async fn has_ended(swarm: &SwarmManager) {
    until(swarm, "it has ended", |agents| {
        agents[0].state().has_ended()
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn whoever_is_to_be_restarted_is() {
    let house = House::new();
    let swarm = house.supervisor().await;
    let soon = Restart::always().delay(Duration::from_secs(1), Duration::from_secs(1));
    let echo = swarm.spawn(stay("echo").restart(soon)).await.unwrap();
    let first = echo.incarnation;
    take_away(&house, &echo.id).await;
    until(&swarm, "it is started again", |agents| {
        let [agent] = agents else { return false };
        *agent.state() == AgentState::Running && agent.info.incarnation != first
    })
    .await;
    assert_eq!(swarm.get(&echo.id).await.unwrap().restarts, 1);
}

#[tokio::test(start_paused = true)]
async fn whoever_is_not_has_ended_and_stays_so_until_somebody_wants_it() {
    let house = House::new();
    let swarm = house.shell().await;
    let echo = swarm.spawn(stay("echo")).await.unwrap();
    take_away(&house, &echo.id).await;
    let exit = swarm.wait(&echo.id).await.unwrap();
    // Lists that do not have it change nothing of that.
    tokio::time::sleep(Duration::from_mins(5)).await;
    has_ended(&swarm).await;
    let stopped = swarm.stop(&echo.id, StopOptions::default()).await.unwrap();
    assert_eq!(stopped.status, exit.status);
    // Who wants it once more has it.
    swarm
        .restart(&echo.id, StopOptions::default())
        .await
        .unwrap();
    assert!(is_running(&swarm, &echo.id));
}

#[tokio::test(start_paused = true)]
async fn whoever_is_brought_up_once_more_runs_and_is_removed_as_any_other() {
    let house = House::new();
    let swarm = house.shell().await;
    let fleet = house.fleet("[agents.echo]\ncommand = [\"stay\"]");
    let up = || swarm.up(&fleet, UpOptions::default());
    assert!(up().await.unwrap().is_success());
    let echo = swarm.find("echo").await.unwrap().unwrap();
    take_away(&house, echo.id()).await;
    has_ended(&swarm).await;
    assert!(up().await.unwrap().is_success());
    let echo = swarm.find("echo").await.unwrap().unwrap();
    assert_eq!(*echo.state(), AgentState::Running);
    take_away(&house, echo.id()).await;
    has_ended(&swarm).await;
    swarm
        .remove(echo.id(), RemoveOptions::default())
        .await
        .unwrap();
    assert!(swarm.list().await.unwrap().is_empty());
}
