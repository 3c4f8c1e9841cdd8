//! Agents of the original beside a swarm, and its routes that start and stop agents.

use std::io::{Read as _, Write as _};

use rustix::process::Signal;
use serde_json::Value;

use crate::beside::{ECHO, address, hive, records};
use crate::hive::{Hive, eventually, is_alive, pid_of, signal};

/// It knows nothing but the original's routes, and is told nothing but its variables.
const AGENT: &str = r#"
import json, os, time, urllib.parse, urllib.request
base, me = os.environ["COORDINATOR_URL"].rstrip("/"), os.environ["AGENT_ID"]
seen = set()
def get(path):
    with urllib.request.urlopen(base + path, timeout=10) as answer:
        return json.load(answer)
def post(path, body, kind):
    headers = {"Content-Type": kind}
    request = urllib.request.Request(base + path, body.encode(), headers)
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.load(answer)
while True:
    if os.path.exists("quiet"):
        # It lives, and says nothing.
        time.sleep(0.1)
        continue
    for task in get("/internal/tasks"):
        if task["task_id"] not in seen:
            seen.add(task["task_id"])
            bid = {"task_id": task["task_id"], "agent_id": me, "bid_sats": 42,
                   "capabilities": os.environ["AGENT_CAPABILITIES"]}
            post("/internal/bids", json.dumps(bid), "application/json")
    for task in get("/swarm/tasks?status=assigned")["tasks"]:
        if task["assigned_agent"] == me:
            result = urllib.parse.urlencode({"result": "did " + task["description"]})
            post("/swarm/tasks/" + task["id"] + "/complete", result, "application/x-www-form-urlencoded")
    time.sleep(0.1)
"#;

/// A hive whose agent is one of the original.
fn with_an_original(coordinator: &str) -> Hive {
    let agents = r#"
        [agents.timmy]
        capabilities = ["echo"]
        command = ["python3", "agent.py"]
    "#;
    let hive = hive(
        &format!("auth = \"none\"\nauction = \"10s\"\n{coordinator}"),
        agents,
    );
    std::fs::write(hive.path().join("agent.py"), AGENT).unwrap();
    hive
}

#[test]
fn an_agent_of_the_original_joins_bids_and_delivers_without_a_token() {
    let hive = with_an_original("tasks = \"tasks.jsonl\"");
    let ran = hive.run(&["up"]);
    assert_eq!(ran.stdout().matches("completed").count(), 2, "{ran}");
    assert!(ran.stdout().contains("did one"), "{ran}");
}

#[test]
fn a_coordinator_that_comes_back_has_from_its_swarm_who_lives_and_who_is_gone() {
    let hive = with_an_original("heartbeat = \"10m\"");
    hive.ok(&["up", "-d"]);
    let done = records(&hive, &["add", "--wait", "--capability", "echo", "one"]);
    assert_eq!(done[0]["status"], "completed");
    // It has no heartbeat, and from now on it does not even poll.
    std::fs::write(hive.path().join("quiet"), "").unwrap();
    let status = || {
        let known = ask(&hive, "GET", "/v1/agents", "");
        let [known] = known["agents"].as_array().unwrap().as_slice() else {
            panic!("{known}");
        };
        known["status"].as_str().unwrap().to_owned()
    };
    assert_eq!(status(), "idle");
    let supervisor = hive.the_supervisor();
    signal(supervisor, Signal::KILL);
    eventually("it is gone", || (!is_alive(supervisor)).then_some(()));
    let agent = pid_of(&hive.agent("timmy"));
    hive.ok(&["up", "-d"]);
    assert_eq!(pid_of(&hive.agent("timmy")), agent, "the agent lives on");
    eventually("it is not taken for gone", || {
        (status() == "idle").then_some(())
    });
    // What ends while nobody is there to see it is gone when the next comes.
    let supervisor = hive.the_supervisor();
    signal(supervisor, Signal::KILL);
    eventually("it is gone", || (!is_alive(supervisor)).then_some(()));
    signal(agent, Signal::KILL);
    eventually("the agent is gone", || (!is_alive(agent)).then_some(()));
    let other = "[agents.calm]\ncommand = [\"sleep\", \"1000\"]";
    let text = std::fs::read_to_string(hive.path().join("alveary.toml")).unwrap();
    hive.rewrite(&format!("{text}\n{other}"));
    hive.ok(&["up", "-d", "calm"]);
    eventually("it is known to be gone", || {
        (status() == "offline").then_some(())
    });
}

/// Asks as the admin, and gives the answer.
fn ask(hive: &Hive, method: &str, path: &str, form: &str) -> Value {
    let at = address(hive)["listen"].as_str().unwrap().to_owned();
    let token = std::fs::read_to_string(hive.state().join("demo/coordinator/admin.token")).unwrap();
    let mut stream = std::net::TcpStream::connect(&at).unwrap();
    let length = form.len();
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nHost: {at}\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n\
         Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {length}\r\n\r\n{form}"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (_, body) = answer.split_once("\r\n\r\n").unwrap();
    serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {answer}"))
}

#[test]
fn the_originals_routes_start_and_stop_what_the_file_names() {
    let agents = format!("{ECHO}\n[agents.calm]\ncommand = [\"sleep\", \"1000\"]");
    let hive = hive("", &agents);
    hive.ok(&["up", "-d", "calm"]);
    assert_eq!(hive.agents().len(), 1);
    let started = ask(&hive, "POST", "/swarm/spawn", "name=echo");
    let echo = hive.agent("echo");
    for (field, is) in [
        ("agent_id", &echo["agent_id"]),
        ("pid", &echo["pid"]),
        ("name", &"echo".into()),
        ("status", &"running".into()),
    ] {
        assert_eq!(&started[field], is, "{started}");
    }
    let done = records(&hive, &["add", "--wait", "--capability", "echo", "one"]);
    assert_eq!(done[0]["status"], "completed");
    let id = echo["agent_id"].as_str().unwrap();
    let stopped = ask(&hive, "DELETE", &format!("/swarm/agents/{id}"), "");
    assert_eq!(stopped["stopped"], true, "{stopped}");
    assert_eq!(hive.agent("echo")["state"], "exited");
    for stranger in [
        "stranger",
        "<script>alert(1)</script>",
        "'; DROP TABLE agents; --",
        "../../calm",
        "--all",
    ] {
        let refused = ask(&hive, "POST", "/swarm/spawn", &format!("name={stranger}"));
        let told = refused["detail"].as_str().unwrap();
        assert!(told.contains(stranger), "{refused}");
        assert_eq!(hive.agents().len(), 2, "{stranger}");
    }
}
