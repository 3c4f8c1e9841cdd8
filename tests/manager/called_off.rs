//! A start that was planned some time ago, and that somebody calls off before its turn comes.

use alveary::{
    AgentSpec, AgentState, Desired, ErrorKind, Running, StopOptions, UpOptions, UpReport,
};

use crate::house::{House, swarm, until};

const SHOP: &str = r#"
[agents.db]
command = ["say", "30000", "up"]
ready = { log = "up" }
[agents.web]
command = ["exit-after", "10", "0"]
after = ["db"]
"#;

fn kinds(report: &UpReport) -> Vec<(&str, ErrorKind)> {
    let failures = report.failures();
    failures
        .map(|(step, error)| (step.name.as_str(), error.kind()))
        .collect()
}

#[tokio::test(start_paused = true)]
async fn what_is_stopped_while_it_waits_for_another_is_not_started() {
    let house = House::new();
    let (here, there) = (house.shell().await, house.shell().await);
    let fleet = house.fleet(SHOP);
    let (report, ()) = tokio::join!(here.up(&fleet, UpOptions::default()), async {
        until(&there, "web waits for db", |agents| agents.len() == 2).await;
        let web = there.find("web").await.unwrap().unwrap();
        let exit = there.stop(web.id(), StopOptions::default()).await.unwrap();
        assert!(exit.to_string().contains("had not been started"), "{exit}");
        // Once more changes nothing.
        there.stop(web.id(), StopOptions::default()).await.unwrap();
    });
    assert_eq!(kinds(&report.unwrap()), [("web", ErrorKind::Conflict)]);
    let web = here.find("web").await.unwrap().unwrap();
    assert_eq!(web.desired, Some(Desired::Stopped));
    assert_eq!(here.is_running(web.id()), Running::No);
    assert!(here.backend().inspect(web.id()).await.is_err());
    // It can be started like any other that was stopped.
    here.start(web.id()).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_had_ended_and_is_stopped_while_it_waits_for_another_is_not_started_again() {
    let house = House::new();
    let (here, there) = (house.shell().await, house.shell().await);
    let fleet = house.fleet(SHOP);
    let first = here.up(&fleet, UpOptions::default()).await.unwrap();
    assert!(first.is_success());
    until(&here, "web has ended", |agents| agents[1].exit.is_some()).await;
    let db = here.find("db").await.unwrap().unwrap();
    here.stop(db.id(), StopOptions::default()).await.unwrap();
    let web = here.find("web").await.unwrap().unwrap();

    let (report, ()) = tokio::join!(here.up(&fleet, UpOptions::default()), async {
        until(&there, "db starts again", |agents| agents[0].exit.is_none()).await;
        there.stop(web.id(), StopOptions::default()).await.unwrap();
    });
    assert_eq!(kinds(&report.unwrap()), [("web", ErrorKind::Conflict)]);
    let now = here.backend().inspect(web.id()).await.unwrap();
    assert_eq!(now.incarnation, web.info.incarnation);
}

#[tokio::test(start_paused = true)]
async fn a_start_of_one_that_is_being_stopped_waits_for_its_end() {
    let swarm = swarm();
    let spec = AgentSpec::new("echo", ["stubborn"]).grace(std::time::Duration::from_secs(5));
    let echo = swarm.spawn(spec).await.unwrap();
    let (stopped, started) = tokio::join!(swarm.stop(&echo.id, StopOptions::default()), async {
        until(&swarm, "it is being stopped", |agents| {
            *agents[0].state() == AgentState::Stopping
        })
        .await;
        swarm.start(&echo.id).await
    });
    stopped.unwrap();
    assert_ne!(started.unwrap().incarnation, echo.incarnation);
    let agent = swarm.get(&echo.id).await.unwrap();
    assert_eq!(agent.desired, Some(Desired::Running));
    assert_eq!(*agent.state(), AgentState::Running);
}

#[tokio::test(start_paused = true)]
async fn a_stop_that_names_a_start_says_nothing_of_the_one_that_is_to_follow_it() {
    let house = House::new();
    let (here, there) = (house.shell().await, house.shell().await);
    let spec = AgentSpec::new("echo", ["stubborn"]).grace(std::time::Duration::from_secs(5));
    let echo = here.spawn(spec).await.unwrap();
    let restart = here.restart(&echo.id, StopOptions::default());
    let (restarted, stopped) = tokio::join!(restart, async {
        until(&there, "it is stopped before its restart", |agents| {
            *agents[0].state() == AgentState::Stopping
        })
        .await;
        let named = StopOptions::default().with_incarnation(echo.incarnation);
        there.stop(&echo.id, named).await
    });
    stopped.unwrap();
    assert_ne!(restarted.unwrap().incarnation, echo.incarnation);
    let agent = here.get(&echo.id).await.unwrap();
    assert_eq!(agent.desired, Some(Desired::Running));
}

#[tokio::test(start_paused = true)]
async fn what_was_stopped_before_and_is_stopped_once_more_before_its_turn_is_not_started() {
    let house = House::new();
    let (here, there) = (house.shell().await, house.shell().await);
    let fleet = house.fleet(SHOP);
    here.up(&fleet, UpOptions::default()).await.unwrap();
    until(&here, "web has ended", |agents| agents[1].exit.is_some()).await;
    for name in ["db", "web"] {
        let agent = here.find(name).await.unwrap().unwrap();
        here.stop(agent.id(), StopOptions::default()).await.unwrap();
    }
    let web = here.find("web").await.unwrap().unwrap();
    assert_eq!(web.desired, Some(Desired::Stopped));

    let (report, ()) = tokio::join!(here.up(&fleet, UpOptions::default()), async {
        until(&there, "db starts again", |agents| agents[0].exit.is_none()).await;
        there.stop(web.id(), StopOptions::default()).await.unwrap();
    });
    assert_eq!(kinds(&report.unwrap()), [("web", ErrorKind::Conflict)]);
    let now = here.backend().inspect(web.id()).await.unwrap();
    assert_eq!(now.incarnation, web.info.incarnation);
    // Another `up` is another wish.
    let again = there.up(&fleet, UpOptions::default()).await.unwrap();
    assert!(again.is_success(), "{again:?}");
    let now = here.backend().inspect(web.id()).await.unwrap();
    assert_ne!(now.incarnation, web.info.incarnation);
}

/// Two bring the swarm up at once: neither takes the other's start for a stop.
#[tokio::test(start_paused = true)]
async fn what_was_stopped_before_is_started_by_the_first_of_two_who_bring_it_up() {
    let house = House::new();
    let (here, there) = (house.shell().await, house.shell().await);
    let fleet = house.fleet(SHOP);
    here.up(&fleet, UpOptions::default()).await.unwrap();
    here.stop_all(StopOptions::default()).await.unwrap();
    let up = UpOptions::default;
    let (one, other) = tokio::join!(here.up(&fleet, up()), there.up(&fleet, up()));
    assert!(one.as_ref().unwrap().is_success(), "{one:?}");
    assert!(other.as_ref().unwrap().is_success(), "{other:?}");
}
