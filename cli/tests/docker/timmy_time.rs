//! The whole deployment of `examples/timmy-time.toml`, on the stand-in for its image.

use std::path::Path;

use serde_json::{Value, json};

use crate::ground::Ground;
use crate::hive::eventually;

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/timmy-time.toml");

pub(crate) fn five_agents_are_what_their_dashboard_made_of_them(ground: &Ground) {
    let swarm = ground.swarm(Path::new(FILE));
    swarm.ok(&["up", "--detach"]);
    let agents = swarm.agents();
    let names: Vec<&str> = agents.iter().map(|a| a["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["echo", "seer", "forge", "quill", "mace"]);
    for agent in &agents {
        assert_eq!(agent["state"], "running", "{agent}");
        // The five that a spawn gave: container id, agent id, name, image, capabilities.
        let id = agent["agent_id"].as_str().unwrap();
        let container = inspected(ground, agent["handle"].as_str().unwrap());
        let name = container["Name"].as_str().unwrap().trim_start_matches('/');
        assert_eq!(name, format!("timmy-agent-{id}"));
        let image = agent["image"].as_str().unwrap();
        assert!(image.ends_with("timmy-time:latest"), "{image}");
        assert!(!agent["capabilities"].as_array().unwrap().is_empty());
        looks_as_it_did(ground, agent, &container);
    }
    one_volume_is_everybodys(ground, &agents);
    let said = swarm.ok(&["logs", "--no-prefix", "seer"]);
    let id = agents[1]["agent_id"].as_str().unwrap();
    assert_eq!(
        said,
        format!("Agent seer ({id}) polling http://dashboard:8000, capabilities research,predict\n")
    );

    swarm.ok(&["stop", "echo", "seer", "forge", "quill", "mace"]);
    for agent in swarm.agents() {
        assert_eq!(agent["exit"]["code"], 0, "{agent}");
        assert_eq!(agent["exit"]["cause"], "us", "{agent}");
    }
    let said = swarm.ok(&["logs", "--no-prefix", "seer"]);
    assert!(said.ends_with("shutting down\n"), "{said}");

    let uid = swarm_uid(ground, &agents[0]);
    swarm.ok(&["down"]);
    assert_eq!(ground.containers(&uid), "");
    assert!(ground.ours("network", "timmy-time_").is_empty());
    assert_eq!(
        ground.ours("volume", "timmy-time_"),
        ["timmy-time_timmy-data"]
    );
    swarm.ok(&["down", "--volumes"]);
    assert!(ground.ours("volume", "timmy-time_").is_empty());
}

fn inspected(ground: &Ground, container: &str) -> Value {
    let all = ground
        .engine
        .client(&["inspect", "--type=container", container]);
    serde_json::from_str::<Value>(&all).unwrap()[0].clone()
}

fn swarm_uid(ground: &Ground, agent: &Value) -> String {
    let container = inspected(ground, agent["handle"].as_str().unwrap());
    let uid = &container["Config"]["Labels"]["alveary.swarm"];
    uid.as_str().unwrap().to_owned()
}

/// What `docker run` was told of each, as the engine has it now.
fn looks_as_it_did(ground: &Ground, agent: &Value, container: &Value) {
    let text = |key: &str| agent[key].as_str().unwrap().to_owned();
    let (id, name) = (text("agent_id"), text("name"));
    let networks = container["NetworkSettings"]["Networks"]
        .as_object()
        .unwrap();
    assert!(
        networks.contains_key("timmy-time_swarm-net"),
        "{networks:?}"
    );
    let mounts = container["Mounts"].as_array().unwrap();
    let data = mounts
        .iter()
        .find(|mount| mount["Destination"] == "/app/data");
    assert_eq!(data.unwrap()["Name"], "timmy-time_timmy-data");
    let hosts = container["HostConfig"]["ExtraHosts"].to_string();
    assert!(hosts.contains("host.docker.internal:"), "{hosts}");
    let command = &container["Config"]["Cmd"];
    let meant = json!([
        "python",
        "-m",
        "swarm.agent_runner",
        "--agent-id",
        id,
        "--name",
        name
    ]);
    assert_eq!(command, &meant);

    // What is said in the file is over what every agent is given.
    let mace = name == "mace";
    let url = if mace {
        "http://host.docker.internal:8000"
    } else {
        "http://dashboard:8000"
    };
    let capabilities: Vec<&str> = (agent["capabilities"].as_array().unwrap().iter())
        .map(|word| word.as_str().unwrap())
        .collect();
    let capabilities = if mace {
        "security,audit".to_owned()
    } else {
        capabilities.join(",")
    };
    let inside = ground
        .engine
        .client(&["exec", agent["handle"].as_str().unwrap(), "env"]);
    for line in [
        format!("COORDINATOR_URL={url}"),
        format!("AGENT_NAME={name}"),
        format!("AGENT_ID={id}"),
        format!("AGENT_CAPABILITIES={capabilities}"),
    ] {
        assert!(
            inside.lines().any(|found| found == line),
            "{line} is not in {inside}"
        );
    }
}

/// What one writes to the shared folder another reads; the host has a name inside.
fn one_volume_is_everybodys(ground: &Ground, agents: &[Value]) {
    let in_agent = |at: usize, script: &str| {
        let container = agents[at]["handle"].as_str().unwrap();
        ground
            .engine
            .client(&["exec", container, "sh", "-c", script])
    };
    in_agent(0, "echo registered > /app/data/agents");
    // Podman's program now and then brings back nothing of what a program has written.
    eventually("what one has written is read by another", || {
        (in_agent(4, "cat /app/data/agents") == "registered").then_some(())
    });
    let hosts = in_agent(0, "cat /etc/hosts");
    assert!(hosts.contains("host.docker.internal"), "{hosts}");
}
