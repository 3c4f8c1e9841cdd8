//! Where agents are reached.

use serde_json::json;

use crate::ground::Ground;

const FLEET: &str = r#"
    swarm = "demo"
    [defaults.container]
    image = "alveary-test/busybox:1"
    [agents.open]
    command = ["sleep", "1000"]
    container = { ports = ["127.0.0.1:0:80"] }
    [agents.closed]
    command = ["sleep", "1000"]
"#;

pub(crate) fn where_an_agent_is_reached_is_shown_to_people_and_programs(ground: &Ground) {
    let swarm = ground.swarm(ground.file(FLEET));
    swarm.ok(&["up", "--detach"]);
    let [open, closed] = &swarm.agents()[..] else {
        panic!("two agents");
    };
    let handle = open["handle"].as_str().unwrap();
    let format =
        "--format={{with index .NetworkSettings.Ports \"80/tcp\"}}{{(index . 0).HostPort}}{{end}}";
    let published = ground.engine.client(&["inspect", format, handle]);
    let host = format!("127.0.0.1:{published}");
    assert_eq!(
        open["ports"],
        json!([{ "container": 80, "protocol": "tcp", "host": host }])
    );
    assert_eq!(closed["ports"], json!([]));
    let inspected = swarm.ok(&["inspect", "--format", "{{ ports[0].host }}", "open"]);
    assert_eq!(inspected.trim(), host);

    let table = swarm.ok(&["ps"]);
    assert!(table.lines().next().unwrap().contains("PORTS"), "{table}");
    assert!(table.contains(&format!("{host}->80/tcp")), "{table}");
    let without = swarm.ok(&["ps", "--filter", "name=closed"]);
    assert!(without.contains("closed"), "{without}");
    assert!(!without.contains("PORTS"), "{without}");
}
