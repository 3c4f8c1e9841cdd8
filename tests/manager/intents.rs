//! Starts that were recorded and never made: those that somebody is still to make, and those that nobody will.

use std::time::Duration;

use alveary::{
    Agent, AgentSpec, AgentState, ErrorKind, RemoveOptions, StopOptions, SwarmManager, UpOptions,
};

use crate::house::{House, names, until};

const SHOP: &str = r#"
[agents.db]
command = ["stay"]
ready = { delay = "10m", timeout = "1h" }
[agents.web]
command = ["stay"]
after = ["db"]
"#;

/// Brings the shop up until `web` waits for `db`, and goes no further.
async fn half_up(house: &House) -> SwarmManager {
    let swarm = house.shell().await;
    let fleet = house.fleet(SHOP);
    {
        let up = swarm.up(&fleet, UpOptions::default());
        tokio::pin!(up);
        let waits = until(&swarm, "web waits for db", |agents| {
            agents.len() == 2 && *agents[0].state() == AgentState::Running
        });
        tokio::select! {
            report = &mut up => panic!("{report:?}"),
            () = waits => {}
        }
    }
    let web = swarm.find("web").await.expect("memory answers");
    let state = web.map(|web| web.info.state);
    assert_eq!(state, Some(AgentState::Pending));
    swarm
}

#[tokio::test(start_paused = true)]
async fn what_nobody_will_start_any_more_is_swept_by_the_next_who_restarts_agents() {
    let house = House::new();
    let dead = half_up(&house).await;
    drop(dead);
    let next = house.supervisor().await;
    until(&next, "web is swept", |agents| names(agents) == ["db"]).await;
    // Who runs is left alone, and what was started is not taken for an intent when the engine forgets it.
    let db = next.find("db").await.unwrap().unwrap();
    assert_eq!(*db.state(), AgentState::Running);
    let force = RemoveOptions::default().with_force(true);
    next.backend().remove(db.id(), force).await.unwrap();
    tokio::time::sleep(Duration::from_mins(5)).await;
    let agents = next.list().await.unwrap();
    assert_eq!(names(&agents), ["db"]);
    assert!(agents[0].state().has_ended(), "{agents:?}");
}

#[tokio::test(start_paused = true)]
async fn what_somebody_is_still_to_start_is_not_swept() {
    let house = House::new();
    let fleet = house.fleet(SHOP);
    let living = house.shell().await;
    let leader = house.supervisor().await;
    leader.wait_supervising().await;
    let (report, ()) = tokio::join!(living.up(&fleet, UpOptions::default()), async {
        until(&leader, "web waits for db", |agents| agents.len() == 2).await;
        // Many lists later.
        tokio::time::sleep(Duration::from_mins(5)).await;
        let web = leader.find("web").await.unwrap().unwrap();
        assert_eq!(*web.state(), AgentState::Pending);
    });
    assert!(report.unwrap().is_success());
    let agents = leader.list().await.unwrap();
    assert!(
        agents.iter().all(|agent| agent.exit.is_none()),
        "{agents:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn another_who_brings_it_up_takes_over_what_was_intended() {
    let house = House::new();
    let dead = half_up(&house).await;
    let before = dead.find("web").await.unwrap().unwrap();
    drop(dead);
    let fleet = house.fleet(SHOP);
    let next = house.shell().await;
    let (report, ()) = tokio::join!(next.up(&fleet, UpOptions::default()), async {
        until(&next, "db runs", |agents| agents[0].exit.is_none()).await;
        let leader = house.supervisor().await;
        leader.wait_supervising().await;
        tokio::time::sleep(Duration::from_mins(5)).await;
        assert_eq!(leader.list().await.unwrap().len(), 2);
    });
    assert!(report.unwrap().is_success());
    let web = next.find("web").await.unwrap().unwrap();
    assert_eq!(*web.state(), AgentState::Running);
    assert_eq!(
        (web.id(), web.info.incarnation),
        (before.id(), before.info.incarnation)
    );
}

#[tokio::test(start_paused = true)]
async fn a_name_that_nobody_will_use_any_more_is_free() {
    let house = House::new();
    let dead = half_up(&house).await;
    let (one, other) = (house.shell().await, house.shell().await);
    let spec = || AgentSpec::new("web", ["stay"]);
    let taken = one.spawn(spec()).await.unwrap_err();
    assert_eq!(taken.kind(), ErrorKind::AlreadyExists);
    drop(dead);
    one.spawn(spec()).await.unwrap();
    let taken = other.spawn(spec()).await.unwrap_err();
    assert_eq!(taken.kind(), ErrorKind::AlreadyExists);
}

#[tokio::test(start_paused = true)]
async fn what_was_stopped_before_it_was_ever_started_is_swept_too() {
    let house = House::new();
    let dead = half_up(&house).await;
    let web = dead.find("web").await.unwrap().unwrap();
    dead.stop(web.id(), StopOptions::default()).await.unwrap();
    drop(dead);
    let next = house.supervisor().await;
    until(&next, "web is swept", |agents| names(agents) == ["db"]).await;
    // As always, the file says who is to be there.
    let fleet =
        house.fleet("[agents.db]\ncommand = [\"stay\"]\n[agents.web]\ncommand = [\"stay\"]\n");
    let report = next.up(&fleet, UpOptions::default()).await.unwrap();
    assert!(report.is_success(), "{report:?}");
    let agents = next.list().await.unwrap();
    assert!(agents.iter().all(|agent: &Agent| agent.exit.is_none()));
}
