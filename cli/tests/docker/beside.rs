//! An agent that stands in no file, and what is done beside it: a program in a terminal, and what it uses up.

use std::io::{BufRead as _, BufReader};
use std::process::Stdio;

use rustix::process::Signal;
use serde_json::Value;

use crate::common::IMAGE;
use crate::ground::Ground;
use crate::hive::{eventually, signal};
use crate::pty::Pty;

pub(crate) fn one_from_flags_is_entered_let_go_of_and_measured(ground: &Ground) {
    let swarm = ground.swarm(ground.file("swarm = \"flags\""));
    swarm.ok(&[
        "spawn", "--name", "scout", "--image", IMAGE, "-e", "KIND=one off", "--", "sh", "-c",
        "dd if=/dev/zero of=/tmp/comb bs=64k count=16 2>/dev/null; sync; echo $KIND; exec sleep 1000",
    ]);
    eventually("what it writes", || {
        (swarm.ok(&["logs", "--no-prefix", "scout"]) == "one off\n").then_some(())
    });
    let agents = swarm.agents();
    // Podman says the registry's name, too.
    let image = agents[0]["image"].as_str().unwrap();
    assert!(image.ends_with(IMAGE), "{image}");

    // Entered in a terminal, and let go of by docker's keys: the program goes on.
    let entered = swarm.command(&[
        "exec",
        "-it",
        "scout",
        "sh",
        "-c",
        "echo ready; sleep 777; echo over",
    ]);
    let mut pty = Pty::run(&entered);
    pty.expect("ready");
    pty.send(b"\x10\x11");
    pty.expect("let go: it goes on");
    assert_eq!(pty.finish().code(), Some(0), "{}", pty.shown());
    let runs = swarm.ok(&["exec", "scout", "ps"]);
    assert!(runs.contains("sleep 777"), "{runs}");

    // Measured again and again, until somebody has seen enough.
    let mut measured = swarm.command(&["stats", "--format", "json", "scout"]);
    let mut measured = measured.stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(measured.stdout.take().unwrap()).lines();
    let mut next = || -> Value { serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap() };
    let (first, second) = (next(), next());
    signal(measured.id(), Signal::INT);
    assert_eq!(measured.wait().unwrap().code(), Some(130));
    let at = |usage: &Value| usage["at"].as_str().unwrap().to_owned();
    assert!(at(&first) < at(&second), "{first} {second}");
    for usage in [first, second] {
        assert_eq!(usage["name"], "scout");
        // The agent, and what was let go of.
        assert!(usage["pids"].as_u64() >= Some(2), "{usage}");
        assert!(usage["memory"].as_u64() > Some(0), "{usage}");
        assert!(usage["cpu_seconds"].as_f64() > Some(0.0), "{usage}");
    }
}
