//! A coordinator beside a swarm: `[coordinator]` in its file.

use std::path::PathBuf;

use alveary_conformance::ProcWitness;
use rustix::process::Signal;
use serde_json::Value;

use crate::alone::refused;
use crate::bed::{Agent, Capture as _};
use crate::hive::{Hive, Ran, eventually, is_alive, pid_of, signal};

/// What agents do here: nothing but saying what they were told.
pub(crate) const ECHO: &str = r#"
    [agents.echo]
    capabilities = ["echo"]
    bid = 7
    command = ["{exe}", "agent", "--exec", "cat"]
"#;

pub(crate) fn file(coordinator: &str, agents: &str) -> String {
    format!("swarm = \"demo\"\n[coordinator]\n{coordinator}\n{agents}")
}

/// A hive with two tasks that `echo` can do.
pub(crate) fn hive(coordinator: &str, agents: &str) -> Hive {
    let hive = Hive::new(&file(coordinator, agents));
    let tasks = "{\"description\": \"one\", \"capabilities\": [\"echo\"]}\n{\"description\": \"two\", \"capabilities\": [\"echo\"]}\n";
    std::fs::write(hive.path().join("tasks.jsonl"), tasks).unwrap();
    hive
}

pub(crate) fn address(hive: &Hive) -> Value {
    let file = hive.state().join("demo/coordinator/address.json");
    serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap()
}

