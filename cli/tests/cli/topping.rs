//! `top`, in a terminal: what a person sees, and what their keys do to agents that are there.

use rustix::process::Signal;
use rustix::termios::Winsize;

use crate::hive::{Hive, keeper_of, pid_of, signal};
use crate::pty::Pty;

const THREE: &str = r#"
    swarm = "demo"
    [agents.scout]
    count = 2
    command = ["sh", "-c", "echo \"off I go\"; exec sleep 1000"]
    [agents.moody]
    command = ["sh", "-c", "exit 3"]
"#;

const SIZE: Winsize = Winsize {
    ws_row: 24,
    ws_col: 100,
    ws_xpixel: 0,
    ws_ypixel: 0,
};

fn top(hive: &Hive) -> Pty {
    Pty::sized(hive.command().arg("top"), SIZE)
}

/// The terminal is as if nothing had been in it, and the swarm goes on.
#[track_caller]
fn is_as_it_was(pty: &Pty, before: &str) {
    let screen = pty.screen();
    let left = screen.screen();
    assert!(!left.alternate_screen() && !left.hide_cursor());
    assert_eq!(left.mouse_protocol_mode(), vt100::MouseProtocolMode::None);
    assert_eq!(pty.modes(), before);
}

#[test]
fn it_shows_who_there_is_and_stops_and_restarts_whom_one_means() {
    let hive = Hive::new(THREE);
    hive.ok(&["up", "-d"]);
    hive.ok(&["wait", "moody"]);
    let mut pty = top(&hive);
    let before = pty.modes();
    pty.until("who there is", |screen| {
        ["scout-1", "scout-2", "moody", "exited with code 3"]
            .iter()
            .all(|word| screen.contains(word))
    });
    assert_ne!(pty.modes(), before, "keys come one by one");
    // What they use up.
    pty.until("memory", |screen| {
        screen.contains("KiB") || screen.contains("MiB")
    });

    // No: it goes on.
    pty.send(b"js");
    pty.until("a question", |screen| screen.contains("Stop scout-2?"));
    pty.send(b"n");
    pty.until("no question", |screen| !screen.contains("Stop scout-2?"));
    assert_eq!(hive.agent("scout-2")["state"], "running");

    pty.send(b"sy");
    pty.until("what came of it", |screen| {
        screen.contains("scout-2 ended by SIGTERM")
    });
    let stopped = hive.agent("scout-2");
    assert_eq!(
        (&stopped["state"], &stopped["exit"]["cause"]),
        (&"exited".into(), &"us".into())
    );
    assert_eq!(hive.agent("scout-1")["state"], "running");

    pty.send(b"k");
    let first = pid_of(&hive.agent("scout-1"));
    pty.send(b"r");
    pty.until("what came of it", |screen| {
        screen.contains("scout-1 is running")
    });
    assert_ne!(pid_of(&hive.agent("scout-1")), first);

    pty.send(b"q");
    assert_eq!(pty.finish().code(), Some(0), "{}", pty.shown());
    is_as_it_was(&pty, &before);
    assert_eq!(hive.agent("scout-1")["state"], "running");
}

#[test]
fn a_click_means_the_agent_that_is_clicked_at() {
    let hive = Hive::new(THREE);
    hive.ok(&["up", "-d"]);
    let mut pty = top(&hive);
    pty.until("who there is", |screen| screen.contains("scout-2"));
    let screen = pty.screen();
    assert_ne!(
        screen.screen().mouse_protocol_mode(),
        vt100::MouseProtocolMode::None
    );
    let shown = screen.screen().contents();
    let row = 1 + shown
        .lines()
        .position(|line| line.contains("scout-2"))
        .unwrap();
    // As terminals tell of it: pressed and let go, the fifth column of that row.
    pty.send(format!("\x1b[<0;5;{row}M\x1b[<0;5;{row}m").as_bytes());
    pty.send(b"s");
    pty.until("a question", |screen| screen.contains("Stop scout-2?"));
    pty.send(b"nq");
    assert_eq!(pty.finish().code(), Some(0), "{}", pty.shown());
    assert_eq!(hive.agent("scout-2")["state"], "running");
}

#[test]
fn what_the_agent_writes_is_shown_as_it_writes_it_and_cannot_drive_the_terminal() {
    let hive = Hive::new(
        r#"
        swarm = "demo"
        [agents.poet]
        command = ["sh", "-c", "printf 'first \\033[2J line\\n'; until [ -e go ]; do sleep 0.05; done; echo second line; exec sleep 1000"]
        "#,
    );
    hive.ok(&["up", "-d"]);
    let mut pty = top(&hive);
    pty.until("the agent", |screen| screen.contains("poet"));
    pty.send(b"l");
    pty.until("its first line", |screen| {
        screen.contains(r"first \u{1b}[2J line")
    });
    std::fs::write(hive.path().join("go"), "").unwrap();
    pty.until("its second line", |screen| screen.contains("second line"));
    // Escape closes the output, and then everything.
    pty.send(b"\x1b");
    pty.until("no output", |screen| !screen.contains("second line"));
    pty.send(b"\x1b");
    assert_eq!(pty.finish().code(), Some(0), "{}", pty.shown());
}

