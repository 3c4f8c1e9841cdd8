//! What `ps`, `inspect` and `logs` give to people and to programs.

use std::fs;

use serde_json::{Value, json};

use crate::hive::{Hive, finish};

const MIXED: &str = r#"
    swarm = "demo"
    [agents.echo]
    count = 2
    command = ["sh", "-c", "echo one; echo two; echo three; exec sleep 1000"]
    capabilities = ["talk", "listen"]
    ready = { log = "three" }
    [agents.brief]
    command = ["sh", "-c", "exit 7"]
"#;

fn up() -> Hive {
    let hive = Hive::new(MIXED);
    hive.ok(&["up", "-d"]);
    hive.ok(&["wait", "brief"]);
    hive.until("echo-1", "is ready", |agent| agent["ready"] == true);
    hive.until("echo-2", "is ready", |agent| agent["ready"] == true);
    hive
}

#[test]
fn a_swarm_that_never_was_is_empty() {
    let hive = Hive::new("swarm = \"demo\"");
    assert_eq!(hive.ok(&["ps", "-q"]), "");
    assert_eq!(hive.ok(&["ps", "--format", "json"]), "");
    assert_eq!(hive.ok(&["down"]), "");
    assert!(!hive.state().exists(), "looking made a state folder");
}

#[test]
fn a_name_that_no_swarm_ever_had_is_said_to_be_none() {
    let hive = Hive::new("swarm = \"demo\"");
    for args in [&["ps"][..], &["logs"], &["stats", "--no-stream"]] {
        let ran = hive.run(&[&["-p", "dmeo"], args].concat());
        assert_eq!(ran.code(), Some(0), "{args:?}: {ran}");
        assert!(ran.stderr().contains("`dmeo`"), "{args:?}: {ran}");
        // One of its agents was meant to be there.
        let ran = hive.run(&[&["-p", "dmeo"], args, &["echo"]].concat());
        assert_eq!(ran.code(), Some(2), "{args:?}: {ran}");
        assert!(ran.stderr().contains("`dmeo`"), "{args:?}: {ran}");
    }
}

#[test]
fn swarms_are_shown_with_who_is_alive_in_them() {
    let hive = up();
    hive.ok(&["-p", "second", "up", "-d", "echo"]);
    hive.ok(&["-p", "over", "up", "-d", "echo"]);
    hive.ok(&["-p", "over", "down"]);
    let swarms = |args: &[&str]| -> Vec<Value> {
        let lines = hive.ok(&[&["swarms", "--format", "json"], args].concat());
        let lines = lines.lines();
        lines
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    };
    let shown = swarms(&[]);
    let names: Vec<_> = shown.iter().map(|one| one["name"].clone()).collect();
    assert_eq!(names, ["demo", "second"]);
    assert_eq!(shown[0]["agents"], json!({ "exited": 1, "running": 2 }));
    assert_eq!(shown[0]["supervisor"], hive.the_supervisor());
    assert_eq!(
        (&shown[1]["living"], &shown[1]["backend"]),
        (&json!(2), &json!("process"))
    );
    assert_eq!(hive.ok(&["swarms", "-p", "second", "-q"]), "second\n");
    let template = "{{ name }} {{ agents.running }}";
    let lines = hive.ok(&["swarms", "--format", template]);
    assert_eq!(lines, "demo 2\nsecond 2\n");
    let told = hive.ok(&["swarms"]);
    assert!(told.contains("1 exited, 2 running"), "{told}");
    hive.ok(&["-p", "second", "down"]);
    let names: Vec<_> = swarms(&["--all"])
        .iter()
        .map(|one| one["name"].clone())
        .collect();
    assert_eq!(names, ["demo", "over", "second"]);
}

#[test]
fn who_restarts_a_swarms_agents_is_shown_though_they_cannot_be_asked_for() {
    let hive = up();
    let record = hive.state().join("demo/swarm.json");
    let on_processes = fs::read_to_string(&record).unwrap();
    let elsewhere = on_processes.replace("\"process\"", "\"docker-api\"");
    assert_ne!(elsewhere, on_processes);
    fs::write(&record, elsewhere).unwrap();
    let mut command = hive.command();
    command.args(["swarms", "--format", "json"]);
    let shown = finish(command.env("DOCKER_HOST", "unix:///nobody/is/here.sock"));
    fs::write(&record, on_processes).unwrap();
    assert_eq!(shown.code(), Some(0), "{shown}");
    let shown: Value = serde_json::from_str(&shown.stdout()).unwrap();
    assert!(shown["error"].is_string(), "{shown}");
    assert_eq!(shown["supervisor"], hive.the_supervisor());
}

#[test]
fn ps_gives_programs_what_it_promises() {
    let hive = up();
    let brief = hive.agent("brief");
    assert_eq!(brief["schema"], 1);
    assert_eq!(
        (&brief["swarm"], &brief["backend"]),
        (&json!("demo"), &json!("process"))
    );
    assert_eq!(
        (&brief["state"], &brief["ready"]),
        (&json!("exited"), &json!(false))
    );
    let exit = &brief["exit"];
    assert_eq!(
        (&exit["code"], &exit["signal"], &exit["oom"], &exit["cause"]),
        (&json!(7), &Value::Null, &json!(false), &json!("itself"))
    );
    let echo = hive.agent("echo-2");
    assert_eq!(echo["capabilities"], json!(["talk", "listen"]));
    assert_eq!(echo["exit"], Value::Null);
    assert!(echo["pid"].is_u64());
    assert!(echo["incarnation"].is_string());
    assert!(echo["created_at"].as_str().unwrap().ends_with('Z'));
}

