//! What engines refuse, and what they do that nobody would guess, by either way.

use std::time::Duration;

use alveary_core::{
    AgentId, AgentSpec, EndedBy, ErrorKind, ExitStatus, ListOptions, LogOptions, LogStreamKind,
    Signal, SpawnOptions, Stop, StopOptions,
};

use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;

use crate::common::TestEngine;
use crate::here::{Here, both, remove_all, run_to_its_end, sh, written};

fn with(section: serde_json::Value) -> AgentSpec {
    let mut spec = sh("sleep 1000");
    spec.container = serde_json::from_value(section).expect("a good section");
    spec
}

pub(crate) async fn what_an_engine_refuses_is_told_with_its_kind_and_leaves_nothing(
    engine: TestEngine,
) {
    let here = Here::on(&engine);
    let json = |value| with(value);
    let mut refused = vec![
        (
            "an image",
            ErrorKind::ImageNotFound,
            json(serde_json::json!({ "image": "alveary-test/absent:1", "pull": "never" })),
        ),
        (
            "a network",
            ErrorKind::InvalidSpec,
            json(serde_json::json!({ "networks": ["alveary-absent"] })),
        ),
        (
            "a path",
            ErrorKind::InvalidSpec,
            json(serde_json::json!({ "mounts": ["/nonexistent/alveary:/data"] })),
        ),
        (
            "a user",
            ErrorKind::InvalidSpec,
            json(serde_json::json!({ "user": "alveary-absent" })),
        ),
        (
            "a program",
            ErrorKind::InvalidSpec,
            AgentSpec::new("trial", ["alveary-absent"]),
        ),
        (
            "a program that is a folder",
            ErrorKind::InvalidSpec,
            AgentSpec::new("trial", ["/etc"]),
        ),
        (
            "an entrypoint",
            ErrorKind::InvalidSpec,
            json(serde_json::json!({ "entrypoint": ["/absent"] })),
        ),
        ("a program, without an init", ErrorKind::InvalidSpec, {
            let mut spec = json(serde_json::json!({ "init": false }));
            spec.command = vec!["/absent".to_owned()];
            spec
        }),
        (
            "an image by no name",
            ErrorKind::InvalidSpec,
            json(serde_json::json!({ "image": "Alveary-Test/AGENT:1" })),
        ),
        (
            "a capability",
            ErrorKind::InvalidSpec,
            json(serde_json::json!({ "cap_add": ["ALVEARY"] })),
        ),
    ];
    // Podman takes more than there are for all.
    if engine.name != "podman" {
        let mut spec = sh("sleep 1000");
        spec.limits.cpus = Some(4000.0);
        refused.push(("processors", ErrorKind::InvalidSpec, spec));
    }
    for backend in both(&here).await {
        for (what, kind, spec) in &refused {
            let id = AgentId::random();
            let spawned = backend.spawn(&id, spec, SpawnOptions::default()).await;
            let error = spawned.expect_err(what);
            assert_eq!(error.kind(), *kind, "{what} on {}: {error}", backend.kind());
            assert!(error.cure().is_some(), "{error}");
            assert_eq!(
                here.containers(),
                Vec::<String>::new(),
                "{what} leaves nothing"
            );
        }
    }
}

pub(crate) async fn the_images_own_stop_signal_is_sent_where_the_spec_names_none(
    engine: TestEngine,
) {
    let here = Here::on(&engine);
    let says_which = "trap 'exit 7' TERM; trap 'exit 8' HUP; trap 'exit 9' USR1; echo ready; while :; do sleep 0.05; done";
    for backend in both(&here).await {
        for (named, code) in [(None, 9), (Some(Signal::HUP), 8), (Some(Signal::TERM), 7)] {
            let mut spec = sh(says_which);
            spec.container.image = Some("alveary-test/stop-usr1:1".to_owned());
            if let Some(signal) = named {
                spec = spec.stop(Stop::default().signal(signal));
            }
            let id = AgentId::random();
            let spawned = backend.spawn(&id, &spec, SpawnOptions::default()).await;
            spawned.expect("it starts");
            written(&*backend, &id, "ready\n").await;
            let patient = StopOptions::default().with_grace(Duration::from_hours(1));
            let exit = backend.stop(&id, patient).await.expect("it ends");
            let said = format!("{named:?} on {}", backend.kind());
            assert_eq!(exit.status, ExitStatus::Code(code), "{said}");
            assert_eq!(exit.by, EndedBy::Us, "{said}");
        }
        remove_all(&*backend).await;
    }
}

