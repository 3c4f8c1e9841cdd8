//! From a task to its result.

use std::collections::HashMap;
use std::convert::Infallible;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex};

use alveary_agent::protocol::{AgentStatus, Capability, Happening, MAX_TEXT, TaskId, TaskStatus};
use alveary_agent::{Program, Task};
use serde_json::{Value, json};

use super::bed::{Bed, Way, brisk, id};
use super::hands::{Gate, shout};

/// What happened to a task, and whose doing it was.
fn kinds(story: &[Happening], of: TaskId) -> Vec<Value> {
    story
        .iter()
        .map(|what| serde_json::to_value(what).unwrap())
        .filter(|what| what["task"] == json!(of))
        .map(|what| json!([what["kind"], what["agent"]]))
        .collect()
}

pub(crate) async fn a_task_is_heard_of_bid_for_won_taken_up_and_done(way: Way) {
    let bed = Bed::calm(way).await;
    let tell = |task: Task| async move {
        let told = [
            task.task_id.to_string(),
            task.description.to_string(),
            task.capabilities.to_string(),
            task.attempt.to_string(),
            task.agent_id.to_string(),
        ];
        Ok::<_, Infallible>(told.join("|"))
    };
    let able: Capability = "song".parse().unwrap();
    let echo = bed.agent("echo").capability(able, tell);
    let echo = bed.start("echo", echo).await;
    let task = bed.add("sing \"ä\"\nlouder", "song").await;

    let done = bed.until_over(task).await;
    assert_eq!(done.status, TaskStatus::Completed);
    let told = format!("{task}|sing \"ä\"\nlouder|song|1|echo");
    assert_eq!(done.result, Some(told));
    assert_eq!(done.assigned_agent, Some(id("echo")));
    assert_eq!((done.auctions, done.attempts), (1, 1));
    let bids = bed.coordinator.bids(task).await.unwrap();
    assert_eq!(bids.len(), 1);
    assert_eq!(done.winning_bid, Some(bids[0].bid_sats));
    assert_eq!(
        kinds(&bed.story().await, task),
        [
            json!(["task_added", null]),
            json!(["auction_opened", null]),
            json!(["bid_placed", "echo"]),
            json!(["assigned", "echo"]),
            json!(["started", "echo"]),
            json!(["completed", "echo"]),
        ]
    );

    let known = &bed.coordinator.agents().await.unwrap()[0];
    assert_eq!(
        (known.name.as_str(), known.status),
        ("echo", AgentStatus::Idle)
    );
    assert_eq!(known.capabilities.to_string(), "song");
    let summary = echo.end().await;
    assert_eq!((summary.completed, summary.failed), (1, 0));
    let left = &bed.coordinator.agents().await.unwrap()[0];
    assert_eq!(left.status, AgentStatus::Offline);
}

pub(crate) async fn what_a_handler_cannot_do_fails_with_its_reason_and_is_not_tried_again(
    way: Way,
) {
    let bed = Bed::calm(way).await;
    let refuse = |_: Task| async move { Err::<String, _>("no voice <today>") };
    let echo = bed.start("echo", bed.agent("echo").handler(refuse)).await;
    let task = bed.add("sing", "").await;
    let failed = bed.until_over(task).await;
    assert_eq!(failed.status, TaskStatus::Failed);
    assert_eq!(failed.result.as_deref(), Some("no voice <today>"));
    assert_eq!((failed.auctions, failed.attempts), (1, 1));
    let summary = echo.end().await;
    assert_eq!((summary.completed, summary.failed), (0, 1));
}

pub(crate) async fn a_program_reads_its_task_and_prints_its_result(way: Way) {
    let bed = Bed::calm(way).await;
    let cat = Program::new(["cat"]).unwrap();
    let broken = Program::new(["sh", "-c", "echo half; echo no more ink >&2; exit 7"]).unwrap();
    let agent = bed
        .agent("echo")
        .capability("copy", cat)
        .capability("draw", broken);
    let _agent = bed.start("echo", agent).await;

    let copied = bed.add("say 'hello'", "copy").await;
    let done = bed.until_over(copied).await;
    let read: Value = serde_json::from_str(done.result.as_deref().unwrap()).unwrap();
    assert_eq!(
        read,
        json!({"task_id": copied, "description": "say 'hello'", "capabilities": ["copy"],
               "attempt": 1, "agent_id": "echo"})
    );

    let drawn = bed.add("draw", "draw").await;
    let failed = bed.until_over(drawn).await;
    assert_eq!(failed.status, TaskStatus::Failed);
    let why = failed.result.unwrap();
    assert!(
        why.contains("code 7") && why.contains("no more ink"),
        "{why}"
    );
}

