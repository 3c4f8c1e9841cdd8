//! An engine of the trials' own that is killed, restarted and stopped under their hands.

use std::path::PathBuf;
use std::time::Duration;

use alveary_conformance::proxy::Method::{self, Post};
use alveary_core::{
    AgentBackendExt, AgentState, EndedBy, ExitStatus, LogItem, LogOptions, LogStreamKind, Restart,
    StopOptions,
};
use futures_util::StreamExt;
use libtest_mimic::{Completion, Trial};
use tokio::time::Instant;

use crate::ground::{Ground, Wanted, passes};
use crate::private::By::{self, Api, Program};
use crate::private::{NAME, Private};
use crate::{is_torture, missing, trial};

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = Vec::new();
    for (name, verb, live, by) in [
        ("create", Verb::Create, false, Api),
        ("create", Verb::Create, true, Api),
        ("start", Verb::Start, false, Api),
        ("start", Verb::Start, true, Api),
        ("start", Verb::Start, true, Program),
        ("stop", Verb::Stop, false, Api),
        ("stop", Verb::Stop, true, Api),
    ] {
        let how = if live { "with" } else { "without" };
        let sentence = format!("an_engine_killed_in_the_midst_of_a_{name}_{how}_live_restore");
        let row = format!("dockerd is killed in a {name}, {how} live-restore");
        let rounds = vec![by; rounds()];
        trials.push(alone(
            &sentence,
            &row,
            rounds,
            async move |ground, engine| killed(ground, engine, verb, live).await,
        ));
    }
    for by in [Api, Program] {
        trials.extend([
            alone(
                "an_end_while_the_engine_is_away_is_told_truly_and_a_log_is_followed_across_it",
                "an agent ends while dockerd is away",
                vec![by],
                ends_meanwhile,
            ),
            alone(
                "what_was_stopped_is_not_revived_by_an_engine_that_comes_up_again",
                "dockerd comes up again beside what was stopped",
                vec![by],
                stays_stopped,
            ),
        ]);
    }
    trials.extend([
        alone(
            "logs_of_who_dies_with_the_engine_are_followed_to_their_end_by_either_way",
            "dockerd takes a followed agent with it",
            vec![Api, Program],
            dies_with_it,
        ),
        alone(
            "an_engine_that_stands_still_answers_nothing_and_forgets_nothing",
            "dockerd stands still (SIGSTOP)",
            vec![Api],
            stands_still,
        ),
    ]);
    trials
}

/// A trial on an engine of its own, as often as ways are named, each time in another swarm.
fn alone(
    sentence: &str,
    row: &str,
    ways: Vec<By>,
    test: impl AsyncFn(Ground, &Private) -> Ground + Send + 'static,
) -> Trial {
    let by_the_program = ways.iter().all(|by| *by == Program);
    let before = if by_the_program { "docker_cli_" } else { "" };
    let row = row.to_owned();
    trial(format!("daemon::{before}{sentence}"), move |_| async move {
        let engine = match Private::up().await {
            Ok(engine) => engine,
            Err(why) => return missing::without(why),
        };
        for by in ways {
            let row = match by {
                Api => row.clone(),
                Program => format!("docker-cli, {row}"),
            };
            let ground = engine.ground(by).await;
            test(ground, &engine).await.finish(&row).await?;
        }
        Ok(Completion::Completed)
    })
}

/// How often each: once in tests, several times in torture.
fn rounds() -> usize {
    if is_torture() { 5 } else { 1 }
}

#[derive(Clone, Copy, PartialEq)]
enum Verb {
    Create,
    Start,
    Stop,
}

impl Verb {
    fn request(self) -> (Method, &'static str) {
        match self {
            Self::Create => (Post, "/containers/create"),
            Self::Start => (Post, "/containers/*/start"),
            Self::Stop => (Post, "/containers/*/kill"),
        }
    }
}

