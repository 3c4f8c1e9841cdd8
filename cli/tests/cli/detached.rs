//! A swarm that outlives what started it, seen from other shells.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::process::Stdio;

use rustix::process::Signal;
use serde_json::Value;

use crate::hive::{Hive, eventually, is_alive, pid_of, signal};
use crate::pty::Pty;

const TWO: &str = "swarm = \"demo\"\n[agents.echo]\ncount = 2\ncommand = [\"sleep\", \"1000\"]\n";

#[test]
fn a_swarm_is_seen_and_stopped_from_shells_that_did_not_start_it() {
    let hive = Hive::new(TWO);
    let up = hive.run(&["up", "-d"]);
    assert_eq!(up.code(), Some(0), "{up}");
    assert!(up.stdout().is_empty(), "{up}");
    assert!(up.stderr().contains("echo-1 started"), "{up}");
    let pids: Vec<u32> = hive.agents().iter().map(pid_of).collect();
    assert_eq!(pids.len(), 2);
    assert!(pids.iter().all(|pid| is_alive(*pid)));

    let stop = hive.run(&["stop", "echo-1"]);
    assert_eq!(stop.code(), Some(0), "{stop}");
    assert!(!is_alive(pids[0]), "stop came back before the end");
    assert_eq!(hive.agent("echo-1")["exit"]["cause"], "us");
    assert_eq!(hive.ok(&["ps", "-q"]).lines().count(), 1);

    let down = hive.run(&["down"]);
    assert_eq!(down.code(), Some(0), "{down}");
    assert!(!is_alive(pids[1]));
    assert!(hive.agents().is_empty());
    eventually("the supervisor ends", || {
        hive.supervisor().is_none().then_some(())
    });
}

#[test]
fn up_again_leaves_what_runs_starts_what_ended_and_recreates_what_changed() {
    let hive = Hive::new(TWO);
    hive.ok(&["up", "-d"]);
    hive.ok(&["stop", "echo-1"]);
    let before = (hive.agent("echo-1"), hive.agent("echo-2"));
    hive.ok(&["up", "-d"]);
    let after = (hive.agent("echo-1"), hive.agent("echo-2"));
    assert_eq!(after.1, before.1);
    assert_eq!(after.0["agent_id"], before.0["agent_id"]);
    assert_eq!(after.0["state"], "running");

    hive.rewrite(
        &TWO.replace("1000", "2000")
            .replace("echo]", "echo]\nenv = { A = \"1\" }"),
    );
    hive.ok(&["up", "-d"]);
    let changed = hive.agent("echo-2");
    assert_eq!(changed["agent_id"], before.1["agent_id"]);
    assert_ne!(changed["incarnation"], before.1["incarnation"]);
}

/// Another backend would see none of its agents, and start what is asked for a second time.
#[cfg(feature = "docker-api")]
#[test]
fn what_is_asked_of_a_swarm_goes_to_the_backend_that_it_was_brought_up_with() {
    let engine = "swarm = \"demo\"\nbackend = \"docker-api\"\n";
    let hive = Hive::new(&TWO.replace("swarm = \"demo\"\n", engine));
    hive.ok(&["up", "-d", "--backend", "process"]);
    assert_eq!(hive.ok(&["ps", "-q"]).lines().count(), 2);
    let scaled = hive.run(&["scale", "echo=3"]);
    assert_eq!(scaled.code(), Some(0), "{scaled}");
    let words = "agents run on `process`, which is not what the file says";
    assert!(scaled.stderr().contains(words), "{scaled}");
    hive.ok(&["stop", "echo-1"]);
    hive.ok(&["restart", "echo-1"]);
    hive.ok(&["spawn", "--name", "one-more", "--", "sleep", "1000"]);
    let pids: Vec<u32> = hive.agents().iter().map(pid_of).collect();
    assert_eq!(pids.len(), 4);
    let doctor: Value = serde_json::from_str(&hive.ok(&["doctor", "--format", "json"])).unwrap();
    let backend = doctor["here"]["backend"].as_str().unwrap();
    assert!(backend.starts_with("local processes"), "{doctor}");
    assert_eq!(
        doctor["engines"].as_array().map(Vec::len),
        Some(0),
        "{doctor}"
    );

    // To bring it up is to want it where the file says, and it is not there.
    for told in [
        &["up", "-d"][..],
        &["--backend", "docker-api", "ps"],
        &["--backend", "docker-api", "down"],
    ] {
        let refused = hive.run(told);
        assert_eq!(refused.code(), Some(2), "{told:?}: {refused}");
        let words = "run on `process`, and `docker-api` cannot see them";
        assert!(refused.stderr().contains(words), "{told:?}: {refused}");
    }
    assert!(pids.iter().all(|pid| is_alive(*pid)));

    hive.ok(&["down"]);
    assert!(!pids.iter().any(|pid| is_alive(*pid)));
    // Nobody is left to say where to look, and no engine is there.
    hive.rewrite(TWO);
}

