//! The tasks in `top`: how they stand, and what is left of auctions.

use rustix::termios::Winsize;

use crate::hive::Hive;
use crate::pty::Pty;

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
    pty.send(b"\rq");
    assert_eq!(pty.finish().code(), Some(0), "{}", pty.shown());
}
