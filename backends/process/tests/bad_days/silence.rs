//! A keeper that lives and says nothing, and one that cannot come to be.

use std::fs;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use alveary_core::{
    AgentBackend, AgentId, Error, ErrorKind, EventOptions, ListOptions, LogOptions, RemoveOptions,
    StopOptions,
};
use futures_util::future::{BoxFuture, join_all};
use libtest_mimic::Trial;

use crate::hive::{Hive, exists, listed, sh, signal, spawn, wait_until};
use crate::trial;

/// The backend's own time limit, and what a busy machine may add to it: less than that limit again.
const ONE_TIME_LIMIT: Duration = Duration::from_secs(15 + 12);

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial(
            "all_who_ask_a_stopped_keeper_are_answered_within_one_time_limit",
            all_who_ask_a_stopped_keeper_are_answered,
        ),
        trial(
            "more_than_a_sockets_queue_holds_are_answered_within_one_time_limit",
            more_than_a_sockets_queue_holds_are_answered,
        ),
        trial(
            "a_keeper_that_says_nothing_is_not_needed_for_what_has_ended",
            a_silent_keeper_is_not_needed_for_what_has_ended,
        ),
        trial(
            "while_another_holds_the_lock_few_keepers_are_started",
            while_another_holds_the_lock_few_keepers_are_started,
        ),
        trial(
            "that_another_holds_the_lock_is_told_though_the_last_keeper_says_nothing",
            that_another_holds_the_lock_is_told,
        ),
        trial(
            "who_gives_up_waiting_for_a_keeper_spoils_nothing_for_the_others",
            who_gives_up_waiting_spoils_nothing,
        ),
    ]
}

/// Stopped until this goes.
struct Stopped(u32);

impl Stopped {
    fn keeper_of(hive: &Hive) -> Self {
        let keeper = hive.keeper().expect("there is a keeper");
        signal(keeper, rustix::process::Signal::STOP);
        let is_stopped = || {
            fs::read_to_string(format!("/proc/{keeper}/stat")).is_ok_and(|stat| {
                stat.rsplit(") ")
                    .next()
                    .is_some_and(|rest| rest.starts_with('T'))
            })
        };
        wait_until(is_stopped, "the keeper to be stopped");
        Self(keeper)
    }
}

impl Drop for Stopped {
    fn drop(&mut self) {
        signal(self.0, rustix::process::Signal::CONT);
    }
}

type Asked<'a> = BoxFuture<'a, Result<(), Error>>;

/// Each verb once, and some of them more often.
fn ask_everything<'a>(backend: &'a Arc<dyn AgentBackend>, id: &'a AgentId) -> Vec<Asked<'a>> {
    let mut asked: Vec<Asked<'_>> = Vec::new();
    for _ in 0..10 {
        asked.push(Box::pin(async { backend.inspect(id).await.map(drop) }));
    }
    asked.push(Box::pin(async { backend.check().await.map(drop) }));
    asked.push(Box::pin(async {
        backend.list(ListOptions::default()).await.map(drop)
    }));
    asked.push(Box::pin(async {
        backend.remove(id, RemoveOptions::default()).await
    }));
    asked.push(Box::pin(async {
        backend.stop(id, StopOptions::default()).await.map(drop)
    }));
    asked.push(Box::pin(async {
        backend.events(EventOptions::default()).await.map(drop)
    }));
    asked.push(Box::pin(async {
        backend.logs(id, LogOptions::default()).await.map(drop)
    }));
    asked
}

async fn all_who_ask_a_stopped_keeper_are_answered(hive: Hive) {
    let known = hive.open().await;
    let agent = spawn(&known, &sh("sleep 1000")).await;
    let new = hive.open().await;
    let stopped = Stopped::keeper_of(&hive);
    let begun = Instant::now();
    // Of one that has a connection, and of one that is only about to have one.
    let asked = ask_everything(&known, &agent.id)
        .into_iter()
        .chain(ask_everything(&new, &agent.id));
    for answer in join_all(asked).await {
        let error = answer.expect_err("the keeper says nothing");
        assert_eq!(error.kind(), ErrorKind::EngineUnavailable, "{error}");
        assert!(
            error.to_string().contains("its process is stopped"),
            "{error}"
        );
    }
    assert!(begun.elapsed() < ONE_TIME_LIMIT, "{:?}", begun.elapsed());
    drop(stopped);
    for backend in [&known, &new] {
        assert_eq!(listed(backend).await.len(), 1, "it can be asked again");
    }
}

