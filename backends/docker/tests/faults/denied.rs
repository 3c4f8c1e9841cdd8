//! A user who may not use the engine's socket.

use std::process::{ExitCode, Stdio};

use alveary_core::{AgentId, AgentSpec, ErrorKind, SpawnOptions, SwarmUid};
use libtest_mimic::{Completion, Trial};
use tokio::process::Command;

use crate::common::TestEngine;
use crate::ground::{self, Limits, Way};
use crate::{block_on, trial};

const AS_NOBODY: &str = "--as-a-user-who-may-not";

/// Nobody's number, in every Debian.
const NOBODY: u32 = 65534;

pub(crate) fn trials() -> Vec<Trial> {
    let told = |name: &str, by_program: bool| {
        let name = format!("{name}::a_user_who_may_not_use_the_socket_is_told_so_with_the_cure");
        trial(name, move |engine| async move {
            if !rustix::process::geteuid().is_root() {
                return Ok(Completion::ignored_with(
                    "to become another user needs root",
                ));
            }
            refused(&engine, by_program).await;
            Ok(Completion::Completed)
        })
    };
    vec![told("socket", false), told("docker-cli", true)]
}

async fn refused(engine: &TestEngine, by_program: bool) {
    // Not by its path, of which a folder may be closed to others.
    let output = Command::new("/proc/self/exe")
        .arg(AS_NOBODY)
        .arg(&engine.host)
        .args(by_program.then(|| engine.program()))
        .current_dir("/")
        .env("HOME", "/nonexistent")
        .uid(NOBODY)
        .gid(NOBODY)
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let output = output.await.unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}{errors}");
}

/// Becomes who may not, where this program was started as one, and is content with being told so.
pub(crate) fn nobody_if_asked() -> Option<ExitCode> {
    let mut arguments = std::env::args().skip(1);
    if arguments.next()? != AS_NOBODY {
        return None;
    }
    let host = arguments.next()?;
    let way = arguments.next().map_or(Way::Api, Way::Cli);
    let state = tempfile::tempdir().unwrap();
    block_on(async {
        let swarm = SwarmUid::random();
        let backend = ground::connect(&way, &host, swarm, Limits::SHORT, state.path()).await;
        let (id, spec) = (AgentId::random(), AgentSpec::new("a", ["true"]));
        let spawned = backend.spawn(&id, &spec, SpawnOptions::default());
        for error in [
            backend.check().await.map(|_| ()).unwrap_err(),
            spawned.await.map(|_| ()).unwrap_err(),
        ] {
            assert_eq!(error.kind(), ErrorKind::PermissionDenied, "{error}");
            let cure = error.cure().unwrap_or_default();
            assert!(cure.contains("join the group"), "{error}");
        }
    });
    Some(ExitCode::SUCCESS)
}