/// What is longest in JSON: each byte is written as six.
fn hostile(length: usize) -> String {
    "\u{1}".repeat(length)
}

pub(crate) async fn the_longest_result_arrives_whole_whatever_is_in_it(way: Way) {
    let bed = Bed::calm(way).await;
    let longest = |_: Task| async move { Ok::<_, Infallible>(hostile(MAX_TEXT)) };
    let _agent = bed.start("echo", bed.agent("echo").handler(longest)).await;
    let task = bed.add("fill it", "").await;
    let done = bed.until_over(task).await;
    assert_eq!(done.status, TaskStatus::Completed, "{:.200?}", done.result);
    assert!(done.result == Some(hostile(MAX_TEXT)), "another result");
}

pub(crate) async fn a_result_that_is_too_long_fails_its_task(way: Way) {
    let bed = Bed::calm(way).await;
    let longer = |_: Task| async move { Ok::<_, Infallible>("x".repeat(MAX_TEXT + 1)) };
    let _agent = bed.start("echo", bed.agent("echo").handler(longer)).await;
    let task = bed.add("more than fits", "").await;
    let failed = bed.until_over(task).await;
    assert_eq!(failed.status, TaskStatus::Failed);
    let why = failed.result.unwrap();
    assert!(
        why.contains("262145 bytes") && why.len() < 200,
        "{why:.300}"
    );
}

pub(crate) async fn an_agent_does_as_many_tasks_at_a_time_as_it_is_told(way: Way) {
    for at_once in [1, 3] {
        let bed = Bed::with(way, brisk()).await;
        let gate = Gate::default();
        let agent = bed
            .agent("busy")
            .handler(gate.handler())
            .concurrency(NonZeroUsize::new(at_once).unwrap());
        let _agent = bed.start("busy", agent).await;
        let mut tasks = Vec::new();
        for number in 0..5 {
            tasks.push(bed.add(&format!("task {number}"), "").await);
        }
        // All are won, also those that it has no hands for yet.
        for task in &tasks {
            bed.until_won(*task, "busy").await;
        }
        gate.until_at_work(at_once).await;
        gate.open();
        for task in tasks {
            assert_eq!(bed.until_over(task).await.status, TaskStatus::Completed);
        }
        assert_eq!(gate.most(), at_once);
    }
}

pub(crate) async fn many_agents_do_many_tasks_each_once(way: Way) {
    const AGENTS: usize = 8;
    const TASKS: usize = 120;
    let bed = Bed::calm(way).await;
    let done: Arc<Mutex<HashMap<TaskId, Vec<String>>>> = Arc::default();
    let mut agents = Vec::new();
    for number in 0..AGENTS {
        let name = format!("worker-{number}");
        let done = done.clone();
        let note = move |task: Task| {
            let mut done = done.lock().unwrap();
            let by = done.entry(task.task_id).or_default();
            by.push(task.agent_id.to_string());
            shout(task)
        };
        agents.push(bed.start(&name, bed.agent(&name).handler(note)).await);
    }
    let mut tasks = Vec::new();
    for number in 0..TASKS {
        tasks.push(bed.add(&format!("task {number}"), "").await);
    }
    for (number, task) in tasks.iter().enumerate() {
        let over = bed.until_over(*task).await;
        assert_eq!(over.result, Some(format!("TASK {number}")));
        let by = done.lock().unwrap()[task].clone();
        assert_eq!(by, [over.assigned_agent.unwrap().to_string()]);
    }
    let story = bed.story().await;
    let assigned = story
        .iter()
        .filter(|what| matches!(what, Happening::Assigned { .. }));
    assert_eq!(assigned.count(), TASKS);
    let mut completed = 0;
    for agent in agents {
        completed += agent.end().await.completed;
    }
    assert_eq!(completed, TASKS as u64);
}
