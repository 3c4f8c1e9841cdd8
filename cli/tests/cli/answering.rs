//! Agents that are asked whether they are up, and whether they still answer.

use std::fs;

use crate::hive::{Hive, eventually, is_alive, pid_of};

#[test]
fn a_readiness_command_that_hangs_is_ended_with_all_that_it_began_and_is_told() {
    let hive = Hive::new(
        r#"
        swarm = "demo"
        [agents.echo]
        command = ["sleep", "1000"]
        [agents.echo.ready]
        command = ["sh", "-c", "sleep 1000 & echo $$ $! >> pids; wait"]
        timeout = "9s"
        [agents.next]
        after = "echo"
        command = ["sleep", "1000"]
        "#,
    );
    let up = hive.run(&["up", "-d"]);
    assert_ne!(up.code(), Some(0));
    assert!(
        up.stderr().contains("its check did not end within 5s"),
        "{}",
        up.stderr()
    );
    hive.ok(&["down"]);
    let pids = fs::read_to_string(hive.path().join("pids")).unwrap();
    let pids: Vec<u32> = pids
        .split_whitespace()
        .map(|pid| pid.parse().unwrap())
        .collect();
    assert!(pids.len() >= 2, "{pids:?}");
    for pid in pids {
        eventually("the check has ended", || (!is_alive(pid)).then_some(()));
    }
}

#[test]
fn an_agent_that_does_not_answer_any_more_is_started_again_by_the_supervisor() {
    let hive = Hive::new(
        r#"
        swarm = "demo"
        [agents.echo]
        command = ["sh", "-c", "touch alive; exec sleep 1000"]
        ready = { command = ["test", "-e", "alive"] }
        alive = { command = ["test", "-e", "alive"], interval = "100ms", failures = 2 }
        restart = { policy = "on-failure", delay = "10ms" }
        "#,
    );
    hive.ok(&["up", "-d"]);
    let first = hive.until("echo", "is ready", |agent| agent["ready"] == true);
    fs::remove_file(hive.path().join("alive")).unwrap();
    let second = hive.until("echo", "was started again", |agent| {
        agent["restarts"] == 1 && agent["ready"] == true
    });
    assert_ne!(pid_of(&first), pid_of(&second));
    assert!(!is_alive(pid_of(&first)));
    hive.ok(&["down"]);
}

#[test]
fn a_file_of_variables_that_may_be_absent_is_read_once_it_is_there() {
    let hive = Hive::new(
        r#"
        swarm = "demo"
        [agents.echo]
        command = ["sh", "-c", "echo $A $B $C"]
        env = { C = "table" }
        env_file = ["first.env", { path = "second.env", required = false }]
        "#,
    );
    let refused = hive.run(&["up"]);
    assert_eq!(refused.code(), Some(2));
    for words in [
        "first.env",
        "`env_file` of the agent `echo`",
        "required = false",
    ] {
        assert!(refused.stderr().contains(words), "{}", refused.stderr());
    }
    fs::write(hive.path().join("first.env"), "A=first\nB=first\nC=first\n").unwrap();
    assert!(hive.ok(&["up"]).contains("first first table"));
    fs::write(hive.path().join("second.env"), "B=second\nC=second\n").unwrap();
    assert!(hive.ok(&["up"]).contains("first second table"));
    hive.ok(&["down"]);
}
