//! Whose what is in an engine is, when a swarm has lost its state or meets another engine.

use std::fs;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::common::{IMAGE, TestEngine};
use crate::ground::{Ground, Swarm};
use crate::hive::{Ran, finish};

const NAME: &str = "demo";

const FLEET: &str = r#"
    swarm = "demo"
    [volumes.data]
    [agents.echo]
    command = ["sleep", "1000"]
    count = 2
    [agents.echo.container]
    image = "alveary-test/busybox:1"
    mounts = ["data:/data"]
"#;

/// Every container of the engine that bears the names of this swarm and labels of ours, of whatever uid: its whole id,
/// its name, and how it stands.
fn all(engine: &TestEngine, swarm: &str) -> Vec<String> {
    let beginning = format!(" alveary-{swarm}-");
    let listed = engine.client(&[
        "ps",
        "--all",
        "--no-trunc",
        "--filter=label=alveary.swarm",
        "--format={{.ID}} {{.Names}}",
    ]);
    let mut lines: Vec<String> = (listed.lines())
        .filter(|line| line.contains(&beginning))
        .map(|line| {
            let id = line.split(' ').next().unwrap();
            let status = engine.client(&[
                "inspect",
                "--format={{.State.Status}} {{.State.StartedAt}}",
                id,
            ]);
            format!("{line} {status}")
        })
        .collect();
    lines.sort();
    lines
}

fn uid(ground: &Ground) -> String {
    let record = fs::read(ground.path().join("state/demo/swarm.json")).unwrap();
    let record: Value = serde_json::from_slice(&record).unwrap();
    record["uid"].as_str().unwrap().to_owned()
}

/// The folder is gone; who restarts agents may still write into it for a moment.
fn lose_the_state(ground: &Ground) {
    let until = Instant::now() + Duration::from_secs(20);
    let folder = ground.path().join("state");
    while fs::remove_dir_all(&folder).is_err() || folder.exists() {
        assert!(Instant::now() < until, "{} stays", folder.display());
    }
}

#[track_caller]
fn refused(ran: &Ran, parts: &[&str]) {
    assert_ne!(ran.code(), Some(0), "{ran}");
    for part in parts {
        assert!(ran.stderr().contains(part), "{part} is not in {ran}");
    }
}

fn handles(swarm: &Swarm<'_>) -> Vec<String> {
    let agents = swarm.agents();
    let mut handles: Vec<String> = (agents.iter())
        .map(|agent| agent["handle"].as_str().unwrap_or_default().to_owned())
        .collect();
    handles.sort();
    handles
}

pub(crate) fn a_swarm_whose_state_was_lost_is_told_and_taken_over(ground: &Ground) {
    let swarm = ground.swarm(ground.file(FLEET));
    swarm.ok(&["up", "--detach"]);
    let (ours, before) = (uid(ground), handles(&swarm));
    assert_eq!(before.len(), 2);
    lose_the_state(ground);

    let there = all(&ground.engine, NAME);
    let up = swarm.run(&["up", "--detach"]);
    refused(
        &up,
        &[
            "2 agents with names of this swarm",
            &ours,
            "`alveary up --adopt`",
        ],
    );
    assert!(!up.stderr().contains("3 agents"), "{up}");
    // Until it is taken over it is a stranger's, whatever is said.
    assert!(swarm.agents().iter().all(|agent| agent["handle"].is_null()));
    let stranger = "00000000-0000-4000-8000-000000000000".replace('-', "");
    let other = swarm.run(&["up", "--detach", &format!("--adopt={stranger}")]);
    refused(&other, &["nothing of the uid", &ours]);
    assert_ne!(uid(ground), ours);
    assert_eq!(all(&ground.engine, NAME), there);

    let up = swarm.run(&["up", "--detach", "--adopt"]);
    assert_eq!(up.code(), Some(0), "{up}");
    assert!(
        up.stderr()
            .contains("has taken over 2 agents, 1 networks and volumes"),
        "{up}"
    );
    assert_eq!(uid(ground), ours);
    assert_eq!(handles(&swarm), before, "they went on");
    assert_eq!(all(&ground.engine, NAME), there, "nothing else was made");
    swarm.ok(&["up", "--detach"]);
    swarm.ok(&["down", "--time", "0", "--volumes"]);
    assert!(ground.ours("volume", "demo_data").is_empty());

    // Its data outlives its agents, and its state.
    swarm.ok(&["up", "--detach"]);
    let ours = uid(ground);
    swarm.ok(&["down", "--time", "0"]);
    lose_the_state(ground);
    let up = swarm.run(&["up", "--detach"]);
    refused(
        &up,
        &[
            "the volume demo_data is there already",
            &ours,
            "`alveary up --adopt`",
        ],
    );
    swarm.ok(&["up", "--detach", "--adopt"]);
    assert_eq!(uid(ground), ours);
    assert_eq!(handles(&swarm).len(), 2);
}

