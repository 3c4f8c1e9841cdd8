//! What a terminal does to a swarm, and what a swarm does to a terminal.

use std::fs;

use crate::hive::{Hive, is_alive, pid_of};
use crate::pty::Pty;
use crate::tally::processes;

/// Counts the signals that it gets, and goes on for a while after the first, to see whether there are more.
const COUNTING: &str = r#"
    swarm = "demo"
    [agents.counting]
    command = ["sh", "-c", """
        n=0
        trap 'n=$((n+1)); echo "TERM $n"' TERM
        trap 'echo INT' INT
        trap 'echo HUP' HUP
        echo at it
        while [ $n = 0 ]; do sleep 0.05; done
        for i in 1 2 3 4 5 6 7 8 9 10; do sleep 0.05; done
        echo leaving
    """]
    stop = { grace = "10s" }
"#;

#[test]
fn ctrl_c_reaches_agents_as_one_term_and_never_as_an_interrupt() {
    let hive = Hive::new(COUNTING);
    let mut pty = Pty::run(hive.command().arg("up"));
    pty.expect("at it");
    pty.send(b"\x03");
    pty.expect("NAME");
    assert_eq!(pty.finish().code(), Some(130), "{}", pty.shown());
    assert_eq!(hive.ok(&["logs", "counting"]), "at it\nTERM 1\nleaving\n");
    assert_eq!(hive.agent("counting")["exit"]["cause"], "us");
}

#[test]
fn a_second_ctrl_c_ends_at_once_what_would_rather_not() {
    let hive = Hive::new(
        r#"
        swarm = "demo"
        [agents.stubborn]
        command = ["sh", "-c", "trap '' TERM; echo here; while :; do sleep 0.1; done"]
        stop = { grace = "1h" }
        "#,
    );
    let mut pty = Pty::run(hive.command().arg("up"));
    pty.expect(" here");
    pty.send(b"\x03");
    pty.expect("once more");
    pty.send(b"\x03");
    assert_eq!(pty.finish().code(), Some(130), "{}", pty.shown());
    let exit = &hive.agent("stubborn")["exit"];
    assert_eq!(
        (&exit["signal"], &exit["cause"]),
        (&"SIGKILL".into(), &"us-by-force".into())
    );
}

#[test]
fn closing_the_terminal_of_a_detached_swarm_ends_none_of_it() {
    let hive =
        Hive::new("swarm = \"demo\"\n[agents.a]\ncount = 2\ncommand = [\"sleep\", \"1000\"]");
    let mut shell = hive.around("sh");
    shell.args([
        "-c",
        "\"$0\" up -d && echo all up && read line",
        env!("CARGO_BIN_EXE_alveary"),
    ]);
    let mut pty = Pty::run(&shell);
    pty.expect("all up");
    let before = hive.agents();
    let supervisor = hive.the_supervisor();
    pty.hang_up();
    assert!(is_alive(supervisor));
    assert!(before.iter().all(|agent| is_alive(pid_of(agent))));
    assert_eq!(hive.agents(), before);
}

#[test]
fn closing_the_terminal_of_a_foreground_swarm_stops_it() {
    let hive = Hive::new(COUNTING);
    let mut pty = Pty::run(hive.command().arg("up"));
    pty.expect("at it");
    pty.hang_up();
    assert_eq!(hive.agent("counting")["state"], "exited");
    assert_eq!(hive.ok(&["logs", "counting"]), "at it\nTERM 1\nleaving\n");
}

#[test]
fn what_an_agent_writes_cannot_drive_the_terminal() {
    let hive = Hive::new(
        r#"
        swarm = "demo"
        [agents.rude]
        command = ["printf", "\\033[2J\\033]0;title\\007 \\342\\200\\256 \\377 done\\n"]
        "#,
    );
    let mut pty = Pty::run(hive.command().args(["up", "--color", "never"]));
    assert_eq!(pty.finish().code(), Some(0), "{}", pty.shown());
    let shown = pty.shown();
    assert!(
        shown.contains(r"rude | \u{1b}[2J\u{1b}]0;title\u{7} \u{202e} \xff done"),
        "{shown}"
    );

    let raw = b"\x1b[2J\x1b]0;title\x07 \xe2\x80\xae \xff done\n";
    assert_eq!(hive.run(&["logs", "rude"]).bytes(), raw);
    let mut pty = Pty::run(hive.command().args(["logs", "rude"]));
    pty.finish();
    assert!(!pty.shown().contains('\u{1b}'), "{}", pty.shown());
}

#[test]
fn names_are_coloured_on_a_terminal_unless_somebody_minds() {
    let hive = Hive::new("swarm = \"demo\"\n[agents.a]\ncommand = [\"echo\", \"x\"]");
    for (args, no_color, coloured) in [
        (&["up"][..], false, true),
        (&["up", "--color", "never"], false, false),
        (&["up"], true, false),
        (&["up", "--color", "always"], true, true),
    ] {
        let mut command = hive.command();
        command.args(args);
        if no_color {
            command.env("NO_COLOR", "1");
        }
        let mut pty = Pty::run(&command);
        pty.finish();
        assert_eq!(
            pty.shown().contains("\u{1b}[3"),
            coloured,
            "{args:?}: {}",
            pty.shown()
        );
    }
}

#[test]
fn ctrl_c_while_some_are_brought_up_by_name_leaves_none_of_them_and_all_of_the_others() {
    let hive = Hive::new(
        r#"
        swarm = "demo"
        [agents.many]
        count = 100
        command = ["sleep", "1000"]
        [agents.other]
        command = ["sleep", "1000"]
        "#,
    );
    hive.ok(&["up", "-d", "other"]);
    let other = pid_of(&hive.agent("other"));
    // At another moment of the bring-up each time.
    for seen in ["many-1 started", "many-20 started", "many-60 started"] {
        let mut pty = Pty::run(hive.command().args(["up", "many"]));
        pty.expect(seen);
        pty.send(b"\x03");
        assert_eq!(pty.finish().code(), Some(130), "{}", pty.shown());
        assert!(!pty.shown().contains("error:"), "{}", pty.shown());
        let left = processes(&hive.state());
        let left: Vec<u32> = left.into_values().flatten().collect();
        assert_eq!(left, [other], "after {seen}: {}", pty.shown());
        let living = hive.ok(&["ps", "-q", "--filter", "state=running"]);
        assert_eq!(living.lines().count(), 1, "{living}");
    }
}

#[test]
fn a_bar_leaves_nothing_on_the_screen() {
    let hive = Hive::new(
        r#"
        swarm = "demo"
        [agents.gate]
        command = ["sleep", "1000"]
        ready = { command = ["test", "-e", "open"] }
        [agents.a]
        count = 3
        command = ["sleep", "1000"]
        after = "gate"
        "#,
    );
    let mut pty = Pty::run(hive.command().args(["up", "-d"]));
    // What is over at once may never be drawn: this is not over before the bar was seen.
    pty.expect("/4");
    fs::write(hive.path().join("open"), "").expect("a file for the gate");
    assert_eq!(pty.finish().code(), Some(0), "{}", pty.shown());
    let shown = pty.shown();
    for line in shown.lines() {
        // Whatever is drawn of it is wiped before it is drawn again, and before anything else is written.
        let pieces: Vec<_> = line.split("\x1b[2K").collect();
        let drawn = |piece: &str| piece.matches("starting").count();
        assert!(pieces.iter().all(|piece| drawn(piece) <= 1), "{shown:?}");
        assert_eq!(pieces.last().map_or(0, |left| drawn(left)), 0, "{shown:?}");
    }
}