#[test]
fn ps_shows_what_has_not_ended_unless_asked_for_all_and_filters() {
    let hive = up();
    let count = |args: &[&str]| hive.ok(args).lines().count();
    assert_eq!(count(&["ps", "-q"]), 2);
    assert_eq!(count(&["ls", "-a", "-q"]), 3);
    assert_eq!(count(&["ps", "-q", "-f", "state=exited"]), 1);
    assert_eq!(count(&["ps", "-q", "-f", "state=running"]), 2);
    assert_eq!(count(&["ps", "-q", "-f", "name=brief"]), 0);
    assert_eq!(count(&["ps", "-a", "-q", "--filter", "name=echo"]), 2);
    assert_eq!(count(&["ps", "-a", "-q", "--filter", "capability=talk"]), 2);
    let table = hive.ok(&["ps", "-a"]);
    assert!(table.starts_with("NAME"), "{table}");
    assert!(table.contains("exited with code 7"), "{table}");
    assert_eq!(hive.run(&["ps", "--filter", "colour=red"]).code(), Some(2));
}

#[test]
fn ps_shows_those_that_are_named_whether_or_not_they_have_ended() {
    let hive = up();
    let names = |args: &[&str]| hive.ok(&[&["ps", "--format", "{{ name }}"], args].concat());
    assert_eq!(names(&["brief"]), "brief\n");
    assert_eq!(names(&["echo-2", "brief"]), "echo-2\nbrief\n");
    assert_eq!(names(&["echo"]), "echo-1\necho-2\n");
    assert_eq!(names(&["echo", "-f", "name=echo-1"]), "echo-1\n");
    let id = hive.agent("echo-1")["agent_id"].clone();
    assert_eq!(names(&[&id.as_str().unwrap()[..8]]), "echo-1\n");
    let refused = hive.run(&["ps", "ecko-1"]);
    assert_eq!(refused.code(), Some(2), "{refused}");
    assert!(
        refused.stderr().contains("did you mean `echo-1`?"),
        "{refused}"
    );
}

#[test]
fn an_agent_is_meant_by_name_by_group_and_by_the_beginning_of_its_id() {
    let hive = up();
    let id = hive.agent("echo-1")["agent_id"]
        .as_str()
        .unwrap()
        .to_owned();
    for (name, found) in [("echo-1", 1), ("echo", 2), (&id[..], 1), (&id[..8], 1)] {
        assert_eq!(
            hive.ok(&["inspect", name]).matches("\"schema\"").count(),
            found,
            "{name}"
        );
    }
    let ran = hive.run(&["inspect", "ecko-1"]);
    assert_eq!(ran.code(), Some(2), "{ran}");
    assert!(ran.stderr().contains("did you mean `echo-1`?"), "{ran}");
}

#[test]
fn logs_of_one_agent_are_its_bytes_and_those_of_several_bear_names() {
    let hive = up();
    assert_eq!(hive.ok(&["logs", "echo-1"]), "one\ntwo\nthree\n");
    assert_eq!(hive.ok(&["logs", "-n", "1", "echo-1"]), "three\n");
    for all in [&["-n", "all"][..], &["--tail", "all"]] {
        let args = [&["logs"], all, &["echo-1"]].concat();
        assert_eq!(hive.ok(&args), "one\ntwo\nthree\n");
    }
    assert_eq!(
        hive.ok(&["logs", "-n", "1", "echo"]),
        "echo-1 | three\necho-2 | three\n"
    );
    assert_eq!(
        hive.ok(&["logs", "-n", "1", "--no-prefix", "echo"]),
        "three\nthree\n"
    );
    assert_eq!(
        hive.ok(&["logs", "--since", "1h", "echo-1"]),
        "one\ntwo\nthree\n"
    );
    assert_eq!(hive.ok(&["logs", "--until", "1h", "echo-1"]), "");
    // A Unix time, as of 2020, and a date.
    for long_ago in ["1577836800", "2020-01-01"] {
        assert_eq!(
            hive.ok(&["logs", "--since", long_ago, "echo-1"]),
            "one\ntwo\nthree\n"
        );
        assert_eq!(hive.ok(&["logs", "--until", long_ago, "echo-1"]), "");
    }
    let timed = hive.ok(&["logs", "-t", "-n", "1", "echo-1"]);
    assert!(timed.contains("Z three"), "{timed}");
}

#[test]
fn logs_are_of_one_stream_where_that_one_is_asked_for() {
    let hive = Hive::new(
        r#"
        swarm = "demo"
        [agents.talker]
        command = ["sh", "-c", "echo a line; echo a complaint >&2"]
        "#,
    );
    hive.ok(&["up", "-d"]);
    hive.ok(&["wait", "talker"]);
    for follow in [&[][..], &["-f"]] {
        let logs = |flags: &[&str]| hive.ok(&[&["logs", "talker"], follow, flags].concat());
        assert_eq!(logs(&["--stdout"]), "a line\n");
        assert_eq!(logs(&["--stderr"]), "a complaint\n");
        assert_eq!(logs(&["--stdout", "--stderr"]).lines().count(), 2);
    }
}

#[test]
fn followed_logs_go_on_over_a_restart_and_end_with_the_agent() {
    let hive = Hive::new(
        r#"
        swarm = "demo"
        [agents.flaky]
        command = ["sh", "-c", "echo try; test -e twice && exit 0; test -e once && touch twice; touch once; exit 1"]
        restart = { policy = "on-failure", delay = "50ms" }
        "#,
    );
    hive.ok(&["up", "-d"]);
    let ran = hive.run(&["logs", "-f", "flaky"]);
    assert_eq!(ran.code(), Some(0), "{ran}");
    assert!(ran.stdout().ends_with("try\n"), "{ran}");
    assert_eq!(hive.agent("flaky")["exit"]["code"], 0);
}