pub(crate) fn another_engine_at_the_swarms_address_is_refused_and_left_alone(ground: &Ground) {
    let other = match ground.engine.name.as_str() {
        "docker-20" => "docker-new",
        _ => "docker-20",
    };
    let other = TestEngine::named(other);
    // Trials on the other engine are under way, too.
    let name = format!("moved-{}-{}", ground.engine.name, ground.way);
    let swarm = ground.swarm(ground.file(&FLEET.replace(NAME, &name)));
    swarm.ok(&["up", "--detach"]);
    let agents = swarm.agents();
    let (handle, agent) = (
        agents[0]["handle"].as_str().unwrap(),
        agents[0]["name"].as_str().unwrap(),
    );
    let here = all(&ground.engine, &name);

    // One on the other engine with all the marks of ours, its very name and its uid.
    let told = ground.engine.client(&["inspect", handle]);
    let told: Value = serde_json::from_str(&told).unwrap();
    let full_name = told[0]["Name"].as_str().unwrap().trim_start_matches('/');
    let labels = told[0]["Config"]["Labels"].as_object().unwrap();
    let labels: Vec<String> = (labels.iter())
        .map(|(key, value)| format!("--label={key}={}", value.as_str().unwrap()))
        .collect();
    let mut run = vec!["run", "--detach", "--name", full_name];
    run.extend(labels.iter().map(String::as_str));
    run.extend([IMAGE, "sleep", "1000"]);
    let twin = Twin(&other, other.client(&run));
    let there = all(&other, &name);

    let elsewhere = |args: &[&str]| {
        let mut command = swarm.command(args);
        command
            .env("DOCKER_HOST", &other.host)
            .env("CONTAINER_HOST", &other.host);
        finish(&mut command)
    };
    for args in [
        &["ps", "--all"][..],
        &["up", "--detach"],
        &["stop", agent],
        &["logs", agent],
        &["rm", "--force", agent],
        &["down", "--time", "0", "--volumes"],
    ] {
        let ran = elsewhere(args);
        refused(
            &ran,
            &[
                "is not the one that this swarm was brought up with",
                "`alveary up --adopt`",
            ],
        );
        assert!(!ran.stdout().contains(&twin.1[..12]), "{ran}");
    }
    assert_eq!(all(&other, &name), there, "nothing there was touched");
    assert_eq!(all(&ground.engine, &name), here, "nor here");

    // Whoever says so moves the swarm: what bears its marks there is its own then.
    let up = elsewhere(&["up", "--detach", "--adopt", agent]);
    assert_eq!(up.code(), Some(0), "{up}");
    refused(&swarm.run(&["ps"]), &["was brought up with"]);
    let listed = elsewhere(&["ps", "--format", "{{ handle }}"]);
    assert!(listed.stdout().contains(&twin.1), "{listed}");
    let down = elsewhere(&["down", "--time", "0", "--volumes"]);
    assert_eq!(down.code(), Some(0), "{down}");
    assert!(
        !all(&other, &name)
            .iter()
            .any(|line| line.contains(full_name))
    );
    // And where nothing of it is left, it may be anywhere.
    assert_eq!(all(&ground.engine, &name), here);
    assert_eq!(swarm.agents().len(), 2);
}

/// A container that is taken away at the end.
struct Twin<'a>(&'a TestEngine, String);

impl Drop for Twin<'_> {
    fn drop(&mut self) {
        self.0.try_client(&["rm", "--force", "--volumes", &self.1]);
    }
}
