//! What ran under compose before.

use std::fs;
use std::net::TcpListener;
use std::process::Stdio;

use serde_json::Value;

use crate::ground::{Ground, Swarm};
use crate::hive::{eventually, finish};

fn composed(port: u16) -> String {
    format!(
        r#"
        services:
          hive:
            image: busybox
            command: ["httpd", "-f", "-p", "8080", "-h", "/combs"]
            ports: ["127.0.0.1:{port}:8080"]
            volumes: ["combs:/combs"]
            restart: unless-stopped
          forager:
            image: busybox
            command:
              - sh
              - -c
              - until wget -q -O /tmp/came http://hive:8080/nectar; do sleep 0.1; done; echo "came home with $$(cat /tmp/came) $$KIND"; exec sleep 1000
            environment:
              KIND: of clover
            deploy:
              replicas: 2
            depends_on: [hive]
        volumes:
          combs:
        "#
    )
}

/// Nothing listens there now.
fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

fn named<'a>(agents: &'a [Value], name: &str) -> &'a Value {
    let found = agents.iter().find(|agent| agent["name"] == name);
    found.unwrap_or_else(|| panic!("{name} is not among {agents:?}"))
}

fn start(agent: &Value) -> (String, u64) {
    let text = |key: &str| agent[key].as_str().unwrap_or_default().to_owned();
    (
        text("incarnation"),
        agent["restarts"].as_u64().unwrap_or_default(),
    )
}

/// Services find each other by their names, and what a network, a volume and a published port were they are again.
/// Whether an agent is up, and whether it still is, is seen at the port that its container publishes, and by a program in it.
pub(crate) fn a_compose_file_comes_up_is_looked_at_and_goes(ground: &Ground) {
    let _busybox = ground.busybox();
    let port = free_port();
    fs::write(ground.path().join("compose.yaml"), composed(port)).unwrap();
    let made =
        finish(
            ground
                .command()
                .args(["import", "compose.yaml", "--output", "alveary.toml"]),
        );
    assert_eq!(made.code(), Some(0), "{made}");
    let file = ground.path().join("alveary.toml");
    let imported = fs::read_to_string(&file).unwrap();
    let looked_at = format!(
        r#"
[agents.hive.ready]
http = "http://127.0.0.1:{port}/nectar"

[agents.hive.alive]
http = "http://127.0.0.1:{port}/nectar"
interval = "200ms"
failures = 2

[agents.forager.ready]
command = ["test", "-s", "/tmp/came"]
"#
    );
    fs::write(&file, imported + &looked_at).unwrap();
    let swarm = ground.swarm(&file);
    let mut up = swarm.command(&["up", "--detach", "--wait"]);
    let up = up
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // There is no nectar yet, and the foragers wait for it.
    let hive = eventually("the hive runs and is not ready", || {
        let agents = swarm.agents();
        let hive = agents.iter().find(|agent| agent["name"] == "hive")?.clone();
        (hive["state"] == "running" && hive["ready"] == false).then_some(hive)
    });
    let waits = |agent: &Value| agent["group"] != "forager" || agent["state"] == "pending";
    assert!(swarm.agents().iter().all(waits));
    nectar(&swarm, "thyme");
    let up = up.wait_with_output().unwrap();
    assert!(up.status.success(), "{up:?}");
    let agents = swarm.agents();
    assert!(
        agents.iter().all(|agent| agent["ready"] == true),
        "{agents:?}"
    );
    for forager in ["forager-1", "forager-2"] {
        let said = swarm.ok(&["logs", "--no-prefix", forager]);
        assert_eq!(said, "came home with thyme of clover\n", "{forager}");
    }

    // Its program runs, and does not do its work any more.
    swarm.ok(&["exec", "hive", "rm", "/combs/nectar"]);
    eventually("the hive is started again", || {
        let agents = swarm.agents();
        let now = named(&agents, "hive");
        (start(now).0 != start(&hive).0 && now["restarts"].as_u64() >= Some(1)).then_some(())
    });
    nectar(&swarm, "heather");
    eventually("the hive is ready again", || {
        let agents = swarm.agents();
        (named(&agents, "hive")["ready"] == true).then_some(())
    });
}

/// What is in the volume outlives a container that is started again while it is written.
fn nectar(swarm: &Swarm<'_>, kind: &str) {
    let script = format!("echo {kind} >/combs/new; mv /combs/new /combs/nectar");
    eventually("there is nectar", || {
        (swarm.run(&["exec", "hive", "sh", "-c", &script]).code() == Some(0)).then_some(())
    });
}