async fn killed(mut ground: Ground, engine: &Private, verb: Verb, live: bool) -> Ground {
    if live {
        engine.restart(true).await;
    }
    let bystander = Wanted::new();
    ground.comes_to_be(&bystander).await;
    let wanted = Wanted::new();
    if verb == Verb::Stop {
        ground.comes_to_be(&wanted).await;
    }
    let (method, path) = verb.request();
    let nth = ground.proxy.seen(method, path).len() + 1;
    let call = {
        let backend = std::sync::Arc::clone(&ground.backend);
        let Wanted { id, spec, options } = wanted.clone();
        tokio::spawn(async move {
            match verb {
                Verb::Create | Verb::Start => backend.spawn(&id, &spec, options).await.map(|_| ()),
                Verb::Stop => {
                    let options = StopOptions::default().with_grace(Duration::from_secs(2));
                    backend.stop(&id, options).await.map(|_| ())
                }
            }
        })
    };
    ground.proxy.arrived(method, path, nth).await;
    engine.kill().await;
    let told = ground.bounded("a call to an engine that dies", async {
        call.await.unwrap()
    });
    let told = told.await;
    engine.restart(live).await;
    match (&told, verb) {
        (Some(Ok(())), Verb::Stop) if ground.runs(&wanted.id) => {
            ground.wrong("a stop that was answered, and it runs");
        }
        (Some(Ok(())), Verb::Create | Verb::Start) if ground.shown_of(&wanted.id).is_empty() => {
            ground.wrong("a spawn that was answered, and nothing is there");
        }
        (Some(Err(error)), _) if !passes(error) => {
            ground.wrong(format!("an engine that has died is told as: {error}"));
        }
        _ => {}
    }
    match verb {
        Verb::Create | Verb::Start => {
            ground.comes_to_be(&wanted).await;
        }
        Verb::Stop => {
            ground.stops(&wanted.id).await;
        }
    }
    let listed = ground.lists_what_is_there().await;
    match listed.iter().find(|info| info.id == bystander.id) {
        None => ground.row.lost += 1,
        Some(info) if live && info.state != AgentState::Running => {
            ground.wrong(format!("a bystander is told as {:?}", info.state));
        }
        Some(info) => {
            // An engine that comes up again ends who has outlived it, and we have ended nobody.
            if let AgentState::Exited(exit) = &info.state
                && (exit.is_success() || matches!(exit.by, EndedBy::Us | EndedBy::UsByForce))
            {
                ground.wrong(format!("a bystander's end is told as {exit:?}"));
            }
        }
    }
    ground
}

