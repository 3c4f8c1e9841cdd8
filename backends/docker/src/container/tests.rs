//! What cannot be tried on engines that reach no registry: images that take their time.

mod ahead;
mod fake;
mod late;
mod managers;
mod programs;
mod secrets;
mod volumes;
mod weakened;
mod whose;

use std::sync::atomic::Ordering;

use alveary_core::{AgentEvent, AgentState, Fetch, FetchStage, FetchUnit, Pull, Signal, SwarmName};
use futures_util::StreamExt;

use super::*;
use crate::engine::Phase;
use fake::{Fake, half};

async fn next_change(events: &mut EventStream) -> AgentInfo {
    loop {
        if let AgentEvent::Changed(info) = events.next().await.unwrap().unwrap() {
            return info;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_pull_that_comes_to_nothing_is_told_to_be_given_up() {
    let (engine, containers) = swarm();
    *engine.0.refuse.lock().unwrap() = true;
    engine.0.come.notify_one();
    let mut events = containers.events(EventOptions::default()).await.unwrap();
    let spawned = containers
        .spawn(&AgentId::random(), &spec(), SpawnOptions::default())
        .await;
    assert_eq!(spawned.unwrap_err().kind(), ErrorKind::ImageNotFound);
    loop {
        if let AgentEvent::Fetching(fetch) = events.next().await.unwrap().unwrap()
            && fetch.stage == FetchStage::GivenUp
        {
            return;
        }
    }
}

fn swarm() -> (Fake, Containers<Fake>) {
    let engine = Fake::default();
    let context = ConnectContext::new(SwarmName::new("demo").unwrap(), SwarmUid::random());
    let containers = Containers::new(engine.clone(), Settings::default(), &context).unwrap();
    (engine, containers)
}

/// Engines would take it for no bound at all.
#[test]
fn a_bound_of_no_processes_is_refused() {
    let context = ConnectContext::new(SwarmName::new("demo").unwrap(), SwarmUid::random());
    let settings = Settings::default().with_pids(0);
    let error = Containers::new(Fake::default(), settings, &context).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidSpec, "{error}");
    assert!(error.cure().is_some(), "{error}");
}

fn spec() -> AgentSpec {
    let mut spec = AgentSpec::new("echo", ["true"]);
    spec.container.image = Some("far:1".to_owned());
    spec
}

fn is_starting(info: &AgentInfo) -> bool {
    matches!(&info.state, AgentState::Starting { reason: Some(reason) } if reason.contains("far:1"))
}

#[tokio::test(start_paused = true)]
async fn a_start_whose_image_takes_long_is_accepted_and_seen_until_it_runs() {
    let (engine, containers) = swarm();
    let mut events = containers.events(EventOptions::default()).await.unwrap();
    let (id, options) = (AgentId::random(), SpawnOptions::default());
    let info = containers
        .spawn(&id, &spec(), options.clone())
        .await
        .unwrap();
    assert!(is_starting(&info), "{info:?}");
    // The same call again is told the same, and another start is refused.
    let again = containers.spawn(&id, &spec(), options).await.unwrap();
    assert_eq!(again, info);
    let other = containers
        .spawn(&id, &spec(), SpawnOptions::default())
        .await;
    assert_eq!(other.unwrap_err().kind(), ErrorKind::AlreadyExists);
    let listed = containers.list(ListOptions::default()).await.unwrap();
    assert_eq!(listed, std::slice::from_ref(&info));
    engine.0.come.notify_one();
    let mut states = Vec::new();
    loop {
        let info = next_change(&mut events).await;
        states.push(info.state.as_str());
        if info.state == AgentState::Running {
            break;
        }
    }
    assert_eq!(states, ["starting", "running"]);
    assert_eq!(
        containers.inspect(&id).await.unwrap().state,
        AgentState::Running
    );
}

#[tokio::test(start_paused = true)]
async fn an_image_that_cannot_be_had_is_asked_for_once_by_all_who_want_it() {
    let (engine, containers) = swarm();
    *engine.0.refuse.lock().unwrap() = true;
    let all_want_it = async || {
        let spawn = async || {
            let (id, options) = (AgentId::random(), SpawnOptions::default());
            containers.spawn(&id, &spec(), options).await
        };
        let (one, two) = futures_util::future::join(spawn(), spawn()).await;
        let three = spawn().await;
        for spawned in [one, two, three] {
            let error = spawned.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::ImageNotFound);
            assert!(error.to_string().contains("manifest unknown"), "{error}");
        }
    };
    engine.0.come.notify_one();
    all_want_it().await;
    assert_eq!(engine.0.pulls.load(Ordering::SeqCst), 1);
    // It may be there by now.
    tokio::time::advance(Duration::from_secs(10)).await;
    engine.0.come.notify_one();
    all_want_it().await;
    assert_eq!(engine.0.pulls.load(Ordering::SeqCst), 2);
}

#[tokio::test(start_paused = true)]
async fn an_image_that_never_comes_is_told_as_a_failure_until_the_removal() {
    let (engine, containers) = swarm();
    let id = AgentId::random();
    containers
        .spawn(&id, &spec(), SpawnOptions::default())
        .await
        .unwrap();
    let mut events = containers.events(EventOptions::default()).await.unwrap();
    *engine.0.refuse.lock().unwrap() = true;
    engine.0.come.notify_one();
    let info = next_change(&mut events).await;
    assert_eq!(info.state.as_str(), "failed");
    let exit = containers.stop(&id, StopOptions::default()).await.unwrap();
    assert!(!exit.is_success());
    containers
        .remove(&id, RemoveOptions::default())
        .await
        .unwrap();
    assert_eq!(containers.list(ListOptions::default()).await.unwrap(), []);
    // At once it is told at once.
    engine.0.come.notify_one();
    let spawned = containers
        .spawn(&id, &spec(), SpawnOptions::default())
        .await;
    assert_eq!(spawned.unwrap_err().kind(), ErrorKind::ImageNotFound);
    assert_eq!(containers.list(ListOptions::default()).await.unwrap(), []);
}

#[tokio::test(start_paused = true)]
async fn one_that_is_stopped_while_its_image_comes_never_starts() {
    let (engine, containers) = swarm();
    let id = AgentId::random();
    containers
        .spawn(&id, &spec(), SpawnOptions::default())
        .await
        .unwrap();
    let removed = containers.remove(&id, RemoveOptions::default()).await;
    assert_eq!(removed.unwrap_err().kind(), ErrorKind::StillRunning);
    containers.stop(&id, StopOptions::default()).await.unwrap();
    engine.0.come.notify_one();
    // Its turn has come and gone when another of its id has had one.
    *engine.0.fetched.lock().unwrap() = true;
    let next = containers
        .spawn(&id, &spec(), SpawnOptions::default())
        .await
        .unwrap();
    assert_eq!(next.state, AgentState::Running);
    assert_eq!(engine.0.containers.lock().unwrap().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn many_agents_of_one_image_fetch_it_once_and_hold_up_no_other() {
    let (engine, containers) = swarm();
    let mut events = containers.events(EventOptions::default()).await.unwrap();
    let ids: Vec<AgentId> = (0..20).map(|_| AgentId::random()).collect();
    for spawned in futures_util::future::join_all(ids.iter().map(|id| {
        let containers = containers.clone();
        async move { containers.spawn(id, &spec(), SpawnOptions::default()).await }
    }))
    .await
    {
        assert!(is_starting(&spawned.unwrap()));
    }
    let mut never = spec();
    never.container.pull = Pull::Never;
    let other = containers
        .spawn(&AgentId::random(), &never, SpawnOptions::default())
        .await;
    assert_eq!(
        other.unwrap_err().kind(),
        ErrorKind::ImageNotFound,
        "it waits for nobody"
    );
    engine.0.come.notify_one();
    let mut running = 0;
    let mut told = Vec::new();
    while running < ids.len() {
        match events.next().await.unwrap().unwrap() {
            AgentEvent::Changed(info) if info.state == AgentState::Running => running += 1,
            AgentEvent::Fetching(fetch) => told.push(fetch),
            _ => {}
        }
    }
    assert_eq!(engine.0.pulls.load(Ordering::SeqCst), 1);
    let begun = FetchStage::UnderWay {
        done: 0,
        total: None,
        unit: FetchUnit::Parts,
    };
    let stages = [begun, half(), FetchStage::Here];
    assert_eq!(told, stages.map(|stage| Fetch::new("far:1", stage)));
}

#[tokio::test(start_paused = true)]
async fn a_start_that_was_carried_out_and_denied_keeps_its_exit_and_is_made_once() {
    let (engine, containers) = swarm();
    *engine.0.fetched.lock().unwrap() = true;
    *engine.0.lies.lock().unwrap() = true;
    let (id, options) = (AgentId::random(), SpawnOptions::default());
    for _ in 0..2 {
        let info = containers
            .spawn(&id, &spec(), options.clone())
            .await
            .unwrap();
        assert!(info.state.has_ended(), "{info:?}");
    }
    assert_eq!(engine.0.containers.lock().unwrap().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_image_that_is_always_to_be_fetched_is_fetched_once_for_each_start() {
    let (engine, containers) = swarm();
    *engine.0.fetched.lock().unwrap() = true;
    let mut always = spec();
    always.container.pull = Pull::Always;
    let (id, options) = (AgentId::random(), SpawnOptions::default());
    engine.0.come.notify_one();
    containers
        .spawn(&id, &always, options.clone())
        .await
        .unwrap();
    assert_eq!(
        engine.0.pulls.load(Ordering::SeqCst),
        1,
        "though it is there"
    );
    // What is there is told, and nothing is fetched for it.
    containers.spawn(&id, &always, options).await.unwrap();
    assert_eq!(engine.0.pulls.load(Ordering::SeqCst), 1);
    engine.0.come.notify_one();
    let (another, options) = (AgentId::random(), SpawnOptions::default());
    containers.spawn(&another, &always, options).await.unwrap();
    assert_eq!(engine.0.pulls.load(Ordering::SeqCst), 2);
    // What is not to be had is not started from what is there.
    *engine.0.refuse.lock().unwrap() = true;
    engine.0.come.notify_one();
    let (third, options) = (AgentId::random(), SpawnOptions::default());
    let refused = containers.spawn(&third, &always, options).await;
    assert_eq!(refused.unwrap_err().kind(), ErrorKind::ImageNotFound);
    assert_eq!(engine.0.containers.lock().unwrap().len(), 2);
}

async fn one_that_runs() -> (Fake, Containers<Fake>, AgentId) {
    let (engine, containers) = swarm();
    *engine.0.fetched.lock().unwrap() = true;
    let id = AgentId::random();
    let spawned = containers
        .spawn(&id, &spec(), SpawnOptions::default())
        .await;
    spawned.unwrap();
    (engine, containers, id)
}

#[tokio::test(start_paused = true)]
async fn the_grace_begins_when_the_signal_is_out_and_whoever_wants_force_waits_for_nothing() {
    let (takes, grace) = (Duration::from_secs(5), Duration::from_secs(2));
    for hurried in [false, true] {
        let (engine, containers, id) = one_that_runs().await;
        *engine.0.sends_for.lock().unwrap() = takes;
        *engine.0.stubborn.lock().unwrap() = true;
        let called = tokio::time::Instant::now();
        let stopping = tokio::spawn({
            let (containers, id) = (containers.clone(), id.clone());
            async move {
                let options = StopOptions::default().with_grace(grace);
                containers.stop(&id, options).await
            }
        });
        if hurried {
            tokio::time::sleep(Duration::from_secs(1)).await;
            containers.stop(&id, StopOptions::by_force()).await.unwrap();
        }
        stopping.await.unwrap().unwrap();
        let sent = engine.0.sent.lock().unwrap().clone();
        let after: Vec<_> = sent
            .iter()
            .map(|(signal, at)| (*signal, at.duration_since(called).as_secs()))
            .collect();
        // Each takes five seconds to be sent.
        let force = if hurried { 10 } else { 12 };
        assert_eq!(after, [(Signal::TERM, 5), (Signal::KILL, force)]);
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_stopped_is_not_left_to_the_engine_any_more() {
    for by_itself in [false, true] {
        let (engine, containers, id) = one_that_runs().await;
        for container in engine.0.containers.lock().unwrap().iter_mut() {
            container.is_restarted = true;
            if by_itself {
                container.phase = Phase::Ended;
            }
        }
        containers.stop(&id, StopOptions::default()).await.unwrap();
        let left = engine.0.containers.lock().unwrap()[0].is_restarted;
        assert!(!left, "ended by itself: {by_itself}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_removal_that_somebody_else_has_begun_is_seen_to_its_end() {
    let (engine, containers, id) = one_that_runs().await;
    containers.stop(&id, StopOptions::default()).await.unwrap();
    engine.0.being_removed.store(10, Ordering::SeqCst);
    containers
        .remove(&id, RemoveOptions::default())
        .await
        .unwrap();
    assert!(engine.0.containers.lock().unwrap().is_empty());
    let again = containers.remove(&id, RemoveOptions::default()).await;
    assert_eq!(again.unwrap_err().kind(), ErrorKind::NotFound);
}

#[tokio::test(start_paused = true)]
async fn a_removal_by_somebody_else_that_does_not_end_is_not_waited_for_without_end() {
    let (engine, containers, id) = one_that_runs().await;
    containers.stop(&id, StopOptions::default()).await.unwrap();
    engine.0.being_removed.store(usize::MAX, Ordering::SeqCst);
    let removed = containers.remove(&id, RemoveOptions::default()).await;
    assert_eq!(removed.unwrap_err().kind(), ErrorKind::Indeterminate);
}

#[tokio::test(start_paused = true)]
async fn whoever_waits_for_one_that_is_removed_at_its_end_is_told_that_it_is_gone() {
    use alveary_core::AgentBackendExt;
    let (engine, containers, id) = one_that_runs().await;
    let waiting = tokio::spawn({
        let (containers, id) = (containers.clone(), id.clone());
        async move { containers.wait(&id).await }
    });
    // It has seen it run by then.
    tokio::time::sleep(Duration::from_secs(1)).await;
    engine.0.containers.lock().unwrap().clear();
    // Nobody says how it ended, and that is never taken for a code.
    let error = waiting.await.unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    let stopped = containers.stop(&id, StopOptions::default()).await;
    assert_eq!(stopped.unwrap_err().kind(), ErrorKind::NotFound);
}
