//! What happens in a swarm, told to whoever listens.

use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::sync::mpsc;

use serde_json::Value;

use crate::hive::{Hive, PATIENCE};

const TWO: &str = r#"
    swarm = "demo"
    [agents.lives]
    command = ["sleep", "1000"]
    [agents.ended]
    command = ["sh", "-c", "exit 3"]
"#;

#[test]
fn what_has_happened_is_told_of_those_that_are_there() {
    let hive = Hive::new(TWO);
    hive.ok(&["up", "-d"]);
    hive.run(&["wait", "ended"]);
    let told = hive.ok(&["events", "--since", "1h", "--no-follow", "ended"]);
    let words: Vec<Vec<&str>> = told
        .lines()
        .map(|line| line.split(' ').skip(1).collect())
        .collect();
    assert_eq!(words[0], ["created", "ended"], "{told}");
    assert_eq!(words[1], ["started", "ended"], "{told}");
    assert_eq!(
        words[2],
        ["ended", "ended", "exited", "with", "code", "3"],
        "{told}"
    );
    assert_eq!(words.len(), 3, "{told}");
    // In the order in which it happened, of everybody.
    let told = hive.ok(&["events", "--since", "1h", "--no-follow"]);
    let times: Vec<&str> = told
        .lines()
        .filter_map(|line| line.split(' ').next())
        .collect();
    assert!(times.is_sorted() && times.len() == 5, "{told}");
    assert_eq!(hive.ok(&["events", "--since", "0s", "--no-follow"]), "");
}

#[test]
fn what_another_shell_does_is_told_as_it_happens() {
    let hive = Hive::new(TWO);
    hive.ok(&["up", "-d"]);
    let mut listening = hive
        .command()
        .args(["events", "--format", "json", "--since", "1h", "lives"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let stdout = BufReader::new(listening.stdout.take().unwrap());
    let (tell, lines) = mpsc::channel();
    let reader = std::thread::spawn(move || {
        for line in stdout.lines().map_while(Result::ok) {
            let _ = tell.send(line);
        }
    });
    let until = |event: &str, states: &[&str]| loop {
        let line = lines.recv_timeout(PATIENCE).expect(event);
        let told: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(told["name"], "lives", "{line}");
        let state = told["agent"]["state"].as_str().unwrap();
        if told["event"] == event && (states.is_empty() || states.contains(&state)) {
            return;
        }
    };
    // Then it listens.
    until("started", &["running"]);
    hive.ok(&["stop", "lives"]);
    until("changed", &["exited"]);
    hive.ok(&["up", "-d", "lives"]);
    until("changed", &["running"]);
    hive.ok(&["rm", "-f", "lives"]);
    until("removed", &[]);
    listening.kill().unwrap();
    listening.wait().unwrap();
    reader.join().unwrap();
}