pub(crate) fn records(hive: &Hive, args: &[&str]) -> Vec<Value> {
    let said = hive.ok(&[&["task", "--format", "json"], args].concat());
    said.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// The variables of an agent's process.
fn environment(hive: &Hive, agent: &str) -> Vec<String> {
    let pid = pid_of(&hive.agent(agent));
    let environ = ProcWitness::environment(pid).unwrap();
    let each = environ.split(|byte| *byte == 0);
    each.map(|one| String::from_utf8_lossy(one).into_owned())
        .collect()
}

#[test]
fn a_foreground_up_does_the_tasks_of_its_file_shows_what_came_of_them_and_ends() {
    let hive = hive("tasks = \"tasks.jsonl\"", ECHO);
    let ran = hive.run(&["up"]);
    assert_eq!(ran.code(), Some(0), "{ran}");
    let out = ran.stdout();
    let (_, tasks) = out.split_once("TASK ").unwrap();
    for word in ["one", "two"] {
        let row = tasks.lines().find(|line| line.contains(word)).unwrap();
        assert!(row.contains("completed"), "{row}");
        assert!(row.contains("echo"), "{row}");
    }
    assert_eq!(hive.supervisor(), None);
    assert_eq!(hive.agent("echo")["state"], "exited");
    // What is done is done: once more does nothing again.
    let again = hive.run(&["up"]);
    assert_eq!(again.code(), Some(0), "{again}");
    assert!(again.stderr().contains("is over already"), "{again}");
    // All of it goes with the swarm.
    hive.ok(&["down"]);
    assert!(!hive.state().join("demo/coordinator").exists());
}

#[test]
fn a_task_that_fails_is_told_by_the_exit_code_of_the_foreground_up() {
    let agents = r#"
        [agents.echo]
        capabilities = ["echo"]
        command = ["{exe}", "agent", "--exec", "false"]
    "#;
    let hive = hive("tasks = \"tasks.jsonl\"", agents);
    let ran = hive.run(&["up"]);
    assert_eq!(ran.code(), Some(1), "{ran}");
    assert!(ran.stdout().contains("failed"), "{ran}");
}

#[test]
fn a_detached_swarm_keeps_its_coordinator_and_knows_its_agents_by_tokens_of_their_own() {
    let hive = hive("tasks = \"tasks.jsonl\"", ECHO);
    hive.ok(&["up", "-d"]);
    let supervisor = hive.the_supervisor();
    assert_eq!(address(&hive)["pid"], supervisor);
    let listen = address(&hive)["listen"].as_str().unwrap().to_owned();
    assert!(listen.starts_with("127.0.0.1:"), "{listen}");
    let done = eventually("both are done", || {
        let done = records(&hive, &["list", "--status", "completed"]);
        (done.len() == 2).then_some(done)
    });
    assert_eq!(done[0]["description"], "one");
    assert_eq!(done[0]["winning_bid"], 7);
    // What the agent was told, and what nobody else is shown.
    let environment = environment(&hive, "echo");
    let value = |key: &str| {
        let prefix = format!("{key}=");
        environment
            .iter()
            .find_map(|one| one.strip_prefix(&prefix).map(str::to_owned))
    };
    assert_eq!(
        value("COORDINATOR_URL").unwrap(),
        format!("http://{listen}")
    );
    assert_eq!(value("AGENT_NAME").unwrap(), "echo");
    assert_eq!(value("AGENT_CAPABILITIES").unwrap(), "echo");
    let id = hive.agent("echo")["agent_id"].as_str().unwrap().to_owned();
    assert_eq!(value("AGENT_ID").unwrap(), id);
    let token = PathBuf::from(value("COORDINATOR_TOKEN_FILE").unwrap());
    let token = std::fs::read_to_string(token).unwrap();
    let (whose, proof) = token.trim().split_once('~').unwrap();
    assert_eq!(whose, id);
    assert!(!environment.iter().any(|one| one.contains(proof)));
    let shown = hive.ok(&["inspect", "echo"]);
    assert!(!shown.contains(proof), "{shown}");
    let log = std::fs::read_to_string(hive.state().join("demo/supervisor.log")).unwrap();
    assert!(!log.contains(proof), "{log}");
    // A task that comes later, and by hand.
    let later = records(&hive, &["add", "--wait", "--capability", "echo", "three"]);
    assert_eq!(later[0]["status"], "completed");
    assert_eq!(later[0]["assigned_agent"], id.as_str());
    // Bringing it up again changes nothing, and gives nothing again.
    let pid = pid_of(&hive.agent("echo"));
    hive.ok(&["up", "-d"]);
    assert_eq!(hive.the_supervisor(), supervisor);
    assert_eq!(pid_of(&hive.agent("echo")), pid);
    assert_eq!(records(&hive, &["list"]).len(), 3);
    hive.ok(&["down"]);
    eventually("its supervisor has gone", || {
        (!is_alive(supervisor)).then_some(())
    });
    assert!(!hive.state().join("demo/coordinator").exists());
}

#[test]
fn an_agent_that_is_started_again_or_beside_others_is_told_too() {
    let agents = ECHO.replace("[agents.echo]", "[agents.echo]\ncount = 1");
    let hive = hive("", &agents);
    hive.ok(&["up", "-d"]);
    hive.ok(&["scale", "echo=2"]);
    hive.ok(&["restart", "echo-1"]);
    for agent in ["echo-1", "echo-2"] {
        let told = environment(&hive, agent);
        assert!(
            told.iter().any(|one| one.starts_with("COORDINATOR_URL=")),
            "{told:?}"
        );
        assert!(
            told.iter()
                .any(|one| one.starts_with("COORDINATOR_TOKEN_FILE=")),
            "{told:?}"
        );
    }
}

#[test]
fn when_the_supervisor_is_killed_the_next_takes_up_the_tasks_and_finds_the_agents() {
    let agents = r#"
        [agents.slow]
        capabilities = ["echo"]
        command = ["{exe}", "agent", "--exec", "sh -c 'until [ -e go ]; do sleep 0.02; done; echo done'"]
    "#;
    let hive = hive("tasks = \"tasks.jsonl\"", agents);
    hive.ok(&["up", "-d"]);
    let first = hive.the_supervisor();
    let before = address(&hive);
    eventually("one is begun", || {
        (records(&hive, &["list", "--status", "running"]).len() == 1).then_some(())
    });
    let agent = pid_of(&hive.agent("slow"));
    signal(first, Signal::KILL);
    eventually("it is gone", || (!is_alive(first)).then_some(()));
    // The work goes on meanwhile, and its report waits for somebody who takes it.
    std::fs::write(hive.path().join("go"), "").unwrap();
    hive.ok(&["up", "-d"]);
    let second = hive.the_supervisor();
    assert_ne!(second, first);
    assert_eq!(
        address(&hive)["listen"],
        before["listen"],
        "the port is kept"
    );
    assert_eq!(pid_of(&hive.agent("slow")), agent, "the agent lives on");
    let done = eventually("both are done", || {
        let done = records(&hive, &["list", "--status", "completed"]);
        (done.len() == 2).then_some(done)
    });
    assert_eq!(
        records(&hive, &["list"]).len(),
        2,
        "none was lost, none came twice"
    );
    for task in done {
        assert_eq!(
            task["attempts"], 1,
            "what had been begun was not begun again: {task}"
        );
    }
}

#[test]
fn the_task_of_an_agent_that_dies_is_given_to_another_at_once() {
    let agents = r#"
        [agents.mortal]
        capabilities = ["echo"]
        command = ["{exe}", "agent", "--bid", "1", "--exec", "sleep 1000"]
        [agents.spare]
        capabilities = ["echo"]
        command = ["{exe}", "agent", "--bid", "2", "--exec", "echo done"]
    "#;
    let hive = hive("heartbeat = \"10m\"", agents);
    hive.ok(&["up", "-d"]);
    let mortal = hive.agent("mortal")["agent_id"].clone();
    // Both have to be there, so that the cheaper one wins.
    let id = eventually("the cheaper one has it", || {
        let added = records(&hive, &["add", "--capability", "echo", "outlive me"]);
        let id = added[0]["id"].as_str().unwrap().to_owned();
        let task = eventually("somebody takes it", || {
            let task = records(&hive, &["show", &id]).remove(0);
            matches!(task["status"].as_str(), Some("running" | "completed")).then_some(task)
        });
        (task["assigned_agent"] == mortal).then_some(id)
    });
    signal(pid_of(&hive.agent("mortal")), Signal::KILL);
    let done = eventually(
        "the other has done it, long before a heartbeat is missed",
        || {
            let task = records(&hive, &["show", &id]).remove(0);
            (task["status"] == "completed").then_some(task)
        },
    );
    assert_eq!(done["attempts"], 2);
}

#[test]
fn a_file_that_has_got_a_coordinator_gets_one_and_one_that_has_changed_another() {
    let plain = "swarm = \"demo\"\n[agents.calm]\ncommand = [\"sleep\", \"1000\"]\n";
    let hive = Hive::new(plain);
    hive.ok(&["up", "-d"]);
    let (first, calm) = (hive.the_supervisor(), pid_of(&hive.agent("calm")));
    hive.rewrite(&format!(
        "{}{}",
        file("auction = \"3s\"", ECHO),
        &plain[15..]
    ));
    let ran = hive.run(&["up", "-d"]);
    assert_eq!(ran.code(), Some(0), "{ran}");
    assert!(ran.stderr().contains("takes its place"), "{ran}");
    let second = hive.the_supervisor();
    assert_ne!(second, first);
    assert_eq!(pid_of(&hive.agent("calm")), calm, "agents go on meanwhile");
    let done = records(&hive, &["add", "--wait", "--capability", "echo", "one"]);
    assert_eq!(done[0]["status"], "completed");
    hive.rewrite(&format!(
        "{}{}",
        file("auction = \"4s\"", ECHO),
        &plain[15..]
    ));
    hive.ok(&["up", "-d"]);
    assert_ne!(hive.the_supervisor(), second);
    assert_eq!(
        records(&hive, &["list"]).len(),
        1,
        "its tasks are still there"
    );
}

#[test]
fn a_foreground_up_beside_a_supervisor_uses_its_coordinator() {
    let hive = hive("", ECHO);
    hive.ok(&["up", "-d"]);
    let supervisor = hive.the_supervisor();
    let mut up = Agent::start(hive.command().arg("up"));
    up.until_it_says("restarts the agents of this swarm");
    let done = records(&hive, &["add", "--wait", "--capability", "echo", "one"]);
    assert_eq!(done[0]["status"], "completed");
    assert_eq!(address(&hive)["pid"], supervisor);
    up.signal(Signal::INT);
    let (status, said, _) = up.ended_with();
    assert_eq!(status.code(), Some(130), "{said}");
}

#[test]
fn many_who_bring_it_up_at_once_have_one_coordinator() {
    let hive = hive("tasks = \"tasks.jsonl\"", ECHO);
    let ups: Vec<_> = (0..4)
        .map(|_| hive.command().args(["up", "-d"]).captured())
        .collect();
    for up in ups {
        let out = up.wait_with_output().unwrap();
        assert!(
            out.status.success(),
            "{}",
            String::from_utf8_lossy(&out.stderr)
        );
    }
    let supervisor = hive.the_supervisor();
    assert_eq!(address(&hive)["pid"], supervisor);
    eventually("both are done", || {
        (records(&hive, &["list", "--status", "completed"]).len() == 2).then_some(())
    });
    assert_eq!(records(&hive, &["list"]).len(), 2);
}

/// Refused in one sentence, and nothing is left of it.
#[track_caller]
fn refused_by_up(hive: &Hive, words: &str) -> Ran {
    refused(&hive.run(&["up", "-d"]), words);
    let ran = hive.run(&["up"]);
    refused(&ran, words);
    assert_eq!(hive.supervisor(), None);
    assert_eq!(hive.ok(&["ps", "-q"]), "", "nothing is started");
    ran
}

#[test]
fn what_a_coordinator_cannot_be_is_one_sentence_with_its_cure() {
    // A port that is taken.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = listener.local_addr().unwrap().to_string();
    let busy = hive(&format!("listen = \"{taken}\""), ECHO);
    refused_by_up(&busy, &taken);
    drop(listener);
    // A file of tasks that is not there, and one that is none.
    refused_by_up(&hive("tasks = \"none.jsonl\"", ECHO), "none.jsonl");
    let broken = hive("tasks = \"tasks.jsonl\"", ECHO);
    std::fs::write(broken.path().join("tasks.jsonl"), "{\"description\": 1}").unwrap();
    refused_by_up(&broken, "tasks.jsonl:1");
    // An agent that cannot start.
    let agents = "[agents.none]\ncommand = [\"no-such-program\"]";
    refused_by_up(&hive("", agents), "no-such-program");
}

#[test]
fn a_file_of_tasks_that_another_has_open_is_one_sentence() {
    let locked = hive("db = \"tasks.db\"", ECHO);
    let mut other = crate::alone::Alone::in_folder(locked.path(), &["--db", "tasks.db"]);
    refused_by_up(&locked, "another coordinator has");
    other.stop();
    locked.ok(&["up", "-d"]);
    let done = records(&locked, &["add", "--wait", "--capability", "echo", "one"]);
    assert_eq!(done[0]["status"], "completed");
    locked.ok(&["down"]);
    assert!(
        locked.path().join("tasks.db").exists(),
        "what the file names is the user's"
    );
}

#[test]
fn a_port_that_a_stranger_took_meanwhile_is_given_up_where_no_agent_would_look_for_it() {
    let hive = hive("", ECHO);
    hive.ok(&["up", "-d"]);
    let before = address(&hive)["listen"].as_str().unwrap().to_owned();
    let supervisor = hive.the_supervisor();
    signal(supervisor, Signal::KILL);
    eventually("it is gone", || (!is_alive(supervisor)).then_some(()));
    // A connection that somebody makes meanwhile may have that number for its own end, for as long as it lasts.
    let _stranger = eventually("the port is free", || {
        std::net::TcpListener::bind(&before).ok()
    });
    // The agent looks for it there and nowhere else.
    let ran = hive.run(&["up", "-d"]);
    refused(&ran, &before);
    hive.ok(&["stop", "echo"]);
    hive.ok(&["up", "-d"]);
    assert_ne!(address(&hive)["listen"], before.as_str());
    let done = records(&hive, &["add", "--wait", "--capability", "echo", "one"]);
    assert_eq!(done[0]["status"], "completed");
}

#[test]
fn a_dry_run_begins_no_coordinator() {
    let hive = hive("", ECHO);
    hive.ok(&["up", "--dry-run"]);
    assert!(!hive.state().exists(), "nothing is begun");
}
