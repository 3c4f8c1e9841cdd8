//! An engine that takes every call and answers none.

use std::io::{BufRead, BufReader};
use std::os::unix::net::UnixListener;
use std::process::{Child, Stdio};

use rustix::process::Signal;

use crate::counting::{ask, said};
use crate::hive::{Hive, eventually, keeper_of, pid_of, signal};
use crate::pty::Pty;

/// A swarm on such an engine.
struct Silent {
    hive: Hive,
    _engine: UnixListener,
}

impl Silent {
    /// The engine is waited for as long as this.
    fn engine(patience: &str) -> Self {
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
        Self {
            hive,
            _engine: engine,
        }
    }
}

impl Drop for Silent {
    fn drop(&mut self) {
        // Nothing has been started that an engine could take down, and this one would not.
        let _ = std::fs::remove_dir_all(self.hive.state());
    }
}

/// A program that goes on, and ends with this whatever comes of a trial.
struct Going(Child);

impl Drop for Going {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Begins this, and gives where it says that numbers are.
fn serving(hive: &Hive, verb: &str) -> (Going, String) {
    let mut serving = hive
        .command()
        .args([verb, "--metrics", "127.0.0.1:0"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let stderr = serving.stderr.take().unwrap();
    let serving = Going(serving);
    let mut lines = BufReader::new(stderr).lines().map(Result::unwrap);
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
    let silent = Silent::engine("10m");
    for verb in ["up", "__supervise"] {
        let (mut serving, url) = serving(&silent.hive, verb);
        says_that_it_hears_nothing(&url);
        says_that_it_hears_nothing(&url);
        assert!(serving.0.try_wait().unwrap().is_none(), "{verb} has ended");
        if verb == "__supervise" {
            // Who looks after a swarm ends when it is asked to, whatever the engine does.
            signal(serving.0.id(), Signal::TERM);
            let ended = eventually("it ends", || serving.0.try_wait().unwrap());
            assert_eq!(ended.code(), Some(0));
        }
    }
}

#[test]
fn an_up_gives_up_after_its_time_and_says_why() {
    let silent = Silent::engine("1s");
    let up = silent.hive.run(&["up", "--detach"]);
    assert_eq!(up.code(), Some(125), "{up}");
    assert!(up.stderr().contains("did not answer"), "{up}");
    assert!(up.stderr().contains("\nhelp: "), "{up}");
    assert!(silent.hive.supervisor().is_none());
}

/// Waits until Ctrl-C does what this program has it do.
fn listens_to_ctrl_c(pty: &Pty) {
    let status = format!("/proc/{}/status", pty.pid());
    let number = Signal::INT.as_raw();
    eventually("it listens to Ctrl-C", || {
        let status = std::fs::read_to_string(&status).unwrap();
        let caught = status
            .lines()
            .find_map(|line| line.strip_prefix("SigCgt:"))?;
        let caught = u64::from_str_radix(caught.trim(), 16).unwrap();
        (caught >> (number - 1) & 1 == 1).then_some(())
    });
}

#[test]
fn a_second_ctrl_c_waits_for_no_engine_and_says_what_may_be_left() {
    let silent = Silent::engine("10m");
    let mut pty = Pty::run(silent.hive.command().arg("up"));
    listens_to_ctrl_c(&pty);
    pty.send(b"\x03");
    pty.expect("Ctrl-C once more");
    pty.send(b"\x03");
    assert_eq!(pty.finish().code(), Some(130), "{}", pty.shown());
    let shown = pty.shown();
    let left = shown.lines().find(|line| line.contains("may go on"));
    assert!(
        left.is_some_and(|line| line.contains("`alveary ps`") && line.contains("does not answer")),
        "{shown}"
    );
    assert!(!shown.contains("error:"), "{shown}");
}

#[test]
fn a_second_ctrl_c_waits_for_no_keeper_that_stands_still() {
    let hive = Hive::new("swarm = \"demo\"\n[agents.bee]\ncommand = [\"sleep\", \"1000\"]\n");
    let mut pty = Pty::run(hive.command().arg("up"));
    pty.expect("bee started");
    let bee = pid_of(&hive.agent("bee"));
    let keeper = keeper_of(bee);
    signal(keeper, Signal::STOP);
    let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        pty.send(b"\x03");
        pty.expect("Ctrl-C once more");
        pty.send(b"\x03");
        pty.finish()
    }));
    // Whatever came of it: what stands still is never taken down.
    signal(keeper, Signal::CONT);
    assert_eq!(ended.unwrap().code(), Some(130), "{}", pty.shown());
    assert!(pty.shown().contains("may go on"), "{}", pty.shown());
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