#[test]
fn names_that_left_the_file_end_only_when_pruned() {
    let hive = Hive::new("swarm = \"demo\"\n[agents.old]\ncommand = [\"sleep\", \"1000\"]\n");
    hive.ok(&["up", "-d"]);
    hive.rewrite("swarm = \"demo\"\n[agents.new]\ncommand = [\"sleep\", \"1000\"]\n");
    let up = hive.run(&["up", "-d"]);
    let words = "old is not in the file, and is left as it is: `alveary up --prune` removes it";
    assert!(up.stderr().contains(words), "{up}");
    assert_eq!(hive.agent("old")["state"], "running");
    hive.ok(&["up", "-d", "--prune"]);
    let names: Vec<_> = hive
        .agents()
        .iter()
        .map(|agent| agent["name"].clone())
        .collect();
    assert_eq!(names, ["new"]);
}

#[test]
fn what_runs_as_the_file_says_is_started_anew_where_that_is_asked_for() {
    let hive = Hive::new(TWO);
    hive.ok(&["up", "-d"]);
    let starts = || {
        let agents = hive.agents();
        let start = |agent: &Value| (agent["name"].to_string(), agent["incarnation"].to_string());
        agents.iter().map(start).collect::<BTreeMap<_, _>>()
    };
    let before = starts();
    hive.ok(&["up", "-d"]);
    assert_eq!(starts(), before);
    let all = hive.run(&["up", "-d", "--force-recreate"]);
    let words = "echo-1 started anew: it was asked for";
    assert!(all.stderr().contains(words), "{all}");
    assert!(
        starts().iter().all(|(name, start)| before[name] != *start),
        "{all}"
    );
    assert!(hive.agents().iter().all(|agent| agent["restarts"] == 0));
}

#[test]
fn the_death_of_the_supervisor_ends_no_agent_is_noticed_and_is_mended_by_up() {
    let hive = Hive::new(
        r#"
        swarm = "demo"
        [agents.flaky]
        command = ["sh", "-c", "while ! test -e go; do sleep 0.05; done; rm go; exit 7"]
        restart = { policy = "on-failure", delay = "10ms" }
        "#,
    );
    hive.ok(&["up", "-d"]);
    let before = hive.agent("flaky");
    let first = hive.the_supervisor();
    signal(first, Signal::KILL);
    eventually("the supervisor is dead", || {
        (!is_alive(first)).then_some(())
    });
    assert!(is_alive(pid_of(&before)));
    let ps = hive.run(&["ps"]);
    assert_eq!(ps.stderr().lines().count(), 1, "{ps}");
    assert!(ps.stderr().contains("no supervisor is running"), "{ps}");
    assert!(ps.stderr().contains("`alveary up -d`"), "{ps}");

    // It ends while no manager lives, and how is known all the same.
    std::fs::write(hive.path().join("go"), "").unwrap();
    let ended = hive.until("flaky", "has ended", |agent| agent["state"] == "exited");
    assert_eq!(ended["exit"]["code"], 7);
    assert_eq!(ended["exit"]["cause"], "itself");

    hive.ok(&["up", "-d"]);
    let second = hive.the_supervisor();
    assert_ne!(second, first);
    assert!(hive.run(&["ps"]).stderr().is_empty());
    std::fs::write(hive.path().join("go"), "").unwrap();
    hive.until("flaky", "is restarted", |agent| {
        agent["restarts"] == 1 && agent["state"] == "running"
    });
}