#[test]
fn whoever_ends_it_by_a_signal_or_ctrl_c_has_the_terminal_back() {
    let hive = Hive::new(THREE);
    hive.ok(&["up", "-d"]);
    for end in [Some(Signal::TERM), Some(Signal::INT), None] {
        let mut pty = top(&hive);
        let before = pty.modes();
        pty.until("who there is", |screen| screen.contains("scout-2"));
        match end {
            Some(end) => signal(pty.pid(), end),
            None => pty.send(b"\x03"),
        }
        assert_eq!(pty.finish().code(), Some(0), "{}", pty.shown());
        is_as_it_was(&pty, &before);
    }
}

#[test]
fn while_the_keeper_stands_still_the_screen_says_so_and_answers_keys() {
    let hive = Hive::new(THREE);
    hive.ok(&["up", "-d"]);
    let keeper = keeper_of(pid_of(&hive.agent("scout-1")));
    let mut pty = top(&hive);
    pty.until("who there is", |screen| screen.contains("scout-2"));
    signal(keeper, Signal::STOP);
    pty.until("it is said", |screen| {
        screen.contains("has not answered for") || screen.contains("cannot be heard")
    });
    pty.send(b"?");
    pty.until("help", |screen| screen.contains("restart the agent"));
    signal(keeper, Signal::CONT);
    pty.until("it is over", |screen| {
        !screen.contains("has not answered for") && !screen.contains("cannot be heard")
    });
    pty.send(b"?");
    pty.until("no help", |screen| !screen.contains("restart the agent"));
    pty.send(b"q");
    assert_eq!(pty.finish().code(), Some(0), "{}", pty.shown());
}

#[test]
fn a_swarm_that_is_brought_up_meanwhile_is_shown() {
    let hive = Hive::new(THREE);
    let mut pty = top(&hive);
    pty.until("there is none", |screen| {
        screen.contains("never been brought up")
    });
    hive.ok(&["up", "-d"]);
    pty.until("who there is", |screen| screen.contains("scout-2"));
    pty.resize(Winsize {
        ws_col: 60,
        ws_row: 15,
        ..SIZE
    });
    // A key that comes in the very moment of a new size is read with the next key: crossterm's own.
    pty.until("the new size", |screen| !screen.contains("READY"));
    pty.send(b"q");
    assert_eq!(pty.finish().code(), Some(0), "{}", pty.shown());
}

#[test]
fn it_is_coloured_unless_somebody_minds() {
    let hive = Hive::new(THREE);
    hive.ok(&["up", "-d"]);
    for (args, no_color, is_coloured) in [
        (&["top"][..], false, true),
        (&["top", "--color", "never"], false, false),
        (&["top"], true, false),
        (&["top", "--color", "always"], true, true),
    ] {
        let mut command = hive.command();
        command.args(args);
        if no_color {
            command.env("NO_COLOR", "1");
        }
        let mut pty = Pty::sized(&command, SIZE);
        pty.until("who there is", |screen| screen.contains("scout-2"));
        pty.send(b"q");
        pty.finish();
        // Colours are set by 38;… and 48;….
        let shown = pty.shown();
        let coloured = shown.contains("\u{1b}[38;") || shown.contains("\u{1b}[48;");
        assert_eq!(coloured, is_coloured, "{args:?}: {shown:?}");
    }
}

#[test]
fn without_a_terminal_it_says_what_there_is_instead() {
    let hive = Hive::new(THREE);
    let ran = hive.run(&["top"]);
    assert_eq!(ran.code(), Some(2), "{ran}");
    assert_eq!(ran.stdout(), "");
    let said = ran.stderr();
    assert!(
        said.contains("draws on a terminal") && said.contains("`alveary ps --watch`"),
        "{said}"
    );
}

#[test]
fn a_file_that_cannot_be_read_is_told_of_before_the_terminal_is_taken() {
    let hive = Hive::new("swarm = \"demo\"\n[agents.a]\ncomand = [\"true\"]");
    let mut pty = top(&hive);
    assert_eq!(pty.finish().code(), Some(2), "{}", pty.shown());
    assert!(
        pty.shown().contains("comand") && !pty.shown().contains("\u{1b}[?1049h"),
        "{}",
        pty.shown()
    );
}
