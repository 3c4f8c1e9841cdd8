//! The tasks in `top`: how they stand, and what is left of auctions.

use rustix::termios::Winsize;

use crate::hive::Hive;
use crate::pty::{Pty, reversed};

const FILE: &str = r#"
    swarm = "demo"
    [coordinator]
    auction = "1h"
    tasks = "tasks.jsonl"
    [agents.echo]
    capabilities = ["echo"]
    command = ["{exe}", "agent", "--exec", "echo"]
"#;

const TASKS: &str = r#"{"description": "say one", "capabilities": ["echo"]}
{"description": "say two", "capabilities": ["echo"]}
{"description": "fly to the moon", "capabilities": ["fly"]}
"#;

#[test]
fn tasks_stand_as_they_stand_at_the_coordinator_and_an_open_auction_runs_out() {
    let hive = Hive::new(FILE);
    std::fs::write(hive.path().join("tasks.jsonl"), TASKS).unwrap();
    hive.ok(&["up", "-d"]);
    let size = Winsize {
        ws_row: 24,
        ws_col: 100,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    let mut pty = Pty::sized(hive.command().arg("top"), size);
    pty.until("two are done", |screen| {
        screen.contains("1 bidding, 2 completed")
    });
    pty.send(b"\t");
    pty.until("the auction that nobody bids in", |screen| {
        let row = |word| screen.lines().find(|line| line.contains(word));
        let (Some(open), Some(done)) = (row("fly to the moon"), row("say one")) else {
            return false;
        };
        // Within the first minute of the hour.
        open.contains("bidding") && open.contains(" 59m ") && done.contains("completed")
    });
    // One that comes meanwhile is seen, and what is typed finds it.
    hive.ok(&["task", "add", "--capability", "dive", "dive into the sea"]);
    pty.until("another", |screen| {
        screen.contains("2 bidding") && screen.contains("dive into the sea")
    });
    pty.send(b"/DIVE");
    pty.until("only that", |screen| {
        screen.contains("dive into the sea") && !screen.contains("fly to the moon")
    });
    pty.send(b"\r\x1b");
    pty.until("all again", |screen| {
        ALL.iter().all(|task| screen.contains(task))
    });
    keys_go_through_the_tasks_and_touch_no_agent(&hive, &mut pty);
    pty.send(b"q");
    assert_eq!(pty.finish().code(), Some(0), "{}", pty.shown());
}

/// Waits until the task is meant of which this stands in the row: it is reversed.
#[track_caller]
fn is_meant(pty: &mut Pty, task: &str) {
    pty.until_seen(task, |screen| {
        reversed(screen).is_some_and(|line| line.contains(task))
    });
}

const ALL: [&str; 4] = ["say one", "say two", "fly to the moon", "dive into the sea"];

fn keys_go_through_the_tasks_and_touch_no_agent(hive: &Hive, pty: &mut Pty) {
    let shown = pty.screen().screen().contents();
    let at = |task: &str| shown.lines().position(|line| line.contains(task)).unwrap();
    let mut rows = ALL.map(|task| (1 + at(task), task));
    rows.sort_unstable();
    let [first, second, _, last] = rows;
    for (keys, (_, task)) in [
        ("\x1b[F", last),
        ("\x1b[H", first),
        ("\x1b[B", second),
        ("k", first),
        // The wheel goes three rows at once.
        ("\x1b[<65;5;9M", last),
        ("\x1b[<64;5;9M", first),
    ] {
        pty.send(keys.as_bytes());
        is_meant(pty, task);
    }
    let (row, task) = second;
    pty.send(format!("\x1b[<0;5;{row}M\x1b[<0;5;{row}m").as_bytes());
    is_meant(pty, task);
    // What is done to agents is not done from here; back where they are, each stands as it stood.
    pty.send(b"rsl?");
    pty.until("the keys", |screen| screen.contains("restart the agent"));
    assert!(!pty.screen().screen().contents().contains("Stop "));
    pty.send(b"?\t");
    pty.until("agents", |screen| screen.contains("RESTARTS"));
    pty.send(b"\x1b[Z");
    is_meant(pty, task);
    assert_eq!(hive.agent("echo")["restarts"], 0);
    assert_eq!(hive.agent("echo")["state"], "running");
}
