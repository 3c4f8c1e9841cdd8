//! Bad days, in rounds: `just torture` runs many and prints a table, the tests a few.

use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::hive::{Hive, SpawnQuietly, eventually, finish, is_alive, keeper_of, pid_of, signal};
use crate::tally::{Tally, processes, rounds};

#[test]
fn a_manager_that_is_killed_while_it_starts_agents_loses_none() {
    let mut tally = Tally::new("kill -9 of the manager while 50 agents start");
    for round in 0..rounds(4, 50) {
        let hive =
            Hive::new("swarm = \"demo\"\n[agents.a]\ncount = 50\ncommand = [\"sleep\", \"1000\"]");
        let mut up = hive.command().args(["up", "-d"]).spawn_quietly();
        // Anywhere between its first breath and its last, at another place each time.
        std::thread::sleep(Duration::from_millis((round as u64 * 37) % 150));
        up.kill().unwrap();
        up.wait().unwrap();
        // What the keeper had been asked for by then, it may still be doing.
        eventually("nothing is on its way any more", || {
            let agents = hive.agents();
            let settled = |agent: &serde_json::Value| {
                agent["state"] != "starting" && agent["state"] != "unknown"
            };
            agents.iter().all(settled).then_some(())
        });
        tally.compare(&hive);
        if round % 2 == 0 {
            hive.ok(&["up", "-d"]);
            tally.compare(&hive);
            let there = processes(&hive.state()).len();
            tally.expect(there == 50, || format!("{there} run after another `up`"));
        }
        tally.down(&hive);
    }
    tally.report();
}

#[test]
fn a_keeper_that_is_killed_takes_no_agent_with_it() {
    let mut tally = Tally::new("kill -9 of the keeper");
    for _ in 0..rounds(2, 30) {
        let hive =
            Hive::new("swarm = \"demo\"\n[agents.a]\ncount = 10\ncommand = [\"sleep\", \"1000\"]");
        hive.ok(&["up", "-d"]);
        let keeper = keeper_of(pid_of(&hive.agent("a-1")));
        signal(keeper, Signal::KILL);
        eventually("the keeper is dead", || (!is_alive(keeper)).then_some(()));
        tally.compare(&hive);
        let there = processes(&hive.state()).len();
        tally.expect(there == 10, || format!("{there} of 10 live on"));
        let stopped = hive.run(&["stop", "a-1"]);
        tally.expect(stopped.code() == Some(0), || stopped.to_string());
        let exit = hive.agent("a-1")["exit"].clone();
        tally.expect(
            exit["unknown"].is_string() || exit["signal"] == "SIGTERM",
            || exit.to_string(),
        );
        tally.down(&hive);
    }
    tally.report();
}

#[test]
fn what_hides_from_its_group_is_gone_after_the_grace() {
    let mut tally = Tally::new("TERM ignored, a grandchild in a session of its own");
    for _ in 0..rounds(2, 20) {
        let hive = Hive::new(
            r#"
            swarm = "demo"
            [agents.hidden]
            command = ["sh", "-c", """
                trap '' TERM
                (setsid sh -c 'trap "" TERM; (sleep 1000 & echo $! > grandchild); sleep 1000' &)
                while :; do sleep 1; done
            """]
            stop = { grace = "300ms" }
            "#,
        );
        hive.ok(&["up", "-d"]);
        let grandchild: u32 = eventually("the grandchild is there", || {
            std::fs::read_to_string(hive.path().join("grandchild"))
                .ok()?
                .trim()
                .parse()
                .ok()
        });
        let began = Instant::now();
        let stop = hive.run(&["stop", "hidden"]);
        tally.expect(stop.code() == Some(0), || stop.to_string());
        tally.expect(began.elapsed() < Duration::from_secs(20), || {
            format!("{:?}", began.elapsed())
        });
        tally.expect(!is_alive(grandchild), || "the grandchild lives".to_owned());
        let cause = hive.agent("hidden")["exit"]["cause"].clone();
        tally.expect(cause == "us-by-force", || cause.to_string());
        tally.down(&hive);
    }
    tally.report();
}