async fn more_than_a_sockets_queue_holds_are_answered(hive: Hive) {
    let known = hive.open().await;
    let agent = spawn(&known, &sh("sleep 1000")).await;
    let mut managers = Vec::new();
    for _ in 0..400 {
        managers.push(hive.open().await);
    }
    let stopped = Stopped::keeper_of(&hive);
    let begun = Instant::now();
    let asked = managers.iter().map(|manager| manager.inspect(&agent.id));
    for answer in join_all(asked).await {
        let error = answer.expect_err("the keeper says nothing");
        assert_eq!(error.kind(), ErrorKind::EngineUnavailable, "{error}");
    }
    assert!(begun.elapsed() < ONE_TIME_LIMIT, "{:?}", begun.elapsed());
    drop(stopped);
    let asked = managers.iter().map(|manager| manager.inspect(&agent.id));
    for answer in join_all(asked).await {
        answer.expect("it can be asked again");
    }
}

async fn a_silent_keeper_is_not_needed_for_what_has_ended(hive: Hive) {
    let known = hive.open().await;
    let agent = spawn(&known, &sh("exit 5")).await;
    alveary_core::AgentBackendExt::wait(&known, &agent.id)
        .await
        .expect("it ends");
    let new = hive.open().await;
    let _stopped = Stopped::keeper_of(&hive);
    let found = new.inspect(&agent.id).await.expect("the journal tells it");
    assert_eq!(found.exit().and_then(alveary_core::Exit::code), Some(5));
}

/// A manager whose keepers do this in the hive's folder.
async fn open_with_keepers_that(hive: &Hive, do_this: &str) -> Arc<dyn AgentBackend> {
    let program = hive.folder().join("late");
    let script = format!("#!/bin/sh\ncd '{}'\n{do_this}\n", hive.folder().display());
    // Another writes it: a program of which this process forks meanwhile would have it open still, and who is
    // being written to cannot be started.
    let written = Command::new("/bin/sh")
        .args(["-c", "printf %s \"$1\" > \"$0\" && chmod 755 \"$0\""])
        .arg(&program)
        .arg(script)
        .status();
    assert!(written.expect("there is a shell").success());
    hive.open_with_keeper(&program.to_string_lossy()).await
}

async fn while_another_holds_the_lock_few_keepers_are_started(hive: Hive) {
    // What a keeper says that comes too late, and a mark each time.
    let marks = hive.folder().join("marks");
    let backend = open_with_keepers_that(&hive, "echo >> marks; echo held").await;
    let begun = Instant::now();
    let asked = (0..10).map(|_| backend.check());
    for answer in join_all(asked).await {
        let error = answer.expect_err("nobody listens");
        assert_eq!(error.kind(), ErrorKind::EngineUnavailable, "{error}");
        assert!(error.to_string().contains("keeper.lock"), "{error}");
    }
    assert!(begun.elapsed() < ONE_TIME_LIMIT, "{:?}", begun.elapsed());
    let started = fs::read(&marks).expect("it was started").len();
    assert!((2..=50).contains(&started), "started {started} times");
}

async fn that_another_holds_the_lock_is_told(hive: Hive) {
    // The first comes too late; the next says nothing for as long as there is a hive.
    let script = "if mkdir first; then echo held; else while [ -d first ]; do sleep 0.1; done; fi";
    let backend = open_with_keepers_that(&hive, script).await;
    let error = backend.check().await.expect_err("nobody listens");
    assert_eq!(error.kind(), ErrorKind::EngineUnavailable, "{error}");
    assert!(error.to_string().contains("keeper.lock"), "{error}");
}

async fn who_gives_up_waiting_spoils_nothing(hive: Hive) {
    let known = hive.open().await;
    let agent = spawn(&known, &sh("sleep 1000")).await;
    let new = hive.open().await;
    let stopped = Stopped::keeper_of(&hive);
    let impatient = tokio::time::timeout(Duration::from_millis(200), new.inspect(&agent.id));
    let (given_up, answered) = tokio::join!(impatient, async {
        let patient = new.inspect(&agent.id);
        tokio::pin!(patient);
        // Both wait for the same answer; then one of them gives up, and the keeper goes on.
        let early = tokio::time::timeout(Duration::from_millis(400), &mut patient).await;
        assert!(early.is_err(), "the keeper says nothing");
        drop(stopped);
        patient.await
    });
    assert!(given_up.is_err(), "the keeper says nothing");
    answered.expect("the keeper goes on");
    assert!(exists(agent.pid.expect("it has a number")));
}