#[test]
fn a_stopped_agent_is_not_restarted_until_somebody_wants_it_again() {
    let hive = Hive::new(
        r#"
        swarm = "demo"
        [agents.keen]
        command = ["sleep", "1000"]
        restart = { policy = "always", delay = "10ms" }
        "#,
    );
    hive.ok(&["up", "-d"]);
    hive.ok(&["stop", "keen"]);
    let stopped = hive.agent("keen");
    assert_eq!(
        (&stopped["state"], &stopped["restarting"]),
        (&"exited".into(), &false.into())
    );
    hive.ok(&["restart", "keen"]);
    let pid = pid_of(&hive.until("keen", "runs", |agent| agent["state"] == "running"));
    // What ends by itself is restarted now, by the supervisor that was there all the time.
    signal(pid, Signal::KILL);
    hive.until("keen", "is restarted", |agent| {
        agent["restarts"] == 1 && agent["state"] == "running"
    });
}

#[test]
fn waiting_gives_how_they_ended_and_on_request_as_an_exit_code() {
    let hive = Hive::new(
        r#"
        swarm = "demo"
        [agents.good]
        command = ["sh", "-c", "sleep 0.2"]
        [agents.worse]
        command = ["sh", "-c", "sleep 0.2; exit 7"]
        "#,
    );
    hive.ok(&["up", "-d"]);
    assert_eq!(hive.ok(&["wait", "good"]), "good exited with code 0\n");
    assert_eq!(hive.ok(&["wait", "worse"]), "worse exited with code 7\n");
    assert_eq!(hive.run(&["wait", "--exit-code", "good"]).code(), Some(0));
    assert_eq!(
        hive.run(&["wait", "--exit-code", "good", "worse"]).code(),
        Some(1)
    );
}

#[test]
fn up_can_wait_until_all_are_ready_and_gives_up_after_its_time() {
    let hive = Hive::new(
        r#"
        swarm = "demo"
        [agents.slow]
        command = ["sh", "-c", "sleep 0.3; echo listening; sleep 1000"]
        ready = { log = "listening" }
        "#,
    );
    hive.ok(&["up", "-d", "--wait"]);
    assert_eq!(hive.agent("slow")["ready"], true);
    hive.ok(&["down"]);

    hive.rewrite("swarm = \"demo\"\n[agents.never]\ncommand = [\"sleep\", \"1000\"]\nready = { log = \"x\" }");
    let ran = hive.run(&["up", "-d", "--wait", "--wait-timeout", "1s"]);
    assert_eq!(ran.code(), Some(1), "{ran}");
    assert!(ran.stderr().contains("not all are ready after 1s"), "{ran}");
    assert_eq!(hive.agent("never")["state"], "running");
}

#[test]
fn up_that_waits_says_who_has_ended_badly_and_not_that_it_is_ready() {
    let hive = Hive::new(
        r#"
        swarm = "demo"
        [agents.job]
        command = ["sh", "-c", "exit 3"]
        [agents.task]
        command = ["true"]
        "#,
    );
    let ran = hive.run(&["up", "-d", "--wait"]);
    assert_eq!(ran.code(), Some(1), "{ran}");
    assert!(
        ran.stderr()
            .contains("agent job: it has ended already: it exited with code 3"),
        "{ran}"
    );
    assert!(!ran.stderr().contains("job is ready"), "{ran}");
    assert!(ran.stderr().contains("task is ready"), "{ran}");
}

