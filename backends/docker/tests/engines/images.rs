//! What an image says of its agents, and what a spec makes of that.

use std::time::Duration;

use alveary_core::{
    AgentBackend, AgentId, AgentSpec, ErrorKind, ExitStatus, ListOptions, SpawnOptions, StopOptions,
};
use serde_json::json;

use crate::common::TestEngine;
use crate::here::{Here, remove_all, run_to_its_end, sh, written};

pub(crate) async fn labels_of_an_image_make_nobody_an_agent_and_no_agent_another(
    engine: TestEngine,
) {
    let here = Here::on(&engine);
    let image = "alveary-test/labelled:1";
    let by_hand = format!("{}-by-hand", here.prefix());
    // All that an agent of this very swarm has but its name.
    let swarm = format!("--label=alveary.swarm={}", here.uid);
    engine.client(&[
        "run",
        "-d",
        "--net=none",
        "--name",
        &by_hand,
        &swarm,
        "--label=alveary.grace-ms=1000",
        image,
        "sleep",
        "1000",
    ]);
    for backend in [here.api().await, here.cli().await] {
        let mut spec = sh("sleep 1000");
        spec.container.image = Some(image.to_owned());
        let id = AgentId::random();
        let spawned = backend.spawn(&id, &spec, SpawnOptions::default()).await;
        let info = spawned.expect("it starts");
        let listed = backend.list(ListOptions::default()).await.expect("a list");
        assert_eq!(listed.len(), 1, "{listed:?}");
        assert_eq!((&listed[0].id, listed[0].name.as_str()), (&id, "trial"));
        assert_eq!(listed[0].incarnation, info.incarnation);
        remove_all(&*backend).await;
        let format = "--format={{.State.Running}}";
        assert_eq!(engine.client(&["inspect", format, &by_hand]), "true");
    }
    engine.client(&["rm", "-f", &by_hand]);
}

/// How the engine says that it is.
async fn becomes(engine: &TestEngine, container: &str, health: &str) {
    let deadline = tokio::time::Instant::now() + Duration::from_mins(1);
    loop {
        let said = engine.client(&["inspect", "--format={{.State.Health.Status}}", container]);
        if said == health {
            return;
        }
        assert!(tokio::time::Instant::now() < deadline, "it stays {said}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

pub(crate) async fn how_health_is_looked_at_is_the_images_until_the_spec_says_it(
    engine: TestEngine,
) {
    let here = Here::on(&engine);
    let check = |word: &str| json!({ "command": [word], "interval": "200ms", "timeout": "5s", "retries": 1 });
    for backend in [here.api().await, here.cli().await] {
        let mut looked_at = Vec::new();
        for (image, health, becomes_so) in [
            ("healthy", None, "healthy"),
            ("unhealthy", Some(check("/bin/true")), "healthy"),
            ("unhealthy", Some(json!({})), "none"),
        ] {
            let mut spec = sh("sleep 1000");
            let mut section =
                json!({ "image": format!("alveary-test/{image}:1"), "networks": ["none"] });
            if let Some(health) = &health {
                section["health"] = health.clone();
            }
            spec.container = serde_json::from_value(section).expect("a good section");
            let id = AgentId::random();
            let spawned = backend.spawn(&id, &spec, SpawnOptions::default()).await;
            spawned.expect("it starts");
            let own = if image == "healthy" {
                "/bin/true"
            } else {
                "/bin/false"
            };
            let word = match &health {
                None => own,
                Some(health) => health["command"][0].as_str().unwrap_or("NONE"),
            };
            looked_at.push((here.name_of(&id), word.to_owned(), becomes_so));
        }
        for (name, word, becomes_so) in looked_at {
            let test = engine.client(&[
                "inspect",
                "--format={{json .Config.Healthcheck.Test}}",
                &name,
            ]);
            assert!(test.contains(&word), "{test} by {}", backend.kind());
            if becomes_so != "none" {
                becomes(&engine, &name, becomes_so).await;
            }
        }
        remove_all(&*backend).await;
    }
}

/// No shell, no libraries, no `/etc`: nothing of ours needs more of an image than the agent itself.
pub(crate) async fn one_static_program_is_image_enough(engine: TestEngine) {
    let here = Here::on(&engine);
    let agent = |command: &[&str]| {
        let mut spec = AgentSpec::new("trial", command.iter().copied());
        spec.container.image = Some("alveary-test/alone:1".to_owned());
        spec
    };
    for backend in [here.api().await, here.cli().await] {
        let (id, exit) = run_to_its_end(&*backend, &agent(&["/agent", "7"])).await;
        assert_eq!(exit.status, ExitStatus::Code(7), "on {}", backend.kind());
        written(&*backend, &id, &format!("{id} is here\n")).await;

        let (id, stays) = (AgentId::random(), agent(&["/agent"]));
        let spawned = backend.spawn(&id, &stays, SpawnOptions::default()).await;
        spawned.expect("it starts");
        written(&*backend, &id, &format!("{id} is here\n")).await;
        let patient = StopOptions::default().with_grace(Duration::from_hours(1));
        let exit = backend.stop(&id, patient).await.expect("it ends");
        assert_eq!(exit.status, ExitStatus::Code(143), "on {}", backend.kind());

        let (id, shell) = (AgentId::random(), agent(&["sh", "-c", "true"]));
        let spawned = backend.spawn(&id, &shell, SpawnOptions::default()).await;
        let error = spawned.expect_err("there is no shell");
        assert_eq!(error.kind(), ErrorKind::InvalidSpec, "{error}");
        remove_all(&*backend).await;
    }
}
