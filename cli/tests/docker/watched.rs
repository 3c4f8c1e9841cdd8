//! `up --watch` on an engine: a file that is mounted changes, and whoever has it is started again.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::common::IMAGE;
use crate::ground::{Ground, Swarm};
use crate::hive::eventually;
use crate::pty::Pty;

/// Writes a file as editors do: another one, put in its place.
fn replace(path: &Path, text: &str) {
    let draft = path.with_extension("draft");
    fs::write(&draft, text).unwrap();
    fs::rename(draft, path).unwrap();
}

/// Which start this is of each, in the order of the file.
fn starts(swarm: &Swarm<'_>) -> Vec<Value> {
    let agents = swarm.agents().into_iter();
    agents.map(|agent| agent["incarnation"].clone()).collect()
}

pub(crate) fn whoever_has_a_file_mounted_that_changes_is_started_again_and_nobody_else(
    ground: &Ground,
) {
    let [recipe, rules] = ["recipe", "rules"].map(|name| ground.path().join(name));
    fs::write(&recipe, "honey\n").unwrap();
    fs::write(&rules, "none\n").unwrap();
    let agent = |name: &str, file: &Path| {
        let file = file.display();
        format!(
            r#"
            [agents.{name}]
            command = ["sh", "-c", "echo it says $(cat /file); exec sleep 1000"]
            container = {{ image = "{IMAGE}", mounts = ["{file}:/file:ro"] }}
            stop = {{ grace = "0s" }}
            "#
        )
    };
    let (cook, judge) = (agent("cook", &recipe), agent("judge", &rules));
    let swarm = ground.swarm(ground.file(&format!("swarm = \"watched\"{cook}{judge}")));
    let mut pty = Pty::run(&swarm.command(&["up", "--watch", "--color", "never"]));
    pty.expect("cook  | it says honey");
    pty.expect("judge | it says none");
    let before = starts(&swarm);

    // In its place: the container has the same file, and reads it anew.
    fs::write(&recipe, "wax\n").unwrap();
    pty.expect("recipe has changed");
    pty.expect("cook  | it says wax");
    let written = starts(&swarm);
    assert_ne!(written[0], before[0]);
    assert_eq!(written[1], before[1]);

    // Replaced: that is another file, which only another start of it has.
    replace(&rules, "one\n");
    pty.expect("judge | it says one");
    let replaced = starts(&swarm);
    assert_eq!(replaced[0], written[0]);
    assert_ne!(replaced[1], written[1]);

    // What is not mounted is nobody's.
    fs::write(ground.path().join("letter"), "dear bees\n").unwrap();
    replace(&recipe, "jelly\n");
    pty.expect("cook  | it says jelly");
    assert_eq!(starts(&swarm)[1], replaced[1]);
    assert!(!pty.shown().contains("letter"), "{}", pty.shown());

    pty.send(b"\x03");
    assert_eq!(pty.finish().code(), Some(130), "{}", pty.shown());
    eventually("nobody runs", || {
        let ended = |agent: &Value| agent["state"] == "exited";
        swarm.agents().iter().all(ended).then_some(())
    });
}
