//! What somebody does to an agent's container with the engine's own program.

use serde_json::Value;

use crate::ground::{Ground, Swarm};
use crate::hive::eventually;

/// Two that a supervisor looks after.
fn up(ground: &Ground) -> Swarm<'_> {
    let file = ground.file(
        r#"
        swarm = "past-us"
        [agents.bee]
        count = 2
        command = ["sh", "-c", "trap 'exit 0' TERM; while :; do sleep 0.1; done"]
        container = { image = "alveary-test/busybox:1" }
        restart = { policy = "always", delay = "100ms" }
        "#,
    );
    let swarm = ground.swarm(file);
    swarm.ok(&["up", "--detach"]);
    swarm
}

fn bee(swarm: &Swarm<'_>, number: usize) -> Value {
    swarm.agents().swap_remove(number - 1)
}

fn handle(agent: &Value) -> &str {
    agent["handle"].as_str().unwrap()
}

pub(crate) fn whom_an_engine_is_told_to_run_again_is_looked_after_as_before(ground: &Ground) {
    let swarm = up(ground);
    let (first, second) = (bee(&swarm, 1), bee(&swarm, 2));
    ground
        .engine
        .client(&["restart", "--time", "1", handle(&first)]);
    // Where the engine takes its time between the end and the start, we may be faster.
    let runs = || {
        let now = bee(&swarm, 1);
        (now["state"] == "running").then_some(now)
    };
    let again = eventually("it runs again", runs);
    ground.engine.client(&["kill", handle(&again)]);
    let started = eventually("it is started again", || {
        runs().filter(|now| now["handle"] != again["handle"])
    });
    assert!(started["restarts"] != 0, "{started}");
    assert_eq!(
        bee(&swarm, 2)["handle"],
        second["handle"],
        "the other is left alone"
    );
}

pub(crate) fn whom_somebody_removes_in_the_engine_is_started_again(ground: &Ground) {
    let swarm = up(ground);
    let first = bee(&swarm, 1);
    ground.engine.client(&["rm", "--force", handle(&first)]);
    let again = eventually("it is started again", || {
        let now = bee(&swarm, 1);
        (now["state"] == "running" && now["handle"] != first["handle"]).then_some(now)
    });
    assert_eq!(again["restarts"], 1, "{again}");
    // One that is not to run is not.
    swarm.ok(&["stop", "bee-1"]);
    ground.engine.client(&["rm", "--force", handle(&again)]);
    swarm.ok(&["stop", "bee-1"]);
    swarm.ok(&["rm", "bee-1"]);
}
