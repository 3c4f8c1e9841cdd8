//! `up --abort-on-exit` and `--exit-code-from`: a swarm that is over when one of it is.

use crate::hive::Hive;

/// One that ends once the other runs, and one that would go on for ever.
const CHECKED: &str = r#"
    swarm = "demo"
    [agents.server]
    command = ["sh", "-c", "trap 'echo closing; exit 4' TERM; echo serving; while :; do sleep 0.05; done"]
    ready = { log = "serving" }
    [agents.check]
    after = "server"
    command = ["sh", "-c", "echo checking; exit 7"]
"#;

#[test]
fn the_first_end_is_the_end_of_all_and_its_code_is_the_swarms() {
    let hive = Hive::new(CHECKED);
    let ran = hive.run(&["up", "--abort-on-exit"]);
    assert_eq!(ran.code(), Some(7), "{ran}");
    assert!(
        ran.stderr().contains("check has ended: stopping all"),
        "{ran}"
    );
    assert!(
        ran.stdout().contains("closing"),
        "it was asked to end: {ran}"
    );
    let server = hive.agent("server");
    assert_eq!(server["state"], "exited");
    assert_eq!(server["exit"]["cause"], "us");
}

#[test]
fn the_code_is_that_of_the_one_that_is_named_whoever_ended_first() {
    let hive = Hive::new(CHECKED);
    let ran = hive.run(&["up", "--exit-code-from", "check"]);
    assert_eq!(ran.code(), Some(7), "{ran}");
    let ran = hive.run(&["up", "--exit-code-from", "server"]);
    assert_eq!(ran.code(), Some(4), "{ran}");
    let hive = Hive::new(
        "swarm = \"demo\"\n[agents.ends]\ncommand = [\"true\"]\n[agents.stays]\ncommand = [\"sleep\", \"1000\"]\n",
    );
    let ran = hive.run(&["up", "--exit-code-from", "stays"]);
    assert_eq!(ran.code(), Some(128 + 15), "{ran}");
    assert_eq!(
        hive.run(&["up", "--exit-code-from", "ends"]).code(),
        Some(0)
    );
}

#[test]
fn how_it_ended_the_last_time_is_no_end_of_this_time() {
    let hive = Hive::new(
        r#"
        swarm = "demo"
        [agents.test]
        command = ["sh", "-c", "rm -f go; while ! test -e go; do sleep 0.05; done; exit 3"]
        [agents.db]
        command = ["sh", "-c", "while :; do touch go; sleep 0.05; done"]
        "#,
    );
    for _ in 0..3 {
        let ran = hive.run(&["up", "--exit-code-from", "test"]);
        assert_eq!(ran.code(), Some(3), "{ran}");
        assert!(
            ran.stderr().contains("test has ended: stopping all"),
            "{ran}"
        );
    }
}

#[test]
fn one_that_is_started_again_has_not_ended() {
    let hive = Hive::new(
        r#"
        swarm = "demo"
        [agents.flaky]
        command = ["sh", "-c", "test -e again && exec sleep 1000; touch again; exit 1"]
        restart = { policy = "on-failure", delay = "10ms" }
        [agents.check]
        command = ["sh", "-c", "while ! test -e again; do sleep 0.05; done; exit 9"]
        "#,
    );
    let ran = hive.run(&["up", "--abort-on-exit"]);
    assert_eq!(ran.code(), Some(9), "{ran}");
}

#[test]
fn what_cannot_go_together_is_refused_and_nothing_is_started() {
    let hive = Hive::new(CHECKED);
    for (args, words) in [
        (&["up", "-d", "--abort-on-exit"][..], "--detach"),
        (
            &["up", "--dry-run", "--exit-code-from", "check"],
            "--dry-run",
        ),
        (&["up", "--exit-code-from", "nobody"], "no agent `nobody`"),
        (
            &["up", "--exit-code-from", "check", "server"],
            "not among those",
        ),
    ] {
        let ran = hive.run(args);
        assert_eq!(ran.code(), Some(2), "{args:?}: {ran}");
        assert!(ran.stderr().contains(words), "{args:?}: {ran}");
    }
    hive.rewrite("swarm = \"demo\"\n[agents.bee]\ncount = 2\ncommand = [\"true\"]\n");
    let ran = hive.run(&["up", "--exit-code-from", "bee"]);
    assert!(ran.stderr().contains("means 2 agents"), "{ran}");
    assert!(ran.stderr().contains("--exit-code-from bee-1"), "{ran}");
    assert!(!hive.state().exists(), "something was started");
}
