//! A start whose reply is lost or comes late, and one that is called off.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use alveary::{
    AgentBackend, AgentId, AgentSpec, AgentState, Error, ErrorKind, ListOptions, ManagerOptions,
    RemoveOptions, Running, StopOptions, SwarmManager,
};
use alveary_conformance::Chaos;

use crate::house::{House, memory, names, stay, until};
use crate::lines::Lines;

#[tokio::test(start_paused = true)]
async fn a_start_whose_reply_is_lost_is_unknown_until_a_list_tells() {
    let chaos = Arc::new(Chaos::new(Arc::new(memory())).with_lost_events(1.0));
    let swarm = SwarmManager::new(chaos.clone());
    swarm.list().await.unwrap();
    chaos.lose_next_replies(1);
    let error = swarm.spawn(stay("echo")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Indeterminate);
    let id = error.agent().unwrap().clone();
    let agent = swarm.get(&id).await.unwrap();
    assert!(matches!(agent.state(), AgentState::Unknown { .. }));
    assert_eq!(swarm.is_running(&id), Running::Unknown);
    assert_eq!(
        swarm.spawn(stay("echo")).await.unwrap_err().kind(),
        ErrorKind::AlreadyExists
    );
    until(&swarm, "it is known to run", |agents| {
        *agents[0].state() == AgentState::Running
    })
    .await;
    assert_eq!(swarm.list().await.unwrap().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn the_same_call_again_finishes_a_start_whose_reply_was_lost() {
    let chaos = Arc::new(Chaos::new(Arc::new(memory())).with_lost_events(1.0));
    let swarm = SwarmManager::new(chaos.clone());
    swarm.list().await.unwrap();
    let id = AgentId::new("timmy").unwrap();
    chaos.lose_next_replies(1);
    swarm.spawn_as(id.clone(), stay("echo")).await.unwrap_err();
    let info = swarm.spawn_as(id.clone(), stay("echo")).await.unwrap();
    assert_eq!(swarm.is_running(&id), Running::Yes);
    assert_eq!(
        swarm.get(&id).await.unwrap().info.incarnation,
        info.incarnation
    );
}

#[tokio::test(start_paused = true)]
async fn the_same_call_again_gives_the_agent_that_lives_by_it() {
    let swarm = SwarmManager::new(Arc::new(memory()));
    let id = AgentId::new("timmy").unwrap();
    let first = swarm.spawn_as(id.clone(), stay("echo")).await.unwrap();
    let again = swarm.spawn_as(id.clone(), stay("echo")).await.unwrap();
    assert_eq!(first.incarnation, again.incarnation);
    let other = stay("echo").capability("else");
    let error = swarm.spawn_as(id, other).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AlreadyExists);
}

#[tokio::test(start_paused = true)]
async fn a_start_that_is_called_off_is_found_once_the_engine_has_answered() {
    let lines = Lines::new();
    let swarm = SwarmManager::new(lines.clone());
    swarm.list().await.unwrap();
    lines.hold.store(true, Ordering::SeqCst);
    let id = AgentId::new("timmy").unwrap();
    {
        let spawn = swarm.spawn_as(id.clone(), stay("echo"));
        tokio::pin!(spawn);
        tokio::select! {
            _ = &mut spawn => panic!("it is held"),
            () = lines.reached.notified() => {}
        }
    }
    let agent = swarm.get(&id).await.unwrap();
    assert!(
        matches!(agent.state(), AgentState::Unknown { .. }),
        "{:?}",
        agent.state()
    );
    // The call was dropped before it reached the engine: the next list says so, and nothing stays.
    until(&swarm, "nothing is left of it", <[_]>::is_empty).await;
    lines.hold.store(false, Ordering::SeqCst);
    swarm.spawn_as(id, stay("echo")).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_stop_waits_for_a_start_that_is_under_way_and_ends_what_came_of_it() {
    let lines = Lines::new();
    let swarm = SwarmManager::new(lines.clone());
    swarm.list().await.unwrap();
    lines.hold.store(true, Ordering::SeqCst);
    let id = AgentId::new("timmy").unwrap();
    let (spawned, stopped) = tokio::join!(swarm.spawn_as(id.clone(), stay("echo")), async {
        lines.reached.notified().await;
        let stop = swarm.stop(&id, StopOptions::default());
        tokio::pin!(stop);
        // The stop comes first, and the engine has not even heard of the agent.
        tokio::select! {
            biased;
            early = &mut stop => panic!("{early:?}"),
            () = tokio::time::sleep(Duration::from_secs(1)) => lines.release.notify_one(),
        }
        stop.await
    });
    spawned.unwrap();
    assert!(stopped.is_ok(), "{stopped:?}");
    assert_eq!(swarm.is_running(&id), Running::No);
}

/// One is being started, two wait for their turn.
#[tokio::test(start_paused = true)]
async fn a_swarm_that_is_stopped_while_it_starts_starts_nobody_else() {
    let lines = Lines::new();
    let options = ManagerOptions::default().with_concurrency(1);
    let swarm = SwarmManager::with_options(lines.clone(), options);
    swarm.list().await.unwrap();
    lines.hold.store(true, Ordering::SeqCst);
    let (started, stopped) = tokio::join!(swarm.spawn_many(["a", "b", "c"].map(stay)), async {
        lines.reached.notified().await;
        let stop = swarm.stop_all(StopOptions::default());
        tokio::pin!(stop);
        tokio::select! {
            biased;
            early = &mut stop => panic!("{early:?}"),
            () = tokio::time::sleep(Duration::from_secs(1)) => {
                lines.hold.store(false, Ordering::SeqCst);
                lines.release.notify_one();
            }
        }
        stop.await.unwrap()
    });
    let kinds: Vec<_> = started
        .iter()
        .map(|result| result.as_ref().map(|_| ()).map_err(Error::kind))
        .collect();
    assert_eq!(
        kinds,
        [Ok(()), Err(ErrorKind::Conflict), Err(ErrorKind::Conflict)]
    );
    assert_eq!(stopped.len(), 3);
    assert!(
        stopped.iter().all(|outcome| outcome.result.is_ok()),
        "{stopped:?}"
    );
    let there = lines.inner.list(ListOptions::default()).await.unwrap();
    assert!(there.len() == 1 && there[0].state.has_ended(), "{there:?}");
}

#[tokio::test(start_paused = true)]
async fn of_many_starts_that_are_called_off_those_that_waited_leave_nothing() {
    let lines = Lines::new();
    let options = ManagerOptions::default().with_concurrency(1);
    let swarm = SwarmManager::with_options(lines.clone(), options);
    swarm.list().await.unwrap();
    lines.hold.store(true, Ordering::SeqCst);
    {
        let starts = swarm.spawn_many(["a", "b", "c"].map(stay));
        tokio::pin!(starts);
        tokio::select! {
            _ = &mut starts => panic!("they are held"),
            () = lines.reached.notified() => {}
        }
    }
    until(&swarm, "nothing is left of them", <[_]>::is_empty).await;
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_that_has_to_use_force_tells_also_of_those_that_obeyed() {
    let swarm = SwarmManager::new(Arc::new(memory()));
    let stubborn = AgentSpec::new("stubborn", ["stubborn"]).grace(Duration::from_hours(1));
    swarm.spawn(stubborn).await.unwrap();
    swarm.spawn(stay("good")).await.unwrap();
    let options = alveary::ShutdownOptions::default().with_within(Duration::from_secs(5));
    let stopped = swarm.shutdown(options).await.unwrap();
    let how: Vec<_> = stopped
        .iter()
        .map(|outcome| (outcome.name.as_str(), outcome.result.as_ref().unwrap().by))
        .collect();
    assert_eq!(
        how,
        [
            ("good", alveary::EndedBy::Us),
            ("stubborn", alveary::EndedBy::UsByForce)
        ]
    );
}

/// Whoever dies between the record and the engine leaves an intent; `up` finishes just that start.
#[tokio::test(start_paused = true)]
async fn an_intent_that_never_became_an_agent_is_pending_and_up_finishes_it() {
    let house = House::new();
    let fleet = house.fleet("[agents.echo]\ncommand = [\"stay\"]\n");
    let opened = house.try_open(fleet.clone(), false).await.unwrap();
    let echo = opened
        .swarm
        .up(&fleet, alveary::UpOptions::default())
        .await
        .unwrap();
    let info = echo.outcomes[0].result.as_ref().unwrap().clone().unwrap();
    // The engine forgets it, as if it had never heard.
    let backend = opened.swarm.backend().clone();
    backend
        .remove(&info.id, RemoveOptions::default().with_force(true))
        .await
        .unwrap();
    drop(opened);

    let next = house.shell().await;
    let agents = next.list().await.unwrap();
    assert_eq!(names(&agents), ["echo"]);
    assert_eq!(*agents[0].state(), AgentState::Pending);
    assert_eq!(agents[0].info.incarnation, info.incarnation);
    let report = next
        .up(&fleet, alveary::UpOptions::default())
        .await
        .unwrap();
    let started = report.outcomes[0].result.as_ref().unwrap().clone().unwrap();
    assert_eq!(
        (started.id, started.incarnation),
        (info.id, info.incarnation)
    );
}

/// Lost replies, doubled calls, delays, lost events, lost streams: all at once.
#[tokio::test(start_paused = true)]
async fn whatever_goes_wrong_the_swarm_is_what_the_engine_has_in_the_end() {
    for seed in 0..20 {
        let engine = memory();
        let chaos = Chaos::new(Arc::new(engine.clone()))
            .with_seed(seed)
            .with_lost_replies(0.2)
            .with_doubled_calls(0.2)
            .with_lost_events(0.3)
            .with_lost_streams(0.05)
            .with_delays(Duration::from_millis(300));
        let swarm = SwarmManager::new(Arc::new(chaos));
        let started = swarm
            .spawn_many((0..20).map(|n| stay(&format!("a-{n}"))))
            .await;
        for info in started.iter().flatten().take(7) {
            let _ = swarm.stop(&info.id, StopOptions::default()).await;
        }
        let there = engine.list(ListOptions::default()).await.unwrap();
        until(&swarm, "the table is true", |agents| {
            agents.len() == there.len()
                && there.iter().all(|there| {
                    agents.iter().any(|agent| {
                        *agent.id() == there.id
                            && agent.info.incarnation == there.incarnation
                            && *agent.state() == there.state
                    })
                })
        })
        .await;
        // No start was made twice, and none was lost.
        let living = there
            .iter()
            .filter(|agent| !agent.state.has_ended())
            .count();
        assert!(living <= 20, "seed {seed}: {living}");
    }
}
