//! `up` in the foreground.

use std::time::{Duration, Instant};

use crate::hive::Hive;

#[test]
fn the_quickstart_ends_by_itself_within_its_time_and_shows_how_each_ended() {
    let hive = Hive::new("swarm = \"demo\"");
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/quickstart.toml");
    let began = Instant::now();
    let ran = hive.run(&["up", "--swarm", "demo", "--file", file]);
    assert_eq!(ran.code(), Some(0), "{ran}");
    assert!(
        began.elapsed() < Duration::from_secs(10),
        "{:?}",
        began.elapsed()
    );
    let table: Vec<String> = ran
        .stdout()
        .lines()
        .skip_while(|line| !line.starts_with("NAME"))
        .skip(1)
        .map(ToOwned::to_owned)
        .collect();
    assert_eq!(table.len(), 5, "{ran}");
    assert!(
        table.iter().all(|line| line.contains("exited with code 0")),
        "{ran}"
    );
    assert!(hive.run(&["-p", "demo", "ps", "-q"]).stdout().is_empty());
    // The file and the flag named the swarm: it is taken down by what its state folder knows.
    assert_eq!(
        hive.run(&["-p", "demo", "--file", file, "down"]).code(),
        Some(0)
    );
}

#[test]
fn lines_bear_the_names_and_a_failed_agent_makes_the_exit_code_one() {
    let hive = Hive::new(
        r#"
        swarm = "demo"
        [agents.good]
        command = ["sh", "-c", "echo fine"]
        [agents.worse]
        command = ["sh", "-c", "echo oh >&2; exit 7"]
        "#,
    );
    let ran = hive.run(&["up"]);
    assert_eq!(ran.code(), Some(1), "{ran}");
    let out = ran.stdout();
    assert!(out.contains("good  | fine\n"), "{ran}");
    assert!(out.contains("worse | oh\n"), "{ran}");
    assert!(!out.contains('\u{1b}'), "{ran}");
    assert_eq!(hive.agent("worse")["exit"]["code"], 7);
    // It has ended and was not removed: it can be asked and read.
    assert_eq!(hive.ok(&["logs", "worse"]), "oh\n");
}

#[test]
fn what_is_to_be_restarted_is_and_ends_up_failed_when_that_does_not_help() {
    let hive = Hive::new(
        r#"
        swarm = "demo"
        [agents.flaky]
        command = ["sh", "-c", "echo try; exit 3"]
        restart = { policy = "on-failure", max = 2, within = "1m", delay = "50ms" }
        "#,
    );
    let ran = hive.run(&["up"]);
    assert_eq!(ran.code(), Some(1), "{ran}");
    assert_eq!(ran.stdout().matches("flaky | try\n").count(), 3, "{ran}");
    assert!(
        ran.stdout().contains("restarts used up: 2 within 1m"),
        "{ran}"
    );
    assert_eq!(hive.agent("flaky")["state"], "failed");
}

#[test]
fn who_comes_after_another_starts_when_that_one_is_ready() {
    let hive = Hive::new(
        r#"
        swarm = "demo"
        [agents.second]
        after = "first"
        command = ["sh", "-c", "test -f ready && echo found it"]
        [agents.first]
        command = ["sh", "-c", "sleep 0.2; touch ready; echo now; sleep 0.2"]
        ready = { log = "now" }
        "#,
    );
    let ran = hive.run(&["up"]);
    assert_eq!(ran.code(), Some(0), "{ran}");
    assert!(ran.stdout().contains("second | found it\n"), "{ran}");
}

#[test]
fn up_of_one_name_leaves_the_others_alone() {
    let hive = Hive::new(
        r#"
        swarm = "demo"
        [agents.one]
        command = ["sh", "-c", "echo 1"]
        [agents.two]
        command = ["sh", "-c", "echo 2"]
        "#,
    );
    let ran = hive.run(&["up", "two"]);
    assert_eq!(ran.code(), Some(0), "{ran}");
    assert_eq!(hive.agents().len(), 1);
    assert_eq!(hive.agent("two")["exit"]["code"], 0);
}

#[test]
fn a_dry_run_says_what_would_be_done_and_does_nothing() {
    let hive = Hive::new("swarm = \"demo\"\n[agents.a]\ncount = 2\ncommand = [\"true\"]");
    assert_eq!(hive.ok(&["up", "--dry-run"]), "create a-1\ncreate a-2\n");
    assert!(hive.agents().is_empty());
}
