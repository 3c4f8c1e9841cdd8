//! Restarts that are left to the engine.

use std::time::Duration;

use alveary_core::{
    AgentBackend, AgentId, AgentState, EndedBy, ErrorKind, LogOptions, LogStreamKind, Restart,
    SpawnOptions, StopOptions,
};

use crate::common::TestEngine;
use crate::here::{Here, remove_all, run_to_its_end, sh, written};

async fn starts(backend: &dyn AgentBackend, id: &AgentId) -> usize {
    let logs = backend.logs(id, LogOptions::default()).await.expect("logs");
    let output = logs
        .collect_bytes(LogStreamKind::Stdout)
        .await
        .expect("read");
    String::from_utf8_lossy(&output)
        .lines()
        .filter(|line| *line == "up")
        .count()
}

/// Podman starts anew what was ended by a signal, whoever sent it: nobody is told that it can be left to it.
async fn is_refused(here: &Here) {
    for backend in [here.api().await, here.cli().await] {
        let spec = sh("exit 3").restart(Restart::always().by_engine());
        let spawned = backend
            .spawn(&AgentId::random(), &spec, SpawnOptions::default())
            .await;
        assert_eq!(spawned.expect_err("refused").kind(), ErrorKind::Unsupported);
    }
}

pub(crate) async fn an_engine_restarts_what_is_left_to_it_and_no_oftener_than_said(
    engine: TestEngine,
) {
    let here = Here::on(&engine);
    if engine.name == "podman" {
        return is_refused(&here).await;
    }
    for backend in [here.api().await, here.cli().await] {
        let restart = Restart::on_failure()
            .by_engine()
            .at_most(2, Duration::from_mins(1));
        let spec = sh("echo up; exit 3").restart(restart);
        let (id, exit) = run_to_its_end(&*backend, &spec).await;
        assert_eq!(exit.code(), Some(3), "on {}", backend.kind());
        assert_eq!(starts(&*backend, &id).await, 3, "on {}", backend.kind());
        remove_all(&*backend).await;
    }
}

pub(crate) async fn what_is_stopped_is_not_restarted_by_the_engine(engine: TestEngine) {
    let here = Here::on(&engine);
    if engine.name == "podman" {
        return is_refused(&here).await;
    }
    for backend in [here.api().await, here.cli().await] {
        let id = AgentId::random();
        let spec = sh("trap 'exit 0' TERM; echo up; while :; do sleep 0.05; done")
            .restart(Restart::always().by_engine());
        backend
            .spawn(&id, &spec, SpawnOptions::default())
            .await
            .expect("it starts");
        written(&*backend, &id, "up\n").await;
        let exit = backend
            .stop(&id, StopOptions::default())
            .await
            .expect("it ends");
        assert_eq!(exit.by, EndedBy::Us, "on {}", backend.kind());
        // A whole other agent comes and goes: time in which an engine would have started the first anew.
        run_to_its_end(&*backend, &sh("exit 0")).await;
        let info = backend.inspect(&id).await.expect("it is there");
        assert_eq!(
            info.state,
            AgentState::Exited(exit),
            "on {}",
            backend.kind()
        );
        assert_eq!(starts(&*backend, &id).await, 1, "on {}", backend.kind());
        remove_all(&*backend).await;
    }
}

/// Between two starts there is nobody to be asked to end.
pub(crate) async fn what_is_stopped_between_two_restarts_stays_so(engine: TestEngine) {
    let here = Here::on(&engine);
    if engine.name == "podman" {
        return is_refused(&here).await;
    }
    for backend in [here.api().await, here.cli().await] {
        let id = AgentId::random();
        let spec = sh("echo up; exit 3").restart(Restart::always().by_engine());
        let options = SpawnOptions::default();
        backend.spawn(&id, &spec, options).await.expect("it starts");
        // The engine waits twice as long each time: by now, for more than a second.
        let waits = async {
            let state = ["inspect", "--format={{.RestartCount}} {{.State.Status}}"];
            loop {
                let told = engine.client(&[&state[..], &[here.name_of(&id).as_str()]].concat());
                let (count, state) = told.split_once(' ').expect("two words");
                if state == "restarting" && count.parse::<u32>().expect("a number") >= 4 {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        let patience = Duration::from_mins(1);
        tokio::time::timeout(patience, waits)
            .await
            .expect("it is to be started again");
        let stopped = backend.stop(&id, StopOptions::default()).await;
        stopped.expect("it ends");
        let info = backend.inspect(&id).await.expect("it is there");
        let said = format!("{:?} on {}", info.state, backend.kind());
        assert!(matches!(info.state, AgentState::Exited(_)), "{said}");
        // The engine neither waits any more nor is it to begin anew.
        let left = [
            "inspect",
            "--format={{.State.Status}} {{.HostConfig.RestartPolicy.Name}}",
        ];
        let left = engine.client(&[&left[..], &[here.name_of(&id).as_str()]].concat());
        assert_eq!(left, "exited no", "{said}");
        remove_all(&*backend).await;
    }
}