pub(crate) async fn the_host_has_an_address_by_the_name_that_is_given_to_it(engine: TestEngine) {
    let here = Here::on(&engine);
    for backend in both(&here).await {
        let listener = TcpListener::bind(("0.0.0.0", 0)).await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let host = tokio::spawn(async move {
            while let Ok((mut asked, _)) = listener.accept().await {
                // Whoever asks may be gone.
                let _ = asked.write_all(b"the host\n").await;
            }
        });
        let mut spec = sh(&format!("nc host.docker.internal {port} </dev/null"));
        spec.container.extra_hosts = vec!["host.docker.internal:host-gateway".to_owned()];
        let (id, _) = run_to_its_end(&*backend, &spec).await;
        let output = written(&*backend, &id, "\n").await;
        host.abort();
        let said = String::from_utf8_lossy(&output);
        assert_eq!(said, "the host\n", "by {}", backend.kind());
        remove_all(&*backend).await;
    }
}

pub(crate) async fn an_agent_that_dies_for_want_of_a_capability_is_told_which(engine: TestEngine) {
    let here = Here::on(&engine);
    for backend in both(&here).await {
        for (script, capabilities) in [
            ("touch /tmp/a && chown 7:7 /tmp/a", &["CHOWN"][..]),
            ("ping -c 1 -w 2 127.0.0.1", &["NET_RAW"]),
            ("su agent -s /bin/sh -c true", &["KILL", "SETGID", "SETUID"]),
            (
                "touch /tmp/a && chmod 0 /tmp/a && cat /tmp/a",
                &["DAC_OVERRIDE"],
            ),
            ("echo Operation not permitted; exit 0", &[]),
        ] {
            let (id, exit) = run_to_its_end(&*backend, &sh(script)).await;
            let quoted: Vec<String> = (capabilities.iter())
                .map(|name| format!("\"{name}\""))
                .collect();
            let what = match capabilities {
                [] => None,
                [_] => Some("a capability"),
                _ => Some("capabilities"),
            };
            let expected = what.map(|what| {
                let list = quoted.join(", ");
                format!("perhaps it needs {what}: container.cap_add = [{list}]")
            });
            let said = format!("`{script}` on {}: {exit}", backend.kind());
            assert_eq!(exit.hint, expected, "{said}");
            // Whoever asks later, and however, is told the same.
            let listed = backend.list(ListOptions::default()).await.expect("a list");
            assert_eq!(listed[0].exit(), Some(&exit));
            let stopped = backend.stop(&id, StopOptions::default()).await;
            assert_eq!(stopped.expect("it has ended"), exit);
            let other = here.api().await.list(ListOptions::default()).await;
            assert_eq!(other.expect("a list")[0].exit(), Some(&exit));
            remove_all(&*backend).await;
            // It is no guess: with them, the agent does not die.
            if let Some(what) = what {
                let mut given = sh(script);
                given.container.cap_add = capabilities.iter().map(|&name| name.into()).collect();
                let (id, exit) = run_to_its_end(&*backend, &given).await;
                let logs = backend.logs(&id, LogOptions::default()).await;
                let said = logs.expect("logs").collect_bytes(LogStreamKind::Stderr);
                let said = String::from_utf8_lossy(&said.await.expect("read")).into_owned();
                let kind = backend.kind();
                assert!(exit.is_success(), "with {what}, by {kind}: {exit}: {said}");
            }
            remove_all(&*backend).await;
        }
    }
}

pub(crate) async fn one_that_dies_at_once_is_told_with_its_last_words(engine: TestEngine) {
    let here = Here::on(&engine);
    for backend in both(&here).await {
        let (id, exit) = run_to_its_end(&*backend, &sh("echo one; ls /absent; exit 3")).await;
        let said = format!("on {}: {exit}", backend.kind());
        let hint = exit.hint.clone().unwrap_or_default();
        assert!(hint.starts_with("it wrote last: "), "{said}");
        // Two streams have no order among them.
        assert!(hint.contains("one"), "{said}");
        assert!(hint.contains("ls: /absent: No such file"), "{said}");
        let told = backend.inspect(&id).await.expect("it is there");
        assert_eq!(told.exit(), Some(&exit));
        let (_, quiet) = run_to_its_end(&*backend, &sh("exit 3")).await;
        assert_eq!(quiet.hint, None, "on {}", backend.kind());
        let absent = AgentSpec::new("trial", ["alveary-absent"]);
        let id = AgentId::random();
        let spawned = backend.spawn(&id, &absent, SpawnOptions::default());
        let error = spawned.await.expect_err("it is not there");
        assert!(error.to_string().contains("alveary-absent"), "{error}");
        remove_all(&*backend).await;
    }
}
