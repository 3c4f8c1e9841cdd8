//! One manager, one engine, good days.

use std::sync::Arc;
use std::time::Duration;

use alveary::{
    AgentBackend, AgentId, AgentSpec, AgentState, ErrorKind, LogOptions, LogStreamKind,
    RemoveOptions, Running, ShutdownOptions, StopOptions, SwarmEvent, SwarmManager,
};
use futures_util::StreamExt;
use tokio_util::sync::CancellationToken;

use crate::house::{is_running, memory, names, stay, swarm, until};

#[tokio::test]
async fn an_agent_is_found_by_name_id_prefix_group_and_capability() {
    let swarm = swarm();
    let echo = swarm
        .spawn(stay("echo").capability("summarise"))
        .await
        .unwrap();
    swarm.spawn(stay("other")).await.unwrap();

    assert_eq!(swarm.get(&echo.id).await.unwrap().name(), "echo");
    assert_eq!(swarm.find("echo").await.unwrap().unwrap().id(), &echo.id);
    assert!(swarm.find("nobody").await.unwrap().is_none());
    assert_eq!(names(&swarm.group("echo").await.unwrap()), ["echo"]);
    let able = swarm.with_capability("summarise").await.unwrap();
    assert_eq!(names(&able), ["echo"]);
    assert_eq!(names(&swarm.list().await.unwrap()), ["echo", "other"]);
    for text in ["echo", echo.id.as_str(), &echo.id.as_str()[..13]] {
        assert_eq!(names(&swarm.resolve(text).await.unwrap()), ["echo"]);
    }
}

#[tokio::test]
async fn a_text_that_means_nobody_or_several_is_told_so() {
    let swarm = swarm();
    for id in ["abc-1", "abc-2"] {
        let name = id.replace("abc", "agent");
        swarm
            .spawn_as(AgentId::new(id).unwrap(), stay(&name))
            .await
            .unwrap();
    }
    let several = swarm.resolve("abc").await.unwrap_err();
    assert_eq!(several.kind(), ErrorKind::InvalidSpec);
    for candidate in ["abc-1 (agent-1)", "abc-2 (agent-2)"] {
        assert!(several.to_string().contains(candidate), "{several}");
    }
    let nobody = swarm.resolve("agent-3x").await.unwrap_err();
    assert_eq!(nobody.kind(), ErrorKind::NotFound);
    assert!(
        nobody.to_string().contains("did you mean `agent-"),
        "{nobody}"
    );
    assert_eq!(
        swarm.resolve("").await.unwrap_err().kind(),
        ErrorKind::NotFound
    );
}

#[tokio::test]
async fn a_name_that_is_taken_is_refused_and_the_error_names_its_holder() {
    let swarm = swarm();
    let holder = swarm.spawn(stay("echo")).await.unwrap();
    let error = swarm.spawn(stay("echo")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AlreadyExists);
    assert!(error.to_string().contains(holder.id.as_str()), "{error}");

    // One that has ended keeps its name until it is removed.
    swarm
        .stop(&holder.id, StopOptions::default())
        .await
        .unwrap();
    assert!(swarm.spawn(stay("echo")).await.is_err());
    swarm
        .remove(&holder.id, RemoveOptions::default())
        .await
        .unwrap();
    swarm.spawn(stay("echo")).await.unwrap();
}

#[tokio::test]
async fn an_id_that_is_taken_is_refused() {
    let swarm = swarm();
    let id = AgentId::new("timmy").unwrap();
    swarm.spawn_as(id.clone(), stay("one")).await.unwrap();
    let error = swarm.spawn_as(id, stay("two")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AlreadyExists);
    assert_eq!(names(&swarm.list().await.unwrap()), ["one"]);
}

#[tokio::test]
async fn what_could_not_be_started_leaves_nothing_and_its_name_is_free() {
    let swarm = swarm();
    let error = swarm
        .spawn(AgentSpec::new("echo", ["no such program"]))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidSpec);
    assert!(swarm.list().await.unwrap().is_empty());
    swarm.spawn(stay("echo")).await.unwrap();
}

