//! What is the memory backend's own; what it shares with all others is in the conformance suite.

#![expect(clippy::unwrap_used, reason = "this whole file is tests")]

use std::io::Write as _;
use std::sync::mpsc;
use std::time::Duration;

use alveary_core::{
    AgentBackend, AgentBackendExt, AgentEvent, AgentId, AgentSpec, AgentState, EndedBy, Error,
    ErrorKind, EventOptions, ExitStatus, Limits, LogItem, LogOptions, LogStreamKind, MemoryBackend,
    MemoryEngine, Secret, Signal, SpawnOptions, StopOptions, SwarmUid,
};
use futures_util::StreamExt;

async fn spawn(backend: &MemoryBackend, spec: &AgentSpec) -> Result<AgentId, Error> {
    let id = AgentId::random();
    backend.spawn(&id, spec, SpawnOptions::default()).await?;
    Ok(id)
}

async fn stderr(backend: &MemoryBackend, id: &AgentId) -> String {
    let logs = backend.logs(id, LogOptions::default()).await.unwrap();
    let bytes = logs.collect_bytes(LogStreamKind::Stderr).await.unwrap();
    String::from_utf8(bytes).unwrap()
}

/// Waits until the agent has written something.
async fn has_begun(backend: &MemoryBackend, id: &AgentId) {
    let follow = LogOptions::default().with_follow(true);
    let mut logs = backend.logs(id, follow).await.unwrap();
    logs.next().await.expect("it writes").unwrap();
}

fn panics(after: &str) -> i32 {
    panic!("after {after}")
}

#[tokio::test]
async fn a_panic_is_an_exit_with_code_101_and_a_message() {
    let early = |_| -> std::future::Ready<i32> { panic!("before its first await") };
    let backend = MemoryBackend::new()
        .with_program("early", early)
        .with_program("late", |_| async {
            tokio::task::yield_now().await;
            panics("an await")
        });
    for (program, words) in [
        ("early", "before its first await"),
        ("late", "after an await"),
    ] {
        let id = spawn(&backend, &AgentSpec::new("a", [program]))
            .await
            .unwrap();
        let exit = backend.wait(&id).await.unwrap();
        assert_eq!(exit.code(), Some(101));
        assert_eq!(exit.by, EndedBy::Itself);
        let message = stderr(&backend, &id).await;
        assert_eq!(message, format!("the agent panicked: {words}\n"));
    }
}

#[tokio::test]
async fn a_program_may_say_that_it_ended_in_a_way_of_which_no_closure_is_capable() {
    let backend =
        MemoryBackend::new().with_program("killed", |_| async { ExitStatus::Signal(Signal::KILL) });
    let id = spawn(&backend, &AgentSpec::new("a", ["killed"]))
        .await
        .unwrap();
    let exit = backend.wait(&id).await.unwrap();
    assert_eq!(exit.signal(), Some(Signal::KILL));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_program_that_blocks_its_thread_is_said_to_run_still() {
    let (release, blocked) = mpsc::channel::<()>();
    let blocked = std::sync::Mutex::new(blocked);
    let blocked = std::sync::Arc::new(blocked);
    let backend = MemoryBackend::new().with_program("blocks", move |agent| {
        let blocked = blocked.clone();
        async move {
            agent.print("blocking\n");
            let _ended = blocked.lock().unwrap().recv();
            0
        }
    });
    let id = spawn(&backend, &AgentSpec::new("a", ["blocks"]))
        .await
        .unwrap();
    has_begun(&backend, &id).await;
    let stopped = backend.stop(&id, StopOptions::by_force()).await;
    assert_eq!(stopped.unwrap_err().kind(), ErrorKind::StillRunning);
    assert_eq!(
        backend.inspect(&id).await.unwrap().state,
        AgentState::Stopping
    );
    drop(release);
    backend.wait(&id).await.unwrap();
}

#[test]
fn an_agent_whose_runtime_ends_has_ended_and_how_is_unknown() {
    let engine = MemoryEngine::new().with_program("stays", |agent| async move {
        agent.stop_requested().await;
        0
    });
    let swarm = SwarmUid::random();
    let first = tokio::runtime::Runtime::new().unwrap();
    let id = first.block_on(async {
        let backend = MemoryBackend::on(&engine, swarm);
        spawn(&backend, &AgentSpec::new("a", ["stays"]))
            .await
            .unwrap()
    });
    drop(first);
    let second = tokio::runtime::Runtime::new().unwrap();
    let exit = second.block_on(async {
        let backend = MemoryBackend::on(&engine, swarm);
        backend.wait(&id).await.unwrap()
    });
    assert!(matches!(exit.status, ExitStatus::Unknown { .. }), "{exit}");
}

#[test]
fn a_spawn_without_a_runtime_is_an_error_with_its_cure() {
    let backend = MemoryBackend::new().with_program("true", |_| async { 0 });
    let spec = AgentSpec::new("a", ["true"]);
    let spawned = futures_util::FutureExt::now_or_never(spawn(&backend, &spec));
    let error = spawned.unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::EngineUnavailable);
    assert!(error.cure().unwrap().contains("tokio"), "{error}");
}

#[tokio::test]
async fn an_unknown_program_is_refused_with_those_that_there_are() {
    let backend = MemoryBackend::new()
        .with_program("echo", |_| async { 0 })
        .with_program("add", |_| async { 0 });
    let error = spawn(&backend, &AgentSpec::new("a", ["eco"]))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidSpec);
    assert!(error.to_string().contains("`eco`"), "{error}");
    assert!(error.to_string().contains("add, echo"), "{error}");
}

