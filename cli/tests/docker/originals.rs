//! Agents of the original, unchanged, in containers beside a coordinator that asks for no tokens.

use std::path::Path;

use crate::ground::Ground;

/// The polling one and the working one, with nothing but the standard library.
const PEERS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/peers");

pub(crate) fn they_join_bid_and_deliver_where_tokens_are_not_asked_for(ground: &Ground) {
    let peers = Path::new(PEERS).canonicalize().unwrap();
    let peers = peers.display();
    let file = ground.file(&format!(
        r#"
        swarm = "originals"
        [coordinator]
        auth = "none"
        auction = "3s"
        no_bids = {{ retry = 5 }}
        tasks = "tasks.jsonl"
        [defaults]
        env = {{ PYTHONPATH = "{peers}", PYTHONDONTWRITEBYTECODE = "1", PEER_INTERVAL = "0.2", TIMMY_AGENT_ID = "timmy" }}
        container = {{ image = "alveary-test/python:1", mounts = ["{peers}:{peers}:ro"] }}
        [agents.timmy]
        capabilities = ["sing"]
        command = ["python3", "-m", "swarm.agent_runner", "--agent-id", "timmy", "--name", "timmy"]
        [agents.hands]
        command = ["python3", "-m", "timmy.docker_agent"]
        "#
    ));
    let tasks = "{\"description\": \"sing \u{e4} & b\", \"capabilities\": [\"sing\"]}\n{\"description\": \"fail: no voice\"}\n";
    std::fs::write(ground.path().join("tasks.jsonl"), tasks).unwrap();
    let swarm = ground.swarm(file);
    // They live, poll and bid in time: a task that nobody hears of would have failed.
    let ran = swarm.run(&["up"]);
    let out = ran.stdout();
    let (_, out) = out.split_once("TASK ").unwrap();
    assert_eq!(out.matches("completed").count(), 2, "{ran}");
    assert!(out.contains("SING \u{c4} & B"), "{ran}");
    assert!(out.contains("Error: no voice"), "{ran}");
    for agent in swarm.agents() {
        assert_eq!(agent["exit"]["code"], 0, "{agent}");
    }
    swarm.ok(&["down"]);
}
