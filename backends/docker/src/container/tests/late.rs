//! What an engine tells late, what goes too soon, and what becomes of the answer.

use std::time::SystemTime;

use alveary_core::{Exit, LogItem, LogOptions, LogStreamKind, Secret, SecretSpec};
use jiff::Timestamp;

use super::fake::Told;
use super::*;
use crate::engine::LogEntry;

/// An end by a KILL that nobody here sent, and what is told of it by an engine whose flag comes so late.
async fn killed(limited: bool, late: Duration) -> Exit {
    let (engine, containers, id) = one_that_runs().await;
    for container in engine.0.containers.lock().unwrap().iter_mut() {
        container.phase = Phase::Ended;
        container.exit_code = 137;
        container.finished_at = Some(SystemTime::now());
        container.memory = limited.then_some(16 << 20);
    }
    *engine.0.flags_at.lock().unwrap() = Some(tokio::time::Instant::now() + late);
    match containers.inspect(&id).await.unwrap().state {
        AgentState::Exited(exit) => exit,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_late_flag_of_memory_is_waited_for_and_one_that_never_comes_is_hinted_at() {
    let (soon, never) = (Duration::from_millis(200), Duration::from_mins(1));
    for (limited, late, oom, hinted) in [
        (true, soon, true, false),
        (true, never, false, true),
        (false, soon, true, false),
        (false, never, false, false),
    ] {
        let asked = tokio::time::Instant::now();
        let exit = killed(limited, late).await;
        let took = asked.elapsed();
        assert_eq!(exit.oom, oom, "{limited} {late:?}: {exit}");
        let hint = exit.hint.unwrap_or_default();
        assert_eq!(
            hint.contains("16.0 MiB"),
            hinted,
            "{limited} {late:?}: {hint}"
        );
        assert!(took < Duration::from_secs(1), "{took:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_made_and_never_started_is_stopped_by_taking_it_away() {
    let (engine, containers, id) = one_that_runs().await;
    for container in engine.0.containers.lock().unwrap().iter_mut() {
        container.phase = Phase::Created;
    }
    let exit = containers.stop(&id, StopOptions::default()).await.unwrap();
    assert!(exit.to_string().contains("never started"), "{exit}");
    assert!(!exit.is_success());
    // Nothing is left that a late start could begin, and nothing was sent to it.
    assert!(engine.0.containers.lock().unwrap().is_empty());
    assert!(engine.0.sent.lock().unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn secrets_outlive_a_removal_elsewhere_while_the_image_comes() {
    let (engine, dir) = (Fake::default(), tempfile::tempdir().unwrap());
    let context = ConnectContext::new(SwarmName::new("demo").unwrap(), SwarmUid::random())
        .with_secrets_dir(dir.path());
    let manager = || Containers::new(engine.clone(), Settings::default(), &context).unwrap();
    let (starts, removes) = (manager(), manager());
    let (id, options) = (AgentId::random(), SpawnOptions::default());
    let spec = spec().secret("KEY", SecretSpec::given(Secret::new("hunter2")));
    let info = starts.spawn(&id, &spec, options).await.unwrap();
    assert!(is_starting(&info), "{info:?}");
    // It knows of no such agent, and of no fetch.
    let removed = removes.remove(&id, RemoveOptions::default()).await;
    assert_eq!(removed.unwrap_err().kind(), ErrorKind::NotFound);
    let mut events = starts.events(EventOptions::default()).await.unwrap();
    engine.0.come.notify_one();
    assert_eq!(next_change(&mut events).await.state, AgentState::Running);
    let file = (dir.path().join(id.as_str()))
        .join(format!("{}-{}", info.incarnation, spec.hash()))
        .join("KEY");
    assert_eq!(std::fs::read_to_string(file).unwrap(), "hunter2");
}

fn line(text: &'static str) -> LogEntry {
    LogEntry {
        stream: LogStreamKind::Stdout,
        at: Timestamp::from_second(1).unwrap(),
        bytes: text.into(),
    }
}

/// What whoever follows is told by an engine that breaks off what it reads again at the end.
async fn followed(gone: bool) -> Vec<Result<String>> {
    let (engine, containers, id) = one_that_runs().await;
    for container in engine.0.containers.lock().unwrap().iter_mut() {
        container.phase = Phase::Ended;
    }
    let told = |entries, gone| Told { entries, gone };
    let broken_off = Err(Trouble::new(Class::Lost, "broken off"));
    *engine.0.tells.lock().unwrap() = [
        told(vec![Ok(line("one\n"))], false),
        told(vec![Ok(line("one\n")), Ok(line("two\n")), broken_off], gone),
    ]
    .into();
    let logs = containers
        .logs(&id, LogOptions::default().with_follow(true))
        .await
        .unwrap();
    let lines = logs.map(|item| {
        item.map(|item| match item {
            LogItem::Piece(piece) => String::from_utf8_lossy(&piece.bytes).into_owned(),
            other => panic!("{other:?}"),
        })
    });
    lines.collect().await
}

#[tokio::test(start_paused = true)]
async fn a_log_that_breaks_off_as_its_container_goes_has_ended() {
    let told = followed(true).await;
    let lines: Vec<_> = told.into_iter().map(Result::unwrap).collect();
    assert_eq!(lines, ["one\n", "two\n"]);
}

#[tokio::test(start_paused = true)]
async fn a_log_that_breaks_off_while_its_container_is_there_is_an_error() {
    let told = followed(false).await;
    let (last, lines) = told.split_last().unwrap();
    assert_eq!(lines.len(), 2, "{told:?}");
    let error = last.as_ref().unwrap_err();
    assert!(error.to_string().contains("broken off"), "{error}");
}
