//! Agents that are held still.

use crate::ground::Ground;

pub(crate) fn an_agent_is_held_still_and_goes_on(ground: &Ground) {
    let file = ground.file(
        r#"
        swarm = "held"
        [defaults]
        container = { image = "alveary-test/busybox:1" }
        [agents.clock]
        command = ["sh", "-c", "n=0; while :; do n=$((n+1)); echo $n; sleep 0.05; done"]
        [agents.other]
        command = ["sleep", "1000"]
        "#,
    );
    let swarm = ground.swarm(file);
    swarm.ok(&["up", "--detach"]);
    let paused = || {
        let agents = swarm.agents();
        agents
            .iter()
            .map(|agent| agent["paused"].as_bool().unwrap())
            .collect::<Vec<_>>()
    };
    let counted = || swarm.ok(&["logs", "--no-prefix", "clock"]).lines().count();
    swarm.ok(&["pause", "clock"]);
    // Once more, by the other way.
    swarm.by(ground.other_way()).ok(&["pause", "clock"]);
    assert_eq!(paused(), [true, false]);
    // What was written before may be on its way into the log still.
    let mut before = counted();
    crate::hive::eventually("it counts no more", || {
        std::thread::sleep(std::time::Duration::from_millis(500));
        let earlier = std::mem::replace(&mut before, counted());
        (earlier == before).then_some(())
    });
    swarm.ok(&["unpause", "--all"]);
    assert_eq!(paused(), [false, false]);
    crate::hive::eventually("it counts on", || (counted() > before).then_some(()));
    swarm.ok(&["down"]);
}
