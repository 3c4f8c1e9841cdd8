//! What the program's own settings say to the containers that it makes.

use std::fs;

use crate::ground::Ground;
use crate::hive::finish;

const FLEET: &str = r#"
    swarm = "demo"
    [defaults.container]
    image = "alveary-test/busybox:1"
    [agents.plain]
    command = ["sh", "-c", "env"]
    [agents.own]
    command = ["sh", "-c", "env"]
    env = { HTTP_PROXY = "http://mine.invalid:1" }
"#;

/// They are for builds and for what people run by hand; an agent's environment is what its spec says, by either way.
const SETTINGS: &str = r#"{
    "proxies": { "default": { "httpProxy": "http://theirs.invalid:1", "noProxy": "localhost" } }
}"#;

pub(crate) fn a_proxy_of_the_programs_own_settings_reaches_no_agent(ground: &Ground) {
    let swarm = ground.swarm(ground.file(FLEET));
    let settings = ground.path().join("settings");
    fs::create_dir(&settings).unwrap();
    fs::write(settings.join("config.json"), SETTINGS).unwrap();
    let mut up = swarm.command(&["up"]);
    let ran = finish(up.env("DOCKER_CONFIG", &settings));
    assert_eq!(ran.code(), Some(0), "{ran}");
    let plain = swarm.ok(&["logs", "--no-prefix", "plain"]);
    assert!(plain.contains("AGENT_NAME=plain"), "{plain}");
    assert!(!plain.to_lowercase().contains("_proxy="), "{plain}");
    let own = swarm.ok(&["logs", "--no-prefix", "own"]);
    assert!(own.contains("HTTP_PROXY=http://mine.invalid:1"), "{own}");
    assert!(!own.contains("theirs.invalid"), "{own}");
}
