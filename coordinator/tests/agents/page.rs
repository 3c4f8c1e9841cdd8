//! What `docs/agents.md` shows is run; its Rust is a doctest of this crate.

use std::collections::BTreeMap;

use rustix::process::Signal;
use serde_json::{Value, json};
use tokio::process::Command;

use super::bed::{NEVER, PATIENCE};
use super::processes::{House, Process};

const PAGE: &str = include_str!("../../../docs/agents.md");

/// The blocks of the page by their language, each language's in the order of the page.
fn blocks() -> BTreeMap<&'static str, Vec<String>> {
    let mut blocks: BTreeMap<_, Vec<String>> = BTreeMap::new();
    let mut lines = PAGE.lines();
    while let Some(line) = lines.next() {
        if let Some(language) = line.strip_prefix("```") {
            let body = lines.by_ref().take_while(|line| *line != "```");
            let body: Vec<&str> = body.collect();
            let body = body.join("\n") + "\n";
            blocks.entry(language).or_default().push(body);
        }
    }
    blocks
}

pub(crate) async fn no_block_is_of_a_language_that_nobody_runs() {
    let languages: Vec<_> = blocks().into_keys().collect();
    // What is shown of a terminal, and the files of it, `.ci/book` runs.
    assert_eq!(
        languages,
        ["console", "json", "python", "rust", "sh", "toml"]
    );
}

/// What a program reads has the fields that the page shows.
pub(crate) async fn the_line_that_a_program_reads_is_as_shown() {
    let [shown] = &blocks()["json"][..] else {
        panic!("there is another block of JSON");
    };
    let shown: Value = serde_json::from_str(shown).unwrap();
    let house = House::new(NEVER, NEVER);
    let served = house.serve(0, |_| {}).await;
    let cat = alveary_agent::Program::new(["cat"]).unwrap();
    let agent = served.agent("echo").capability("summarise", cat);
    let cancel = tokio_util::sync::CancellationToken::new();
    let running = tokio::spawn(agent.build().unwrap().run(cancel.clone()));
    served.until_known("echo").await;
    let task = served.give_asking("say hello", &["summarise"]).await;
    let done = served.until_is(task, "completed").await;
    let mut read: Value = serde_json::from_str(done["result"].as_str().unwrap()).unwrap();
    assert_eq!(read["task_id"], json!(task));
    read["task_id"] = shown["task_id"].clone();
    assert_eq!(read, shown);
    cancel.cancel();
    running.await.unwrap().unwrap();
}

pub(crate) async fn the_six_requests_make_an_agent() {
    let house = House::new(NEVER, NEVER);
    let served = house.serve(0, |_| {}).await;
    let task = served.give_asking("hello", &["shout"]).await;
    let script = house.path().join("agent.sh");
    std::fs::write(&script, blocks()["sh"].concat()).unwrap();
    let run = Command::new("bash")
        .args(["-euo", "pipefail"])
        .arg(&script)
        .env("COORDINATOR_URL", served.url())
        .env("AGENT_ID", "shell")
        .env("COORDINATOR_TOKEN_FILE", house.token("shell"))
        .kill_on_drop(true)
        .output();
    let ran = tokio::time::timeout(PATIENCE, run).await.unwrap().unwrap();
    assert!(ran.status.success(), "{ran:?}");
    let done = served.until_is(task, "completed").await;
    assert_eq!(
        (&done["assigned_agent"], &done["result"]),
        (&json!("shell"), &json!("HELLO"))
    );
    let known = served.ask("GET", "/v1/agents", None).await.unwrap();
    let [known] = known["agents"].as_array().unwrap().as_slice() else {
        panic!("{known}");
    };
    assert_eq!(
        (&known["name"], &known["status"]),
        (&json!("shell"), &json!("offline"))
    );
}

pub(crate) async fn the_agent_in_python_does_one_task_after_the_other() {
    let house = House::new(NEVER, NEVER);
    let served = house.serve(0, |_| {}).await;
    let script = house.path().join("agent.py");
    let python = &blocks()["python"];
    let [agent] = python
        .iter()
        .filter(|block| !block.starts_with("# "))
        .collect::<Vec<_>>()[..]
    else {
        panic!("which of them is the agent? {python:?}");
    };
    std::fs::write(&script, agent).unwrap();
    let mut command = Command::new("python3");
    command
        .arg(&script)
        .env("COORDINATOR_URL", served.url())
        .env("AGENT_ID", "python")
        .env("COORDINATOR_TOKEN_FILE", house.token("python"));
    let python = Process::start(command);
    for (said, heard) in [("hello", "olleh"), ("w\u{f6}rld", "dlr\u{f6}w")] {
        let task = served.give(said).await;
        let done = served.until_is(task, "completed").await;
        assert_eq!(
            (&done["assigned_agent"], &done["result"]),
            (&json!("python"), &json!(heard))
        );
    }
    python.end(Signal::KILL).await;
}
