//! What a terminal shows of tasks while one waits for them.

use std::fmt::Write as _;

use rustix::process::Signal;

use crate::alone::{Alone, good, task};
use crate::bed::{Agent, program};
use crate::pty::Pty;

#[test]
fn a_terminal_shows_how_many_tasks_are_done_and_at_the_end_the_table_alone() {
    let dir = tempfile::tempdir().unwrap();
    let alone = Alone::in_folder(dir.path(), &[]);
    // All are begun; the first is done at once, and the others when they may.
    let exec = "sh -c 'grep -q first || until [ -e go ]; do sleep 0.02; done'";
    let mut agent = Agent::start(
        program()
            .current_dir(dir.path())
            .args([
                "agent",
                "--exec",
                exec,
                "--name",
                "Echo",
                "--concurrency",
                "3",
            ])
            .args(["--agent-id", "e1", "--url", &alone.url])
            .args(["--token-file", "coordinator.db.token"]),
    );
    agent.until_it_says("registered as");
    let tasks = ["the first", "the second", "the third"];
    let lines = tasks.map(|task| format!("{{\"description\": \"{task}\"}}\n"));
    std::fs::write(dir.path().join("tasks.jsonl"), lines.concat()).unwrap();
    let waits = task(dir.path(), &alone.url, &["import", "--wait", "tasks.jsonl"]);
    let mut pty = Pty::run(&waits);
    pty.until("one of three is done", |screen| {
        screen.contains("working") && screen.contains("1/3") && screen.contains("completed by Echo")
    });
    std::fs::write(dir.path().join("go"), "").unwrap();
    assert_eq!(pty.finish().code(), Some(0), "{}", pty.shown());
    let screen = pty.screen().screen().contents();
    assert!(!screen.contains("working"), "{screen}");
    let (_, table) = screen.split_once("TASK ").unwrap();
    for task in tasks {
        let row = table.lines().find(|row| row.contains(task)).unwrap();
        assert!(row.contains("completed"), "{row}");
    }
}

#[test]
fn a_terminal_shows_how_much_of_a_long_file_is_given() {
    let dir = tempfile::tempdir().unwrap();
    let alone = Alone::in_folder(dir.path(), &[]);
    let mut lines = String::new();
    for line in 0..1_500 {
        writeln!(lines, "{{\"description\": \"task {line}\"}}").unwrap();
    }
    std::fs::write(dir.path().join("tasks.jsonl"), lines).unwrap();
    let given = task(dir.path(), &alone.url, &["import", "tasks.jsonl"]);
    // What is over at once may never be drawn: this is not over before the bar was seen.
    alone.signal(Signal::STOP);
    let mut pty = Pty::run(&given);
    pty.expect("/1500");
    alone.signal(Signal::CONT);
    assert_eq!(pty.finish().code(), Some(0));
    let screen = pty.screen().screen().contents();
    assert!(!screen.contains("giving"), "{screen}");
    // Once more there is nothing to give, and a pipe sees no bar at all.
    let said = good(&mut task(
        dir.path(),
        &alone.url,
        &["import", "tasks.jsonl"],
    ));
    assert!(!said.contains("giving"), "{said}");
}
