//! What is mounted: programs that are not in the image, and volumes of somebody else.

use std::os::unix::fs::{PermissionsExt as _, symlink};

use alveary_core::{AgentBackendExt as _, AgentId, AgentSpec, ErrorKind, ExitStatus, SpawnOptions};

use crate::common::TestEngine;
use crate::here::{Here, both, remove_all, run_to_its_end, sh};

pub(crate) async fn a_program_may_lie_in_what_is_mounted(engine: TestEngine) {
    let here = Here::on(&engine);
    let folder = tempfile::tempdir().expect("a folder can be made");
    let program = folder.path().join("program");
    std::fs::write(&program, "#!/bin/sh\nexit 7\n").expect("it is ours");
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).expect("it is ours");
    symlink("/brought/program", folder.path().join("link")).expect("it is ours");
    let spec = |words: &[&str], source: &std::path::Path, target: &str| {
        let mut spec = AgentSpec::new("trial", words.iter().copied());
        let mount = format!("{}:{target}:ro", source.display());
        spec.container.mounts = vec![mount.parse().expect("a mount")];
        spec
    };
    for backend in [here.api().await, here.cli().await] {
        for spec in [
            spec(&["/brought/program"], folder.path(), "/brought"),
            spec(&["/brought/link"], folder.path(), "/brought"),
            spec(&["program"], folder.path(), "/brought").env("PATH", "/brought:/bin"),
            // The program alone, over something that is in no image.
            spec(&["/some/where"], &program, "/some/where"),
        ] {
            let (_, exit) = run_to_its_end(&*backend, &spec).await;
            assert_eq!(
                exit.status,
                ExitStatus::Code(7),
                "{spec:?} on {}",
                backend.kind()
            );
        }
        let absent = spec(&["/brought/absent"], folder.path(), "/brought");
        let id = AgentId::random();
        let spawned = backend.spawn(&id, &absent, SpawnOptions::default()).await;
        if engine.name == "podman" {
            // It shows what is mounted only when the agent runs, and that ends at once.
            spawned.expect("it starts");
            let exit = backend.wait(&id).await.expect("it ends");
            assert!(!exit.is_success(), "on {}: {exit}", backend.kind());
        } else {
            let error = spawned.expect_err("there is no such program");
            assert_eq!(error.kind(), ErrorKind::InvalidSpec, "{error}");
        }
        remove_all(&*backend).await;
    }
}

/// Engines would make one, empty, of whatever name.
pub(crate) async fn a_volume_that_is_not_there_is_refused_and_not_made(engine: TestEngine) {
    let here = Here::on(&engine);
    let volume = format!("{}-volume", here.prefix());
    let mut spec = sh("touch /data/written");
    spec.container.mounts = vec![format!("{volume}:/data").parse().expect("a mount")];
    let is_there = || {
        engine
            .try_client(&["volume", "inspect", &volume])
            .status
            .success()
    };
    for backend in both(&here).await {
        let kind = backend.kind();
        let spawned = (backend.spawn(&AgentId::random(), &spec, SpawnOptions::default())).await;
        let error = spawned.expect_err("there is no such volume");
        assert_eq!(error.kind(), ErrorKind::InvalidSpec, "on {kind}: {error}");
        assert!(error.to_string().contains(&volume), "on {kind}: {error}");
        assert!(error.cure().is_some(), "on {kind}: {error}");
        assert!(here.containers().is_empty(), "on {kind}");
        assert!(!is_there(), "on {kind}");
        engine.client(&["volume", "create", &volume]);
        let (_, exit) = run_to_its_end(&*backend, &spec).await;
        assert!(exit.is_success(), "on {kind}: {exit}");
        remove_all(&*backend).await;
        assert!(is_there(), "on {kind}");
        engine.client(&["volume", "rm", &volume]);
    }
}