#[tokio::test]
async fn of_many_each_has_its_own_result_and_no_failure_loses_another() {
    let swarm = swarm();
    swarm.spawn(stay("taken")).await.unwrap();
    let specs = [
        stay("a"),
        AgentSpec::new("b", ["no such program"]),
        stay("a"),
        stay("taken"),
        AgentSpec::new("../c", ["stay"]),
        stay("d"),
    ];
    let results = swarm.spawn_many(specs).await;
    let kinds: Vec<_> = results
        .iter()
        .map(|result| {
            result
                .as_ref()
                .map(|info| info.name.as_str())
                .map_err(alveary::Error::kind)
        })
        .collect();
    assert_eq!(
        kinds,
        [
            Ok("a"),
            Err(ErrorKind::InvalidSpec),
            Err(ErrorKind::AlreadyExists),
            Err(ErrorKind::AlreadyExists),
            Err(ErrorKind::InvalidSpec),
            Ok("d"),
        ]
    );
    assert_eq!(names(&swarm.list().await.unwrap()), ["a", "d", "taken"]);
}

#[tokio::test]
async fn three_hundred_agents_start_and_stop_together() {
    let swarm = swarm();
    let started = swarm
        .spawn_many((0..300).map(|n| stay(&format!("a-{n}"))))
        .await;
    assert!(started.iter().all(Result::is_ok));
    let stopped = swarm.stop_all(StopOptions::default()).await.unwrap();
    assert_eq!(stopped.len(), 300);
    assert!(stopped.iter().all(|outcome| outcome.result.is_ok()));
    let agents = swarm.list().await.unwrap();
    assert!(agents.iter().all(|agent| agent.is_settled()));
    assert!(
        swarm
            .stop_all(StopOptions::default())
            .await
            .unwrap()
            .is_empty()
    );
}

#[tokio::test]
async fn a_new_manager_finds_and_stops_what_an_earlier_one_started() {
    let backend = memory();
    let earlier = SwarmManager::new(Arc::new(backend.clone()));
    let echo = earlier.spawn(stay("echo")).await.unwrap();
    drop(earlier);

    let later = SwarmManager::new(Arc::new(backend));
    let found = later.find("echo").await.unwrap().unwrap();
    assert_eq!(
        (found.id(), found.state()),
        (&echo.id, &AgentState::Running)
    );
    assert_eq!(found.desired, None);
    assert_eq!(
        later.spawn(stay("echo")).await.unwrap_err().kind(),
        ErrorKind::AlreadyExists
    );
    let error = later
        .restart(&echo.id, StopOptions::default())
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(later.stop(&echo.id, StopOptions::default()).await.is_ok());
}

#[tokio::test]
async fn whether_an_agent_runs_is_known_from_memory() {
    let swarm = swarm();
    let stranger = AgentId::random();
    assert_eq!(swarm.is_running(&stranger), Running::Unknown);
    let echo = swarm.spawn(stay("echo")).await.unwrap();
    assert_eq!(swarm.is_running(&echo.id), Running::Yes);
    assert_eq!(swarm.is_running(&stranger), Running::No);
    swarm.stop(&echo.id, StopOptions::default()).await.unwrap();
    assert_eq!(swarm.is_running(&echo.id), Running::No);
}

#[tokio::test]
async fn an_end_that_nobody_asked_for_is_seen() {
    let swarm = swarm();
    let echo = swarm
        .spawn(AgentSpec::new("echo", ["exit", "7"]))
        .await
        .unwrap();
    assert_eq!(swarm.wait(&echo.id).await.unwrap().code(), Some(7));
    assert_eq!(swarm.wait_settled(&echo.id).await.unwrap().code(), Some(7));
    let agent = swarm.get(&echo.id).await.unwrap();
    assert!(agent.is_settled());
    assert_eq!(agent.exit.unwrap().code(), Some(7));
}

#[tokio::test]
async fn whoever_waits_for_an_agent_that_is_removed_is_told() {
    let swarm = swarm();
    let echo = swarm.spawn(stay("echo")).await.unwrap();
    let waiting = tokio::spawn({
        let (swarm, id) = (swarm.clone(), echo.id.clone());
        async move { swarm.wait(&id).await }
    });
    swarm
        .remove(&echo.id, RemoveOptions::default().with_force(true))
        .await
        .unwrap();
    match waiting.await.unwrap() {
        // It saw the end by force, or came too late for it.
        Ok(exit) => assert_eq!(exit.by, alveary::EndedBy::UsByForce),
        Err(error) => assert_eq!(error.kind(), ErrorKind::NotFound),
    }
    assert!(swarm.list().await.unwrap().is_empty());
    let error = swarm.wait(&echo.id).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
}

