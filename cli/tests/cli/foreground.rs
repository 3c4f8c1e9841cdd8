//! `up` in the foreground.

use crate::hive::Hive;

#[cfg(feature = "coordinator")]
#[test]
fn the_quickstart_ends_by_itself_within_its_time_and_shows_how_each_ended() {
    let hive = Hive::new("swarm = \"demo\"");
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/quickstart.toml");
    let began = std::time::Instant::now();
    let ran = hive.run(&["up", "--swarm", "demo", "--file", file]);
    assert_eq!(ran.code(), Some(0), "{ran}");
    assert!(
        began.elapsed() < std::time::Duration::from_secs(30),
        "{:?}",
        began.elapsed()
    );
    let table: Vec<String> = ran
        .stdout()
        .lines()
        .skip_while(|line| !line.starts_with("NAME"))
        .skip(1)
        .take_while(|line| !line.is_empty())
        .map(ToOwned::to_owned)
        .collect();
    assert_eq!(table.len(), 5, "{ran}");
    assert!(
        table.iter().all(|line| line.contains("exited with code 0")),
        "{ran}"
    );
    let (_, tasks) = ran
        .stdout()
        .split_once("TASK ")
        .map(|(a, b)| (a.to_owned(), b.to_owned()))
        .unwrap();
    assert_eq!(tasks.matches("completed").count(), 10, "{ran}");
    for word in [
        "queen",
        "scout",
        "forager",
        "builder",
        "nurse",
        "it is decided",
        "<><>",
    ] {
        assert!(tasks.contains(word), "{word}: {tasks}");
    }
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
    let hive = Hive::new(
        r#"
        swarm = "demo"
        [agents.a]
        count = 2
        command = ["true", "now"]
        env = { LEVEL = "hidden-7f3a" }
        secrets = { KEY = { file = "key.txt" } }
        limits = { nofile = 64 }
        "#,
    );
    std::fs::write(hive.path().join("key.txt"), "hidden-7f3a").unwrap();
    let said = hive.ok(&["up", "--dry-run"]);
    let steps: Vec<_> = said.lines().filter(|line| !line.starts_with(' ')).collect();
    assert_eq!(steps, ["create a-1", "create a-2"]);
    for line in [
        "argument now",
        "secret KEY as a file, which KEY_FILE names",
        "limits.nofile 64",
        "SIGTERM, and KILL after 10s",
    ] {
        let words = |text: &str| {
            text.split_whitespace()
                .map(str::to_owned)
                .collect::<Vec<_>>()
        };
        assert!(
            said.lines().any(|said| words(said).ends_with(&words(line))),
            "{line} is not in {said}"
        );
    }
    assert!(said.contains("LEVEL") && !said.contains("7f3a"), "{said}");
    assert!(!hive.state().exists(), "nothing is begun");
}

#[test]
fn what_the_backend_would_refuse_is_said_by_a_dry_run_and_keeps_up_from_starting_anything() {
    let hive = Hive::new(
        r#"
        [agents.good]
        command = ["sleep", "1000"]
        [agents.half]
        command = ["sleep", "1000"]
        limits = { cpus = 0.5 }
        "#,
    );
    let planned = hive.run(&["up", "--dry-run"]);
    assert_eq!(planned.code(), Some(2), "{planned}");
    assert!(
        planned.stdout().contains("create good\n    program"),
        "{planned}"
    );
    assert!(
        planned.stdout().contains("create half\n    refused: "),
        "{planned}"
    );
    let ran = hive.run(&["up"]);
    assert_eq!(ran.code(), Some(2), "{ran}");
    assert!(ran.stderr().contains("limits.cpus"), "{ran}");
    assert!(hive.agents().is_empty());
}
