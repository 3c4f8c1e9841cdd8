//! What happens in a swarm, told to whoever listens.

use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};
use std::sync::mpsc;

use rustix::process::Signal;
use serde_json::Value;

use crate::hive::{Hive, PATIENCE, keeper_of, pid_of, signal};

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
    let listening = Listening::to(&hive, "lives");
    let until = |event, states: &[&str]| loop {
        let told = listening.next(event);
        assert_eq!(told["name"], "lives", "{told}");
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
}

#[test]
fn what_was_missed_while_nothing_was_heard_is_told_afterwards() {
    let hive = Hive::new(TWO);
    hive.ok(&["up", "-d"]);
    let listening = Listening::to_one_that_lives(&hive);
    let agent = pid_of(&hive.agent("lives"));
    let keeper = keeper_of(agent);
    // The keeper does not come to tell of this end any more.
    signal(keeper, Signal::STOP);
    signal(agent, Signal::KILL);
    signal(keeper, Signal::KILL);
    let lost = listening.next("nothing is heard");
    assert_eq!(lost["event"], "lost", "{lost}");
    assert_eq!(lost["name"], "process", "{lost}");
    assert!(lost["agent"].is_null(), "{lost}");
    assert!(lost["what"].as_str().unwrap().contains("keeper"), "{lost}");
    let ended = listening.next("it has ended");
    assert_eq!(ended["event"], "changed", "{ended}");
    assert_eq!(ended["name"], "lives", "{ended}");
    assert_eq!(ended["agent"]["state"], "exited", "{ended}");
    // And it goes on to listen.
    hive.ok(&["rm", "lives"]);
    let removed = listening.next("it is removed");
    assert_eq!(removed["event"], "removed", "{removed}");
}

#[test]
fn one_that_the_engine_has_no_more_is_told_of_where_nobody_has_removed_it() {
    let hive = Hive::new(TWO);
    hive.ok(&["up", "-d"]);
    let listening = Listening::to_one_that_lives(&hive);
    let agent = pid_of(&hive.agent("lives"));
    let keeper = keeper_of(agent);
    signal(keeper, Signal::STOP);
    // As if nothing had ever come of what was meant.
    std::fs::remove_file(hive.state().join("demo/process/journal")).unwrap();
    signal(agent, Signal::KILL);
    signal(keeper, Signal::KILL);
    assert_eq!(listening.next("nothing is heard")["event"], "lost");
    let gone = listening.next("it is not there");
    assert_eq!(gone["event"], "changed", "{gone}");
    assert_eq!(gone["what"], "pending", "{gone}");
    hive.ok(&["up", "-d", "lives"]);
    loop {
        let told = listening.next("it is there again");
        assert_eq!(told["event"], "changed", "{told}");
        if told["agent"]["state"] == "running" {
            return;
        }
    }
}

/// Somebody who listens, until this is dropped.
struct Listening {
    program: Child,
    lines: mpsc::Receiver<String>,
}

impl Listening {
    /// To what happens to `lives` from now on, once it is told of its start.
    fn to_one_that_lives(hive: &Hive) -> Self {
        let listening = Self::to(hive, "lives");
        assert_eq!(listening.next("it was made")["event"], "created");
        assert_eq!(listening.next("it was started")["event"], "started");
        listening
    }

    /// To what happens to this agent, and what has happened before.
    fn to(hive: &Hive, name: &str) -> Self {
        let mut program = hive
            .command()
            .args(["events", "--format", "json", "--since", "1h", name])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let stdout = BufReader::new(program.stdout.take().unwrap());
        let (tell, lines) = mpsc::channel();
        std::thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                let _ = tell.send(line);
            }
        });
        Self { program, lines }
    }

    /// What is told next.
    #[track_caller]
    fn next(&self, what: &str) -> Value {
        let line = self.lines.recv_timeout(PATIENCE);
        let line = line.unwrap_or_else(|_| panic!("it is never told: {what}"));
        serde_json::from_str(&line).unwrap()
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        let _ = self.program.kill();
        let _ = self.program.wait();
    }
}