#[tokio::test]
async fn a_living_agent_is_removed_by_force_alone() {
    let swarm = swarm();
    let echo = swarm.spawn(stay("echo")).await.unwrap();
    let error = swarm
        .remove(&echo.id, RemoveOptions::default())
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::StillRunning);
    assert!(is_running(&swarm, &echo.id));
    assert_eq!(swarm.list().await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_restarted_agent_keeps_its_id_and_has_a_new_start() {
    let swarm = swarm();
    let first = swarm.spawn(stay("echo")).await.unwrap();
    let second = swarm
        .restart(&first.id, StopOptions::default())
        .await
        .unwrap();
    assert_eq!(first.id, second.id);
    assert_ne!(first.incarnation, second.incarnation);
    assert!(is_running(&swarm, &first.id));
}

#[tokio::test]
async fn restarts_at_the_same_time_are_one() {
    let swarm = swarm();
    let first = swarm.spawn(stay("echo")).await.unwrap();
    let restarts = (0..8).map(|_| swarm.restart(&first.id, StopOptions::default()));
    let answers = futures_util::future::join_all(restarts).await;
    let starts: std::collections::HashSet<_> = answers
        .into_iter()
        .map(|answer| answer.unwrap().incarnation)
        .collect();
    assert_eq!(starts.len(), 1);
    assert!(!starts.contains(&first.incarnation));
}

#[tokio::test]
async fn a_stop_that_names_an_earlier_start_stops_nothing() {
    let swarm = swarm();
    let first = swarm.spawn(stay("echo")).await.unwrap();
    swarm
        .restart(&first.id, StopOptions::default())
        .await
        .unwrap();
    let options = StopOptions::default().with_incarnation(first.incarnation);
    let error = swarm.stop(&first.id, options).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
    assert!(is_running(&swarm, &first.id));
}

#[tokio::test]
async fn twenty_stops_of_one_agent_have_one_outcome() {
    let swarm = swarm();
    let echo = swarm.spawn(stay("echo")).await.unwrap();
    let stops = (0..20).map(|_| swarm.stop(&echo.id, StopOptions::default()));
    let exits: Vec<_> = futures_util::future::join_all(stops)
        .await
        .into_iter()
        .map(Result::unwrap)
        .collect();
    assert!(exits.iter().all(|exit| exit == &exits[0]), "{exits:?}");
}

#[tokio::test]
async fn what_an_agent_wrote_can_be_read() {
    let swarm = swarm();
    let echo = swarm
        .spawn(
            AgentSpec::new("echo", ["say", "0", "hello"])
                .ready(alveary::ReadyCheck::Log("hello".into())),
        )
        .await
        .unwrap();
    swarm.wait_ready(&echo.id).await.unwrap();
    let logs = swarm.logs(&echo.id, LogOptions::default()).await.unwrap();
    let bytes = logs.collect_bytes(LogStreamKind::Stdout).await.unwrap();
    assert_eq!(bytes, b"hello\n");
}

#[tokio::test]
async fn a_subscriber_is_given_a_snapshot_and_then_every_change() {
    let swarm = swarm();
    let echo = swarm.spawn(stay("echo")).await.unwrap();
    let mut events = swarm.subscribe().await;
    match events.next().await.unwrap() {
        SwarmEvent::Snapshot(agents) => assert_eq!(names(&agents), ["echo"]),
        other => panic!("the first item is a snapshot, not {other:?}"),
    }
    swarm.stop(&echo.id, StopOptions::default()).await.unwrap();
    swarm
        .remove(&echo.id, RemoveOptions::default())
        .await
        .unwrap();
    let mut saw_the_end = false;
    loop {
        match events.next().await.unwrap() {
            SwarmEvent::Changed(agent) => saw_the_end |= agent.exit.is_some(),
            SwarmEvent::Removed(id) if id == echo.id => break,
            other => panic!("{other:?}"),
        }
    }
    assert!(saw_the_end);
}

#[tokio::test]
async fn a_slow_subscriber_is_given_a_new_snapshot_for_what_it_missed() {
    let swarm = swarm();
    let mut events = swarm.subscribe().await;
    events.next().await.unwrap();
    for n in 0..1200 {
        swarm.spawn(stay(&format!("a-{n}"))).await.unwrap();
    }
    match events.next().await.unwrap() {
        SwarmEvent::Snapshot(agents) => assert_eq!(agents.len(), 1200),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn the_last_handle_ends_the_subscription_and_no_agent() {
    let backend = memory();
    let swarm = SwarmManager::new(Arc::new(backend.clone()));
    let echo = swarm.spawn(stay("echo")).await.unwrap();
    let events = swarm.subscribe().await;
    drop(swarm);
    let ended = tokio::time::timeout(Duration::from_secs(10), events.collect::<Vec<_>>());
    ended.await.expect("the stream ends");
    let state = backend.inspect(&echo.id).await.unwrap().state;
    assert_eq!(state, AgentState::Running);
}

#[tokio::test]
async fn a_cancelled_token_shuts_the_swarm_down_and_removes_nothing() {
    let swarm = swarm();
    swarm.spawn_many([stay("a"), stay("b")]).await;
    let token = CancellationToken::new();
    token.cancel();
    let stopped = swarm
        .shutdown_on(&token, ShutdownOptions::default())
        .await
        .unwrap();
    assert_eq!(stopped.len(), 2);
    let agents = swarm.list().await.unwrap();
    assert_eq!(names(&agents), ["a", "b"]);
    assert!(agents.iter().all(|agent| agent.exit.is_some()));
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_is_bounded_also_where_agents_do_not_obey() {
    let swarm = swarm();
    let stubborn = AgentSpec::new("stubborn", ["stubborn"]).grace(Duration::from_hours(1));
    swarm.spawn(stubborn).await.unwrap();
    let begun = tokio::time::Instant::now();
    let options = ShutdownOptions::default().with_within(Duration::from_secs(5));
    let stopped = swarm.shutdown(options).await.unwrap();
    assert_eq!(
        stopped[0].result.as_ref().unwrap().by,
        alveary::EndedBy::UsByForce
    );
    assert!(begun.elapsed() < Duration::from_secs(30));
}

#[tokio::test]
async fn a_dropped_guard_stops_the_swarm_and_a_disarmed_one_does_not() {
    let swarm = swarm();
    let echo = swarm.spawn(stay("echo")).await.unwrap();
    swarm.guard(ShutdownOptions::default()).disarm();
    assert!(is_running(&swarm, &echo.id));
    drop(swarm.guard(ShutdownOptions::default()));
    until(&swarm, "the guard stopped it", |agents| {
        agents.iter().all(|agent| agent.is_settled())
    })
    .await;
}

#[tokio::test]
async fn a_manager_without_a_runtime_can_be_made_and_says_what_it_lacks() {
    let swarm = std::thread::spawn(swarm).join().unwrap();
    assert_eq!(swarm.is_running(&AgentId::random()), Running::Unknown);
    let error = std::thread::spawn(move || {
        let list = std::pin::pin!(swarm.list());
        futures_util::FutureExt::now_or_never(list)
            .unwrap()
            .unwrap_err()
    })
    .join()
    .unwrap();
    assert!(error.to_string().contains("Tokio runtime"), "{error}");
}

#[tokio::test]
async fn a_name_that_several_bear_of_whom_nobody_recorded_any_means_nobody_for_certain() {
    let backend = memory();
    for id in ["one", "two"] {
        let id = AgentId::new(id).unwrap();
        backend
            .spawn(&id, &stay("echo"), alveary::SpawnOptions::default())
            .await
            .unwrap();
    }
    let swarm = SwarmManager::new(Arc::new(backend));
    let error = swarm.resolve("echo").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidSpec);
    let sentence = error.to_string();
    for words in [
        "several agents are called `echo`",
        "one (echo)",
        "two (echo)",
    ] {
        assert!(sentence.contains(words), "{sentence}");
    }
    // As soon as there is one, it is meant.
    let id = AgentId::new("one").unwrap();
    let force = RemoveOptions::default().with_force(true);
    swarm.remove(&id, force).await.unwrap();
    assert_eq!(swarm.resolve("echo").await.unwrap()[0].id().as_str(), "two");
}
