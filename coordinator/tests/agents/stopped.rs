//! Agents that are stopped by a signal for longer than they may be silent, and continued.

use std::time::Duration;

use alveary_agent::protocol::{Happening, TaskId};
use rustix::process::Signal;
use serde_json::Value;
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;
use tokio_util::sync::CancellationToken;

use super::bed::{NEVER, id};
use super::hands::shout;
use super::processes::{House, Process, Served, this_as};

const HEARTBEAT: Duration = Duration::from_secs(10);

/// Has a task done by another agent than the one that stands still with it.
async fn done_by_another(served: &Served<'_>, task: TaskId) -> Value {
    // As long as the other one is here it counts, and would be waited for.
    let offline = |agent: &Value| agent["id"] == "stopped" && agent["status"] == "offline";
    served
        .until("/v1/agents", |known| {
            known["agents"].as_array().unwrap().iter().any(offline)
        })
        .await;
    let cancel = CancellationToken::new();
    let other = served.agent("other").handler(shout).build().unwrap();
    let running = tokio::spawn(other.run(cancel.clone()));
    let done = served.until_is(task, "completed").await;
    assert_eq!(done["assigned_agent"], "other");
    cancel.cancel();
    running.await.unwrap().unwrap();
    done
}

pub(crate) async fn a_stopped_agents_report_is_refused_with_409_and_recorded() {
    let house = House::new(NEVER, HEARTBEAT);
    let served = house.serve(0, |_| {}).await;
    let mut command = Command::new("python3");
    command
        .arg(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/tests/agents/worker.py"
        ))
        .env("COORDINATOR_URL", served.url())
        .env("COORDINATOR_TOKEN_FILE", house.token("stopped"))
        .env("AGENT_ID", "stopped");
    let mut python = Process::start(command);
    assert_eq!(python.line().await, "registered");
    let task = served.give("sing").await;
    assert_eq!(python.line().await, format!("at work on {task}"));

    python.freeze().await;
    // What it is to do next is there when it goes on.
    python.stdin.write_all(b"report\n").await.unwrap();
    let done = done_by_another(&served, task).await;
    python.signal(Signal::CONT);
    assert_eq!(python.line().await, "reported: 409 superseded");
    assert_eq!(served.until_is(task, "completed").await, done);

    // It is an agent like any other again.
    let next = served.give("sing again").await;
    assert_eq!(python.line().await, format!("at work on {next}"));
    python.stdin.write_all(b"report\n").await.unwrap();
    assert_eq!(python.line().await, "reported: 200 None");
    assert_eq!(
        served.until_is(next, "completed").await["result"],
        "by python"
    );

    python.end(Signal::KILL).await;
    served.process.end(Signal::TERM).await;
    let late = |what: &&Happening| matches!(what, Happening::LateReport { .. });
    let story = house.story().await;
    let recorded: Vec<_> = story.iter().filter(late).collect();
    let expected = Happening::LateReport {
        task,
        agent: id("stopped"),
        attempt: 1,
    };
    assert_eq!(recorded, [&expected]);
}

pub(crate) async fn a_stopped_agent_calls_off_another_agents_work_when_it_goes_on() {
    let house = House::new(NEVER, HEARTBEAT);
    let served = house.serve(0, |_| {}).await;
    let token = house.token("stopped");
    let mut agent = Process::start(this_as(&[
        "agent",
        &served.url(),
        "stopped",
        token.to_str().unwrap(),
    ]));
    served.until_known("stopped").await;
    let task = served.give("stay").await;
    assert_eq!(agent.line().await, "at work");

    agent.freeze().await;
    done_by_another(&served, task).await;
    agent.signal(Signal::CONT);
    assert_eq!(agent.line().await, "called off");
    let next = served.give("sing").await;
    let done = served.until_is(next, "completed").await;
    assert_eq!(
        (&done["assigned_agent"], &done["result"]),
        (&"stopped".into(), &"SING".into())
    );
    agent.signal(Signal::TERM);
    let summary = agent.line().await;
    for part in ["completed: 1", "superseded: 1", "given_back: 0"] {
        assert!(summary.contains(part), "{summary}");
    }
}
