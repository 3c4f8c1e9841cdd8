//! An engine that takes every call and answers none.

use std::io::{BufRead, BufReader};
use std::os::unix::net::UnixListener;
use std::process::{Child, Stdio};

use rustix::process::Signal;

use crate::counting::{ask, said};
use crate::hive::{Hive, eventually, keeper_of, pid_of, signal};

/// A swarm on such an engine, which is waited for as long as this.
fn on_a_silent_engine(patience: &str) -> (Hive, UnixListener) {
    let hive = Hive::new("");
    let socket = hive.path().join("engine.sock");
    // Nobody takes what comes in: that is what an engine looks like that stands still.
    let engine = UnixListener::bind(&socket).unwrap();
    hive.rewrite(&format!(
        r#"
        swarm = "demo"
        backend = "docker-api"
        [backends.docker-api]
        host = "unix://{}"
        timeout = {{ ask = "{patience}" }}
        [calls.timeout]
        subscribe = "{patience}"
        list = "{patience}"
        [agents.bee]
        command = ["sleep", "1000"]
        container = {{ image = "x" }}
        "#,
        socket.display()
    ));
    (hive, engine)
}

/// Begins this, and gives where it says that numbers are.
fn serving(hive: &Hive, verb: &str) -> (Child, String) {
    let mut serving = hive
        .command()
        .args([verb, "--metrics", "127.0.0.1:0"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(serving.stderr.take().unwrap())
        .lines()
        .map(Result::unwrap);
    let url = lines.find_map(|line| said(&line)).unwrap();
    std::thread::spawn(move || lines.for_each(drop));
    (serving, url)
}

#[track_caller]
fn says_that_it_hears_nothing(url: &str) {
    let (head, body) = ask(url, "GET", "/metrics");
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    for line in [
        "alveary_swarm_engine_heard 0",
        "alveary_swarm_agents{state=\"running\"} 0",
        "alveary_swarm_reconciles_total 0",
    ] {
        assert!(body.lines().any(|found| found == line), "{line}: {body}");
    }
}

#[test]
fn numbers_are_there_while_the_engine_is_still_waited_for() {
    let (hive, _engine) = on_a_silent_engine("10m");
    for verb in ["up", "__supervise"] {
        let (mut serving, url) = serving(&hive, verb);
        says_that_it_hears_nothing(&url);
        says_that_it_hears_nothing(&url);
        assert!(serving.try_wait().unwrap().is_none(), "{verb} has ended");
        if verb == "up" {
            serving.kill().unwrap();
            serving.wait().unwrap();
        } else {
            // Who looks after a swarm ends when it is asked to, whatever the engine does.
            signal(serving.id(), Signal::TERM);
            let ended = eventually("it ends", || serving.try_wait().unwrap());
            assert_eq!(ended.code(), Some(0));
        }
    }
    // Nothing has been started that an engine could take down.
    std::fs::remove_dir_all(hive.state()).unwrap();
}

#[test]
fn an_up_gives_up_after_its_time_and_says_why() {
    let (hive, _engine) = on_a_silent_engine("1s");
    let up = hive.run(&["up", "--detach"]);
    assert_eq!(up.code(), Some(125), "{up}");
    assert!(up.stderr().contains("did not answer"), "{up}");
    assert!(up.stderr().contains("\nhelp: "), "{up}");
    assert!(hive.supervisor().is_none());
    std::fs::remove_dir_all(hive.state()).unwrap();
}

#[test]
fn numbers_are_there_while_the_keeper_stands_still() {
    let hive =
        Hive::new("swarm = \"demo\"\n[metrics]\n[agents.bee]\ncommand = [\"sleep\", \"1000\"]\n");
    let url = said(&hive.run(&["up", "--detach"]).stderr()).unwrap();
    let keeper = keeper_of(pid_of(&hive.agent("bee")));
    eventually("the supervisor has seen it run", || {
        let (_, body) = ask(&url, "GET", "/metrics");
        body.contains("alveary_swarm_agents{state=\"running\"} 1")
            .then_some(())
    });
    signal(keeper, Signal::STOP);
    let asked = std::panic::catch_unwind(|| ask(&url, "GET", "/metrics"));
    // Whatever came of it: what stands still is never taken down.
    signal(keeper, Signal::CONT);
    let (head, body) = asked.unwrap();
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    // How old that is what it tells, it tells, too.
    assert!(
        body.contains("alveary_swarm_agents{state=\"running\"} 1")
            && body.contains("\nalveary_swarm_reconcile_lag_seconds "),
        "{body}"
    );
}