/// One agent ends, and another is followed, while nobody is there who could tell of either.
async fn ends_meanwhile(mut ground: Ground, engine: &Private) -> Ground {
    engine.restart(true).await;
    let signs = tempfile::tempdir().unwrap();
    let until_told = |script: &str| {
        let mut wanted = Wanted::running(["sh", "-c", script]);
        let mount = format!("{}:/signs:ro", signs.path().display());
        wanted.spec.container.mounts = vec![mount.parse().unwrap()];
        wanted
    };
    let ends = until_told("while [ ! -e /signs/end ]; do sleep 0.05; done; exit 7");
    let speaks = until_told(
        "echo before; while [ ! -e /signs/speak ]; do sleep 0.05; done; echo after; exit 0",
    );
    ground.comes_to_be(&ends).await;
    ground.comes_to_be(&speaks).await;
    let backend = std::sync::Arc::clone(&ground.backend);
    let pid = backend.inspect(&ends.id).await.unwrap().pid.unwrap();
    let mut followed = backend
        .logs(&speaks.id, LogOptions::default().with_follow(true))
        .await
        .unwrap();
    let first = ground.bounded("a followed log", async {
        followed.next().await.transpose()
    });
    assert!(first.await.unwrap().unwrap().is_some(), "it is followed");

    engine.kill().await;
    std::fs::write(signs.path().join("end"), "").unwrap();
    let process = PathBuf::from(format!("/proc/{pid}"));
    let deadline = Instant::now() + Duration::from_secs(30);
    while process.exists() {
        assert!(Instant::now() < deadline, "process {pid} does not end");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    engine.restart(true).await;

    match ground.bounded("a wait", backend.wait(&ends.id)).await {
        Some(Ok(exit)) if exit.status == ExitStatus::Code(7) && exit.by == EndedBy::Itself => {}
        other => ground.wrong(format!("an end that nobody saw is told as {other:?}")),
    }
    std::fs::write(signs.path().join("speak"), "").unwrap();
    let rest = ground.bounded(
        "the rest of a followed log",
        followed.collect_bytes(LogStreamKind::Stdout),
    );
    match rest.await {
        Some(Ok(rest)) if rest[..] == *b"after\n" => {}
        other => ground.wrong(format!("across the restart is read {other:?}")),
    }
    match ground.bounded("a wait", backend.wait(&speaks.id)).await {
        Some(Ok(exit)) if exit.is_success() => {}
        other => ground.wrong(format!("it ended well, and is told as {other:?}")),
    }
    ground
}

/// An engine that comes up without live-restore ends who has outlived it.
async fn dies_with_it(mut ground: Ground, engine: &Private) -> Ground {
    let wanted = Wanted::running(["sh", "-c", "echo before; exec sleep 1000"]);
    ground.comes_to_be(&wanted).await;
    let backend = std::sync::Arc::clone(&ground.backend);
    let mut followed = backend
        .logs(&wanted.id, LogOptions::default().with_follow(true))
        .await
        .unwrap();
    let first = ground.bounded("a followed log", async {
        followed.next().await.transpose()
    });
    match first.await.unwrap().unwrap() {
        Some(LogItem::Piece(piece)) if piece.bytes[..] == *b"before\n" => {}
        other => ground.wrong(format!("its first word is read as {other:?}")),
    }

    engine.kill().await;
    engine.restart(false).await;

    let rest = ground.bounded(
        "the rest of a followed log",
        followed.collect_bytes(LogStreamKind::Stdout),
    );
    match rest.await {
        Some(Ok(rest)) if rest.is_empty() => {}
        other => ground.wrong(format!("behind its last word is read {other:?}")),
    }
    match ground.bounded("a wait", backend.wait(&wanted.id)).await {
        // With live-restore off the engine ends it by force when it comes up, or has lost how it ended; nobody's memory ran out.
        Some(Ok(exit))
            if !exit.is_success()
                && !exit.oom
                && !matches!(exit.by, EndedBy::Us | EndedBy::UsByForce)
                && matches!(exit.status, ExitStatus::Code(137 | 143 | 255)) => {}
        other => ground.wrong(format!("the engine ended it, and it is told as {other:?}")),
    }
    let logs = async {
        let logs = backend.logs(&wanted.id, LogOptions::default()).await?;
        logs.collect_bytes(LogStreamKind::Stdout).await
    };
    match ground.bounded("a log", logs).await {
        Some(Ok(said)) if said[..] == *b"before\n" => {}
        other => ground.wrong(format!("after the restart the log is {other:?}")),
    }
    ground
}

/// An engine that comes up looks at how those that it restarts have ended, and not at who has ended them.
async fn stays_stopped(mut ground: Ground, engine: &Private) -> Ground {
    let left_to_it = |restart: Restart| {
        let mut wanted = Wanted::new();
        wanted.spec.restart = restart.by_engine();
        wanted
    };
    let stopped = [Restart::always(), Restart::on_failure()].map(left_to_it);
    let lives = left_to_it(Restart::always());
    for wanted in &stopped {
        ground.comes_to_be(wanted).await;
        ground.stops(&wanted.id).await;
    }
    ground.comes_to_be(&lives).await;
    engine.restart(false).await;
    let deadline = Instant::now() + Duration::from_secs(30);
    while !ground.runs(&lives.id) {
        assert!(Instant::now() < deadline, "it is not started again");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    ground.until_still().await;
    for wanted in &stopped {
        if ground.runs(&wanted.id) {
            let restart = &wanted.spec.restart;
            ground.wrong(format!("it was stopped and runs again: {restart:?}"));
        }
    }
    ground.lists_what_is_there().await;
    ground
}

async fn stands_still(mut ground: Ground, engine: &Private) -> Ground {
    let there = Wanted::new();
    ground.comes_to_be(&there).await;
    engine.run("engine", &["pause", NAME]).await.unwrap();
    let stopped = Instant::now();
    let wanted = Wanted::new();
    let backend = std::sync::Arc::clone(&ground.backend);
    match ground.spawn(&wanted).await {
        Some(Err(_)) | None => {}
        Some(Ok(info)) => ground.wrong(format!("a spawn by nobody: {info:?}")),
    }
    // What was learnt of it before says nothing of now.
    if let Some(Ok(health)) = ground.bounded("a check", backend.check()).await {
        ground.wrong(format!("nobody is well: {health:?}"));
    }
    let listed = backend.list(alveary_core::ListOptions::default());
    if let Some(Ok(listed)) = ground.bounded("a list", listed).await {
        ground.wrong(format!("a list by nobody: {listed:?}"));
    }
    let inspected = backend.inspect(&there.id);
    if let Some(Ok(info)) = ground.bounded("an inspection", inspected).await {
        ground.wrong(format!("told by nobody: {info:?}"));
    }
    if is_torture() {
        // As long as nobody waits.
        tokio::time::sleep_until(stopped + Duration::from_secs(30)).await;
    }
    engine.run("engine", &["unpause", NAME]).await.unwrap();
    ground.comes_to_be(&wanted).await;
    ground.comes_to_be(&there).await;
    ground.lists_what_is_there().await;
    ground
}
