//! What one manager of a swarm knows, and another or the engine knows better.

use alveary_core::{EndedBy, Incarnation};

use super::*;
use crate::asks::{Ask, Sent};

/// Two managers of one swarm on one engine, who share their folders.
fn two() -> (Fake, [Containers<Fake>; 2], tempfile::TempDir) {
    let (engine, state) = (Fake::default(), tempfile::tempdir().unwrap());
    let context = ConnectContext::new(SwarmName::new("demo").unwrap(), SwarmUid::random())
        .with_state_dir(state.path());
    let manager = || Containers::new(engine.clone(), Settings::default(), &context).unwrap();
    let managers = [manager(), manager()];
    (engine, managers, state)
}

/// Starts it, is told that it is accepted, and then that its image cannot be had.
async fn comes_to_nothing(engine: &Fake, containers: &Containers<Fake>, id: &AgentId) {
    *engine.0.refuse.lock().unwrap() = true;
    let options = SpawnOptions::default();
    let info = containers.spawn(id, &spec(), options).await.unwrap();
    assert!(is_starting(&info), "{info:?}");
    let mut events = containers.events(EventOptions::default()).await.unwrap();
    engine.0.come.notify_one();
    let info = next_change(&mut events).await;
    assert_eq!(info.state.as_str(), "failed");
}

/// What is told of the only one that there is, by a look and by a list.
async fn told(containers: &Containers<Fake>, id: &AgentId) -> (&'static str, Incarnation) {
    let info = containers.inspect(id).await.unwrap();
    let listed = containers.list(ListOptions::default()).await.unwrap();
    assert_eq!(listed, std::slice::from_ref(&info));
    (info.state.as_str(), info.incarnation)
}

#[tokio::test(start_paused = true)]
async fn a_start_that_came_to_nothing_is_forgotten_where_another_manager_has_begun_one() {
    let (engine, [one, other], _state) = two();
    let id = AgentId::random();
    comes_to_nothing(&engine, &one, &id).await;
    assert_eq!(told(&one, &id).await.0, "failed");
    *engine.0.fetched.lock().unwrap() = true;
    let options = SpawnOptions::default();
    let begun = other.spawn(&id, &spec(), options).await.unwrap();
    assert_eq!(told(&one, &id).await, ("running", begun.incarnation));
    let exit = one.stop(&id, StopOptions::default()).await.unwrap();
    assert_eq!(exit.by, EndedBy::Us);
    let phase = engine.0.containers.lock().unwrap()[0].phase;
    assert_eq!(phase, Phase::Ended, "it does not only say so");
    assert_eq!(told(&one, &id).await, ("exited", begun.incarnation));
}

#[tokio::test(start_paused = true)]
async fn a_stop_by_its_incarnation_means_the_start_that_the_engine_has() {
    let (engine, [one, other], _state) = two();
    let id = AgentId::random();
    comes_to_nothing(&engine, &one, &id).await;
    *engine.0.fetched.lock().unwrap() = true;
    let options = SpawnOptions::default();
    let begun = other.spawn(&id, &spec(), options).await.unwrap();
    let meant = StopOptions::default().with_incarnation(begun.incarnation);
    one.stop(&id, meant).await.unwrap();
    assert_eq!(engine.0.sent.lock().unwrap().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_start_that_came_to_nothing_is_later_than_the_end_that_it_was_to_replace() {
    let (engine, [one, _], _state) = two();
    let id = AgentId::random();
    *engine.0.fetched.lock().unwrap() = true;
    let options = SpawnOptions::default();
    one.spawn(&id, &spec(), options).await.unwrap();
    one.stop(&id, StopOptions::default()).await.unwrap();
    *engine.0.fetched.lock().unwrap() = false;
    comes_to_nothing(&engine, &one, &id).await;
    assert_eq!(told(&one, &id).await.0, "failed");
}

#[tokio::test(start_paused = true)]
async fn one_that_another_manager_has_begun_while_its_image_came_is_told_in_place_of_the_failure() {
    let (engine, [one, other], _state) = two();
    let id = AgentId::random();
    let options = SpawnOptions::default();
    one.spawn(&id, &spec(), options).await.unwrap();
    *engine.0.fetched.lock().unwrap() = true;
    let options = SpawnOptions::default();
    let begun = other.spawn(&id, &spec(), options).await.unwrap();
    let mut events = one.events(EventOptions::default()).await.unwrap();
    *engine.0.refuse.lock().unwrap() = true;
    engine.0.come.notify_one();
    let info = next_change(&mut events).await;
    assert_eq!(info.state, AgentState::Running);
    assert_eq!(info.incarnation, begun.incarnation);
}

#[tokio::test(start_paused = true)]
async fn ends_of_which_nobody_knows_who_brought_them_about_hold_up_a_list_once_and_not_for_ever() {
    let (engine, containers) = swarm();
    *engine.0.fetched.lock().unwrap() = true;
    for _ in 0..10 {
        let (id, options) = (AgentId::random(), SpawnOptions::default());
        containers.spawn(&id, &spec(), options).await.unwrap();
    }
    for container in engine.0.containers.lock().unwrap().iter_mut() {
        container.phase = Phase::Ended;
        let open = Ask {
            term: Sent::Perhaps,
            ..Ask::default()
        };
        containers.0.asks.set(&container.id, &open).unwrap();
    }
    let took = async || {
        let asked = tokio::time::Instant::now();
        let listed = containers.list(ListOptions::default()).await.unwrap();
        assert!(
            (listed.iter().filter_map(AgentInfo::exit)).all(|exit| exit.by == EndedBy::Unknown),
            "{listed:?}"
        );
        assert_eq!(listed.len(), 10);
        asked.elapsed()
    };
    let (once, later) = (took().await, Duration::from_mins(1));
    assert!(once < Duration::from_secs(3), "{once:?}");
    tokio::time::advance(later).await;
    let again = took().await;
    assert!(again < Duration::from_millis(100), "{again:?}");
}

#[tokio::test(start_paused = true)]
async fn a_signal_of_which_nobody_knows_whether_it_was_sent_is_sent_by_who_asks_anew() {
    let (engine, [one, other], _state) = two();
    *engine.0.fetched.lock().unwrap() = true;
    let (id, options) = (AgentId::random(), SpawnOptions::default());
    one.spawn(&id, &spec(), options).await.unwrap();
    engine.0.loses.store(1, Ordering::SeqCst);
    let patient = || StopOptions::default().with_grace(Duration::from_hours(1));
    let first = tokio::spawn({
        let (one, id) = (one.clone(), id.clone());
        async move { one.stop(&id, patient()).await }
    });
    while engine.0.sent.lock().unwrap().is_empty() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let began = tokio::time::Instant::now();
    let exit = other.stop(&id, patient()).await.unwrap();
    assert!(began.elapsed() < Duration::from_mins(1), "without force");
    assert_eq!(exit.by, EndedBy::Us);
    first.await.unwrap().unwrap();
    let sent = engine.0.sent.lock().unwrap().clone();
    let signals: Vec<_> = sent.iter().map(|(signal, _)| *signal).collect();
    assert_eq!(signals, [Signal::TERM, Signal::TERM]);
}
