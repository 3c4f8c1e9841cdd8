//! Ends that look alike, and whose they were: memory that ran out, a KILL of somebody else's, ours; and whoever waits
//! for one that is taken away.

use std::sync::Arc;
use std::time::Duration;

use alveary_core::{
    AgentBackend, AgentBackendExt, AgentId, AgentSpec, ByteSize, EndedBy, ErrorKind, Exit,
    ExitStatus, Limits, Signal, SpawnOptions, StopOptions,
};
use tokio::sync::Notify;

use crate::common::TestEngine;
use crate::here::{Here, both, remove_all, run_to_its_end, sh, written};
use crate::listening::Listening;

/// Longer than an engine takes to tell of an end.
const PATIENCE: Duration = Duration::from_mins(1);

/// So often an engine does not lose its flag in a row.
const MOST: usize = 5;

pub(crate) async fn memory_somebody_else_and_we_are_told_apart(engine: TestEngine) {
    let here = Here::on(&engine);
    for backend in both(&here).await {
        let by = backend.kind().clone();
        ends_for_want_of_memory(&engine, &*backend).await;

        let (_, itself) = run_to_its_end(&*backend, &sh("kill -9 $$")).await;
        let killed = lives(&*backend, &sh("echo ready; exec sleep 1000")).await;
        engine.client(&["kill", &here.name_of(&killed)]);
        let outside = waited(&*backend, &killed).await.expect("it has ended");
        for exit in [itself, outside] {
            assert_eq!(exit.status, ExitStatus::Code(137), "by {by}: {exit}");
            assert!(!exit.oom, "by {by}: {exit}");
            assert_eq!(exit.by, EndedBy::Itself, "by {by}: {exit}");
        }

        let deaf = sh("trap '' TERM; echo ready; while :; do sleep 0.05; done");
        let deaf = lives(&*backend, &deaf).await;
        let options = StopOptions::default().with_grace(Duration::from_millis(200));
        let ours = backend.stop(&deaf, options).await.expect("it ends");
        let status = ExitStatus::Signal(Signal::KILL);
        assert_eq!(ours.status, status, "by {by}: {ours}");
        assert!(!ours.oom, "by {by}: {ours}");
        assert_eq!(ours.by, EndedBy::UsByForce, "by {by}: {ours}");
        remove_all(&*backend).await;
    }
}

/// Podman 4.3 on this kernel does not flag it, and Docker loses its flag now and then, above all of an agent that hardly
/// lives. Nobody guesses it in their place: what is told is what the engine says, and else there is a hint.
async fn ends_for_want_of_memory(engine: &TestEngine, backend: &dyn AgentBackend) {
    let by = backend.kind();
    // It holds in memory what it is given without end.
    let eats = AgentSpec::new("trial", ["sh", "-c", "sleep 1; exec tail /dev/zero"])
        .limits(Limits::default().memory(ByteSize::mib(16)));
    for _ in 0..MOST {
        let (id, exit) = run_to_its_end(backend, &eats).await;
        let info = backend.inspect(&id).await.expect("it has ended");
        let container = info.handle.expect("it has a container");
        let said = engine.client(&["inspect", "--format={{.State.OOMKilled}}", &container]);
        assert_eq!(exit.oom, said == "true", "by {by}: {exit}");
        let hint = exit.hint.as_deref().unwrap_or_default();
        assert_eq!(hint.contains("memory"), !exit.oom, "by {by}: {hint}");
        if exit.oom || engine.name == "podman" {
            return;
        }
    }
    panic!("by {by}: {MOST} times in a row the engine flags nothing");
}

pub(crate) async fn a_wait_ends_when_somebody_takes_the_agent_away(engine: TestEngine) {
    let here = Here::on(&engine);
    for backend in both(&here).await {
        let by = backend.kind().clone();
        let id = lives(&*backend, &sh("echo ready; exec sleep 1000")).await;
        let name = here.name_of(&id);
        let listening = Listening {
            inner: Arc::clone(&backend),
            looked: Notify::new(),
        };
        // The client runs apart, so that whoever waits goes on meanwhile.
        let taken = async {
            listening.looked.notified().await;
            let client = engine.clone();
            let removal = move || client.client(&["rm", "-f", &name]);
            let removal = tokio::task::spawn_blocking(removal).await;
            removal.expect("the engine's client removes it");
        };
        // Whether the end is heard of before there is nothing left to look at is the engine's affair.
        let (end, ()) = tokio::join!(waited(&listening, &id), taken);
        match end {
            Ok(exit) => assert_eq!(exit.status, ExitStatus::Code(137), "by {by}: {exit}"),
            Err(error) => assert_eq!(error.kind(), ErrorKind::NotFound, "by {by}: {error}"),
        }
        // From then on it is nobody.
        let error = waited(&*backend, &id).await.expect_err("it is gone");
        assert_eq!(error.kind(), ErrorKind::NotFound, "by {by}: {error}");
    }
}

async fn lives(backend: &dyn AgentBackend, spec: &AgentSpec) -> AgentId {
    let id = AgentId::random();
    let spawned = backend.spawn(&id, spec, SpawnOptions::default()).await;
    spawned.expect("it starts");
    written(backend, &id, "ready\n").await;
    id
}

async fn waited(backend: &dyn AgentBackend, id: &AgentId) -> alveary_core::Result<Exit> {
    let end = tokio::time::timeout(PATIENCE, backend.wait(id)).await;
    end.expect("a wait ends")
}
