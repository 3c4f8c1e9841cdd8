//! What the memory backend can do besides, and what a program is in the hands of who runs it.

#![expect(clippy::unwrap_used, reason = "this whole program is a test")]

use std::time::Duration;

use alveary_core::{
    AgentBackend, AgentContext, AgentId, AgentSpec, ByteSize, ErrorKind, Exec, ExecContext,
    ExecSpec, ExitStatus, MemoryBackend, Pause, PauseOptions, Signal, SpawnOptions, Stats,
    StatsOptions, StopOptions, TtySize,
};
use futures_util::StreamExt;
use tokio::io::AsyncWriteExt;

async fn idle(agent: AgentContext) -> i32 {
    agent.stop_requested().await;
    0
}

async fn cat(mut exec: ExecContext) -> i32 {
    i32::from(
        tokio::io::copy(&mut exec.stdin, &mut exec.stdout)
            .await
            .is_err(),
    )
}

async fn flood(mut exec: ExecContext) -> i32 {
    while exec.stdout.write_all(&[b'x'; 4096]).await.is_ok() {}
    141
}

async fn sizes(mut exec: ExecContext) -> i32 {
    let size = exec.resized().await;
    i32::from(size.columns)
}

async fn with_agent() -> (MemoryBackend, AgentId) {
    let backend = MemoryBackend::new()
        .with_program("idle", idle)
        .with_exec("cat", cat)
        .with_exec("flood", flood)
        .with_exec("sizes", sizes)
        .with_exec("stay", |_| std::future::pending::<i32>());
    let id = AgentId::random();
    let spec = AgentSpec::new("idle", ["idle"]);
    backend
        .spawn(&id, &spec, SpawnOptions::default())
        .await
        .unwrap();
    (backend, id)
}

#[tokio::test]
async fn what_is_written_to_a_program_comes_back_and_its_end_is_told_twice() {
    let (backend, id) = with_agent().await;
    let mut running = backend
        .run(&id, &ExecSpec::new(["cat"]).stdin())
        .await
        .unwrap();
    let mut stdin = running.stdin.take().unwrap();
    let mut output = running.output.take().unwrap();
    stdin.write_all(b"hello").await.unwrap();
    assert_eq!(&output.next().await.unwrap().unwrap().bytes[..], b"hello");
    drop(stdin);
    assert!(output.next().await.is_none());
    assert_eq!(running.wait().await.unwrap(), ExitStatus::Code(0));
    assert_eq!(running.wait().await.unwrap(), ExitStatus::Code(0));
}

#[tokio::test]
async fn a_wait_that_is_dropped_can_be_begun_anew() {
    let (backend, id) = with_agent().await;
    let spec = ExecSpec::new(["sizes"]).tty(TtySize::new(80, 24));
    let mut running = backend.run(&id, &spec).await.unwrap();
    assert!(futures_util::poll!(Box::pin(running.wait())).is_pending());
    running.resize(TtySize::new(100, 30)).await.unwrap();
    assert_eq!(running.wait().await.unwrap(), ExitStatus::Code(100));
}

#[tokio::test]
async fn what_writes_too_much_is_not_collected() {
    let (backend, id) = with_agent().await;
    let running = backend.run(&id, &ExecSpec::new(["flood"])).await.unwrap();
    let error = running.collect(ByteSize(10_000)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::OutOfResources);
}

#[tokio::test]
async fn a_program_without_a_terminal_has_no_size() {
    let (backend, id) = with_agent().await;
    let mut running = backend.run(&id, &ExecSpec::new(["stay"])).await.unwrap();
    let error = running.resize(TtySize::new(80, 24)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidSpec);
}

#[tokio::test]
async fn what_is_run_beside_an_agent_ends_with_it() {
    let (backend, id) = with_agent().await;
    let mut running = backend.run(&id, &ExecSpec::new(["stay"])).await.unwrap();
    backend.stop(&id, StopOptions::default()).await.unwrap();
    assert_eq!(
        running.wait().await.unwrap(),
        ExitStatus::Signal(Signal::KILL)
    );
}

#[tokio::test(start_paused = true)]
async fn readings_come_at_their_pace_and_end_with_the_agent() {
    let (backend, id) = with_agent().await;
    let every = Duration::from_hours(1);
    let options = StatsOptions::default().with_every(every);
    let mut readings = backend.follow(&id, options).await.unwrap();
    let begun = tokio::time::Instant::now();
    readings.next().await.unwrap().unwrap();
    assert_eq!(begun.elapsed(), Duration::ZERO);
    readings.next().await.unwrap().unwrap();
    assert_eq!(begun.elapsed(), every);
    backend.stop(&id, StopOptions::default()).await.unwrap();
    assert!(readings.next().await.is_none());
    assert_eq!(begun.elapsed(), every);
}

#[tokio::test(start_paused = true)]
async fn a_program_that_blocks_its_thread_is_not_said_to_be_still() {
    let (release, blocked) = std::sync::mpsc::channel::<()>();
    let blocked = std::sync::Mutex::new(blocked);
    let blocked = std::sync::Arc::new(blocked);
    let backend = MemoryBackend::new().with_program("block", move |agent: AgentContext| {
        let blocked = blocked.clone();
        async move {
            agent.print("ready\n");
            blocked.lock().unwrap().recv().unwrap();
            0
        }
    });
    let id = AgentId::random();
    let other = std::thread::spawn({
        let (backend, id) = (backend.clone(), id.clone());
        move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_time()
                .build()
                .unwrap();
            runtime.block_on(async {
                let spec = AgentSpec::new("block", ["block"]);
                backend
                    .spawn(&id, &spec, SpawnOptions::default())
                    .await
                    .unwrap();
                alveary_core::AgentBackendExt::wait(&backend, &id)
                    .await
                    .unwrap();
            });
        }
    });
    while backend
        .logs(&id, alveary_core::LogOptions::default())
        .await
        .is_err()
    {
        std::thread::yield_now();
    }
    let logs = || backend.logs(&id, alveary_core::LogOptions::default());
    while logs()
        .await
        .unwrap()
        .collect_bytes(alveary_core::LogStreamKind::Stdout)
        .await
        .unwrap()
        .is_empty()
    {
        std::thread::yield_now();
    }
    let error = backend
        .freeze(&id, PauseOptions::default())
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert!(!backend.inspect(&id).await.unwrap().paused);
    release.send(()).unwrap();
    other.join().unwrap();
}