#[test]
fn a_group_grows_and_shrinks_at_its_end() {
    let hive = Hive::new(TWO);
    hive.ok(&["up", "-d"]);
    let first = hive.agent("echo-1");
    let scale = |count: &str| {
        let ran = hive.run(&["scale", count]);
        assert_eq!(ran.code(), Some(0), "{ran}");
        ran.stderr()
    };
    assert_eq!(scale("echo=4"), "echo: 4 agents, 2 started\n");
    assert_eq!(hive.agents().len(), 4);
    assert_eq!(scale("echo=4"), "echo: 4 agents\n");
    assert_eq!(scale("echo=1"), "echo: 1 agent, 3 removed\n");
    assert_eq!(hive.agents(), [first]);
    assert_eq!(scale("echo=0"), "echo: 0 agents, 1 removed\n");
    assert!(hive.agents().is_empty());
    assert_eq!(hive.run(&["scale", "nobody=2"]).code(), Some(2));
}

#[test]
fn an_up_beside_a_supervisor_says_who_restarts_agents_unless_it_is_refused() {
    let hive = Hive::new(TWO);
    hive.ok(&["up", "-d"]);
    let supervisor = hive.the_supervisor();
    let refused = hive.run(&["up", "nobody"]);
    assert_eq!(refused.code(), Some(2), "{refused}");
    let said = refused.stderr();
    assert!(
        said.starts_with("error: ") && said.contains("`nobody`"),
        "{said}"
    );
    let mut up = Pty::run(hive.command().args(["up", "--color", "never"]));
    up.expect(&format!(
        "process {supervisor} restarts the agents of this swarm"
    ));
    up.send(b"\x03");
    assert_eq!(up.finish().code(), Some(130), "{}", up.shown());
}

#[test]
fn a_detached_up_lets_go_of_its_callers_pipes() {
    let hive = Hive::new(TWO);
    // `assert_cmd` reads its pipes to their ends: this returns only if nobody else holds them.
    let began = std::time::Instant::now();
    hive.ok(&["up", "-d"]);
    assert!(began.elapsed() < std::time::Duration::from_secs(10));
    let supervisor = hive.the_supervisor();
    for descriptor in ["0", "1", "2"] {
        let at = std::fs::read_link(format!("/proc/{supervisor}/fd/{descriptor}")).unwrap();
        let at = at.to_string_lossy();
        assert!(
            at == "/dev/null" || at.ends_with("supervisor.log"),
            "{descriptor}: {at}"
        );
    }
}

#[test]
fn waiting_for_an_agent_that_nobody_restarts_says_so_and_goes_on() {
    let hive = Hive::new(
        r#"
        swarm = "demo"
        [agents.flaky]
        command = ["sh", "-c", "test -e again && exit 0; while ! test -e go; do sleep 0.05; done; touch again; exit 7"]
        restart = { policy = "on-failure", delay = "10ms" }
        "#,
    );
    hive.ok(&["up", "-d"]);
    let supervisor = hive.the_supervisor();
    signal(supervisor, Signal::KILL);
    eventually("the supervisor is dead", || {
        (!is_alive(supervisor)).then_some(())
    });
    let mut wait = hive
        .command()
        .args(["wait", "flaky"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    std::fs::write(hive.path().join("go"), "").unwrap();
    let mut said = String::new();
    BufReader::new(wait.stderr.take().unwrap())
        .read_line(&mut said)
        .unwrap();
    assert!(said.contains("no supervisor is running"), "{said}");
    assert!(said.contains("`alveary up -d`"), "{said}");
    // Somebody does as he is told, and the waiting comes to its end.
    hive.ok(&["up", "-d"]);
    let waited = wait.wait_with_output().unwrap();
    assert!(waited.status.success(), "{waited:?}");
    assert_eq!(waited.stdout, b"flaky exited with code 0\n");
}