#[test]
fn an_agent_that_is_stopped_by_a_signal_ends_within_its_grace() {
    let mut tally = Tally::new("SIGSTOP before the stop");
    for _ in 0..rounds(2, 20) {
        let hive = Hive::new(
            "swarm = \"demo\"\n[agents.a]\ncommand = [\"sleep\", \"1000\"]\nstop = { grace = \"30s\" }",
        );
        hive.ok(&["up", "-d"]);
        hive.ok(&["kill", "-s", "STOP", "a"]);
        let began = Instant::now();
        hive.ok(&["stop", "a"]);
        tally.expect(began.elapsed() < Duration::from_secs(20), || {
            format!("{:?}", began.elapsed())
        });
        tally.down(&hive);
    }
    tally.report();
}

#[test]
fn twenty_shells_that_stop_one_agent_send_one_signal_and_hear_one_outcome() {
    let mut tally = Tally::new("20 stops of one agent at once");
    for _ in 0..rounds(1, 20) {
        let hive = Hive::new(
            r#"
            swarm = "demo"
            [agents.a]
            command = ["sh", "-c", """
                trap 'echo TERM; told=1' TERM
                echo up
                while [ -z "$told" ]; do sleep 0.05; done
                sleep 0.4; sleep 0.4
                exit 5
            """]
            ready = { log = "up" }
            "#,
        );
        hive.ok(&["up", "-d", "--wait"]);
        let stops: Vec<_> = (0..20)
            .map(|_| hive.command().args(["stop", "a"]).spawn_quietly())
            .collect();
        for mut stop in stops {
            let status = stop.wait().unwrap();
            tally.expect(status.success(), || status.to_string());
        }
        let said = hive.ok(&["logs", "a"]);
        tally.expect(said == "up\nTERM\n", || said.clone());
        let code = hive.agent("a")["exit"]["code"].clone();
        tally.expect(code == 5, || code.to_string());
        tally.down(&hive);
    }
    tally.report();
}

#[test]
fn endless_output_fills_no_disk_and_blocks_nobody() {
    let mut tally = Tally::new("output without a line's end");
    let mib = rounds(64, 1024);
    let hive = Hive::new(&format!(
        r#"
        swarm = "demo"
        [backends.process]
        log_size = "1MiB"
        [agents.loud]
        command = ["sh", "-c", "head -c {} /dev/zero; echo; echo end"]
        "#,
        mib * 1024 * 1024
    ));
    hive.ok(&["up", "-d"]);
    hive.ok(&["wait", "--exit-code", "loud"]);
    let tail = hive.run(&["logs", "-n", "1", "loud"]);
    tally.expect(tail.stdout() == "end\n", || tail.to_string());
    eventually("its log is short again", || {
        (on_disk(&hive) < 8 * 1024 * 1024).then_some(())
    });
    let lost = hive.run(&["logs", "loud"]);
    tally.expect(lost.stderr().contains("is not kept any more"), || {
        lost.stderr()
    });
    tally.down(&hive);
    tally.report();
}

/// How much of the disk the logs take.
fn on_disk(hive: &Hive) -> u64 {
    use std::os::unix::fs::MetadataExt;
    let logs = std::fs::read_dir(hive.state().join("demo/process/logs")).unwrap();
    logs.flatten()
        .filter_map(|file| Some(file.metadata().ok()?.blocks() * 512))
        .sum()
}

#[test]
fn where_no_file_can_be_opened_any_more_it_is_not_the_output_that_is_blamed() {
    let hive = Hive::new("");
    let mut shell = std::process::Command::new("sh");
    let script = "ulimit -n 5; exec \"$0\" ps";
    shell.args(["-c", script, env!("CARGO_BIN_EXE_alveary")]);
    shell.env("ALVEARY_STATE_DIR", hive.state());
    let ran = finish(&mut shell);
    assert_eq!(ran.code(), Some(125), "{ran}");
    let said = ran.stderr();
    assert!(said.contains("Too many open files"), "{said}");
    assert!(said.contains("help: allow more open files"), "{said}");
    assert!(!said.contains("output"), "{said}");
}