#[tokio::test]
async fn limits_are_unsupported_and_not_quietly_left_out() {
    let backend = MemoryBackend::new().with_program("true", |_| async { 0 });
    let spec = AgentSpec::new("a", ["true"]).limits(Limits::default().nofile(64));
    let error = spawn(&backend, &spec).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.to_string().contains("limits.nofile"), "{error}");
}

#[tokio::test]
async fn a_program_is_given_its_arguments_environment_and_secrets() {
    let backend = MemoryBackend::new().with_program("tell", |agent| async move {
        let mut out = agent.stdout();
        let secret = agent.secret("KEY").map_or("none", |secret| secret.expose());
        writeln!(out, "{:?} {:?} {secret}", agent.args(), agent.var("LOG")).unwrap();
        writeln!(agent.stderr(), "{}", agent.name()).unwrap();
        i32::from(agent.var("ALVEARY_AGENT_ID") != Some(agent.id().as_str()))
    });
    let spec = AgentSpec::new("teller", ["tell", "one", "two"])
        .env("LOG", "info")
        .secret("KEY", Secret::new("hunter2"));
    let id = spawn(&backend, &spec).await.unwrap();
    assert!(backend.wait(&id).await.unwrap().is_success());
    let logs = backend.logs(&id, LogOptions::default()).await.unwrap();
    let out = logs.collect_bytes(LogStreamKind::Stdout).await.unwrap();
    assert_eq!(out, b"[\"one\", \"two\"] Some(\"info\") hunter2\n");
    assert_eq!(stderr(&backend, &id).await, "teller\n");
}

#[tokio::test(start_paused = true)]
async fn a_grace_passes_on_the_clock_of_the_test() {
    let backend = MemoryBackend::new().with_program("deaf", |_| std::future::pending::<i32>());
    let id = spawn(&backend, &AgentSpec::new("a", ["deaf"]))
        .await
        .unwrap();
    let begun = tokio::time::Instant::now();
    let a_day = Duration::from_hours(24);
    let options = StopOptions::default().with_grace(a_day);
    let exit = backend.stop(&id, options).await.unwrap();
    assert_eq!(exit.by, EndedBy::UsByForce);
    assert!(begun.elapsed() >= a_day);
}

#[tokio::test]
async fn a_program_that_is_dropped_drops_what_it_holds_before_its_end_is_told() {
    let (held, gone) = mpsc::channel::<()>();
    let held = std::sync::Mutex::new(Some(held));
    let backend = MemoryBackend::new().with_program("holds", move |agent| {
        let held = held.lock().unwrap().take();
        async move {
            let _held = held;
            agent.print("holding\n");
            std::future::pending::<i32>().await
        }
    });
    let id = spawn(&backend, &AgentSpec::new("a", ["holds"]))
        .await
        .unwrap();
    has_begun(&backend, &id).await;
    backend.stop(&id, StopOptions::by_force()).await.unwrap();
    assert_eq!(gone.try_recv(), Err(mpsc::TryRecvError::Disconnected));
}

#[tokio::test]
async fn one_who_listens_too_slowly_is_told_so() {
    let backend = MemoryBackend::new().with_program("true", |_| async { 0 });
    let mut events = backend.events(EventOptions::default()).await.unwrap();
    for _ in 0..1000 {
        let id = spawn(&backend, &AgentSpec::new("a", ["true"]))
            .await
            .unwrap();
        backend.wait(&id).await.unwrap();
    }
    let first = events.next().await.unwrap().unwrap();
    assert_eq!(first, AgentEvent::Lagged);
}

#[tokio::test]
async fn a_log_is_bounded_and_says_what_of_each_stream_it_has_lost() {
    let engine =
        MemoryEngine::with_log_bound(64 * 1024).with_program("chatty", |agent| async move {
            agent.eprint("soon gone");
            agent.print(vec![b'x'; 1 << 20]);
            0
        });
    let backend = MemoryBackend::on(&engine, SwarmUid::random());
    let id = spawn(&backend, &AgentSpec::new("a", ["chatty"]))
        .await
        .unwrap();
    backend.wait(&id).await.unwrap();
    let logs = backend.logs(&id, LogOptions::default()).await.unwrap();
    let (mut kept, mut lost) = (0, [0, 0]);
    for item in logs.collect::<Vec<_>>().await {
        match item.unwrap() {
            LogItem::Piece(piece) => kept += piece.bytes.len() as u64,
            LogItem::Lost { stream, bytes } => {
                lost[usize::from(stream == Some(LogStreamKind::Stderr))] += bytes.unwrap();
            }
            other => panic!("{other:?}"),
        }
    }
    assert!(kept > 0 && kept <= 64 * 1024, "{kept} bytes are kept");
    assert_eq!(kept + lost[0], 1 << 20);
    assert_eq!(lost[1], 9);
}

#[tokio::test]
async fn an_engine_outlives_its_backends_and_keeps_swarms_apart() {
    let engine = MemoryEngine::new().with_program("stays", |agent| async move {
        agent.stop_requested().await;
        0
    });
    let (one, other) = (SwarmUid::random(), SwarmUid::random());
    let id = {
        let backend = MemoryBackend::on(&engine, one);
        spawn(&backend, &AgentSpec::new("a", ["stays"]))
            .await
            .unwrap()
    };
    let stranger = MemoryBackend::on(&engine, other);
    assert!(!stranger.exists(&id).await.unwrap());
    let exit = MemoryBackend::on(&engine, one)
        .stop_and_remove(&id, StopOptions::default())
        .await
        .unwrap();
    assert_eq!(exit.by, EndedBy::Us);
}
