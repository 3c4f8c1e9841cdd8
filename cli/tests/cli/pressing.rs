//! Every key of `top`, and what the mouse does, as a terminal tells of it.

use std::collections::BTreeSet;

use rustix::termios::Winsize;

use crate::hive::Hive;
use crate::pty::{Pty, reversed};

const BEES: &str = r#"
    swarm = "demo"
    [agents.bee]
    count = 12
    command = ["sleep", "1000"]
"#;

const THREE: &str = r#"
    swarm = "demo"
    [agents.scout]
    count = 2
    command = ["sleep", "1000"]
    [agents.moody]
    command = ["sh", "-c", "exit 3"]
"#;

const POET: &str = r#"
    swarm = "demo"
    [agents.poet]
    command = ["sh", "-c", "for n in $(seq 60); do echo line $n of sixty lines; done; exec sleep 1000"]
    [agents.mute]
    command = ["sleep", "1000"]
"#;

const UP: &str = "\x1b[A";
const DOWN: &str = "\x1b[B";
const RIGHT: &str = "\x1b[C";
const LEFT: &str = "\x1b[D";
const HOME: &str = "\x1b[H";
const END: &str = "\x1b[F";
const PAGE_UP: &str = "\x1b[5~";
const PAGE_DOWN: &str = "\x1b[6~";
const BACKSPACE: &str = "\x7f";
const ESCAPE: &str = "\x1b";
const ENTER: &str = "\r";

/// The left button, and the wheel.
const CLICK: u8 = 0;
const WHEEL_UP: u8 = 64;
const WHEEL_DOWN: u8 = 65;

/// A terminal of so many rows, with a swarm of this file on it.
fn top(hive: &Hive, rows: u16, filter: &[&str]) -> Pty {
    hive.ok(&["up", "-d"]);
    let size = Winsize {
        ws_row: rows,
        ws_col: 100,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    Pty::sized(hive.command().arg("top").args(filter), size)
}

fn press(pty: &mut Pty, keys: &str) {
    pty.send(keys.as_bytes());
}

/// Uses the mouse over the first line in which this stands.
#[track_caller]
fn mouse(pty: &mut Pty, button: u8, over: &str) {
    let shown = pty.screen().screen().contents();
    let row = shown.lines().position(|line| line.contains(over));
    let row = 1 + row.unwrap_or_else(|| panic!("{over} is not there: {shown}"));
    pty.send(format!("\x1b[<{button};5;{row}M").as_bytes());
    if button == CLICK {
        pty.send(format!("\x1b[<{button};5;{row}m").as_bytes());
    }
}

#[track_caller]
fn is_meant(pty: &mut Pty, name: &str) {
    pty.until_seen(&format!("{name} is meant"), |screen| {
        let line = reversed(screen).unwrap_or_default();
        line.split_whitespace().next() == Some(name)
    });
}

/// The names of the agents that are shown, from above.
fn shown(screen: &vt100::Screen) -> Vec<String> {
    let (_, columns) = screen.size();
    let names = screen
        .rows(0, columns.get())
        .filter_map(|line| line.split_whitespace().next().map(ToOwned::to_owned));
    let is_agent = |name: &String| {
        let of = ["bee-", "scout-", "moody"];
        of.iter().any(|of| name.starts_with(of))
    };
    names.filter(is_agent).collect()
}

#[track_caller]
fn are_shown(pty: &mut Pty, names: &[&str]) {
    pty.until_seen(&format!("{names:?}"), |screen| shown(screen) == names);
}

#[track_caller]
fn ends(mut pty: Pty) {
    press(&mut pty, "q");
    assert_eq!(pty.finish().code(), Some(0), "{}", pty.shown());
}

#[test]
fn keys_and_the_wheel_go_through_the_list_and_a_click_means_what_is_under_it_wherever_the_list_is()
{
    let hive = Hive::new(BEES);
    let mut pty = top(&hive, 8, &[]);
    are_shown(&mut pty, &["bee-1", "bee-2", "bee-3", "bee-4", "bee-5"]);
    for (keys, name) in [
        (DOWN, "bee-2"),
        ("j", "bee-3"),
        (UP, "bee-2"),
        ("k", "bee-1"),
        (PAGE_DOWN, "bee-6"),
        (PAGE_DOWN, "bee-11"),
        (PAGE_UP, "bee-6"),
        (END, "bee-12"),
        (HOME, "bee-1"),
        // As terminals say it that are asked for their other keys.
        ("\x1bOB", "bee-2"),
        ("\x1b[4~", "bee-12"),
        ("\x1b[1~", "bee-1"),
    ] {
        press(&mut pty, keys);
        is_meant(&mut pty, name);
    }
    mouse(&mut pty, WHEEL_DOWN, "bee-3");
    is_meant(&mut pty, "bee-4");
    mouse(&mut pty, WHEEL_DOWN, "bee-3");
    is_meant(&mut pty, "bee-7");
    mouse(&mut pty, WHEEL_UP, "bee-4");
    is_meant(&mut pty, "bee-4");

    press(&mut pty, END);
    are_shown(&mut pty, &["bee-8", "bee-9", "bee-10", "bee-11", "bee-12"]);
    mouse(&mut pty, CLICK, "bee-9");
    is_meant(&mut pty, "bee-9");
    // Headings are nobody.
    mouse(&mut pty, CLICK, "NAME");
    press(&mut pty, DOWN);
    is_meant(&mut pty, "bee-10");
    ends(pty);
}

/// The numbers of the poet's lines that are seen, the first and the last; none where only half is drawn.
fn lines(screen: &vt100::Screen) -> Option<(usize, usize)> {
    let text = screen.contents();
    let numbers = text.lines().filter_map(|line| {
        let (number, _) = line.strip_prefix("line ")?.split_once(" of")?;
        number.parse().ok()
    });
    let numbers: Vec<usize> = numbers.collect();
    let (first, last) = (*numbers.first()?, *numbers.last()?);
    numbers
        .iter()
        .copied()
        .eq(first..=last)
        .then_some((first, last))
}

#[test]
fn keys_and_the_wheel_go_through_the_output_where_it_is_open() {
    let hive = Hive::new(POET);
    let mut pty = top(&hive, 24, &[]);
    is_meant(&mut pty, "poet");
    press(&mut pty, ENTER);
    let at_the_end = |screen: &vt100::Screen| lines(screen).is_some_and(|(_, last)| last == 60);
    pty.until_seen("the newest", at_the_end);
    press(&mut pty, "l");
    pty.until("no output", |screen| !screen.contains("line 60"));
    press(&mut pty, "l");
    pty.until_seen("the newest again", at_the_end);
    press(&mut pty, ENTER);
    pty.until("no output", |screen| !screen.contains("line 60"));
    press(&mut pty, ENTER);
    pty.until_seen("the newest again", at_the_end);

    press(&mut pty, HOME);
    let begins = |first| {
        move |screen: &vt100::Screen| lines(screen).is_some_and(|(number, _)| number == first)
    };
    pty.until_seen("the oldest", begins(1));
    pty.until("how one goes on", |screen| {
        screen.contains("End shows what is new")
    });
    let (_, room) = lines(pty.screen().screen()).unwrap();
    press(&mut pty, PAGE_DOWN);
    pty.until_seen("the next page", begins(1 + room));
    press(&mut pty, PAGE_UP);
    pty.until_seen("the page before", begins(1));
    mouse(&mut pty, WHEEL_DOWN, "line 3 of");
    pty.until_seen("a little further", begins(4));
    mouse(&mut pty, WHEEL_UP, "line 5 of");
    pty.until_seen("a little back", begins(1));
    press(&mut pty, END);
    pty.until_seen("the newest", at_the_end);
    pty.until("it is followed", |screen| {
        !screen.contains("End shows what is new")
    });

    press(&mut pty, RIGHT);
    let is_line = |line: &str| line.starts_with("of sixty lines");
    pty.until("what is to the right", |screen| screen.lines().any(is_line));
    press(&mut pty, LEFT);
    pty.until_seen("what is to the left", at_the_end);

    // Over the list, the wheel is the list's, and so are the arrows.
    let of_the_other = |screen: &str| screen.contains("nothing has been written yet");
    mouse(&mut pty, WHEEL_DOWN, "mute");
    pty.until("the other's", of_the_other);
    mouse(&mut pty, WHEEL_UP, "mute");
    pty.until_seen("the first one's", at_the_end);
    press(&mut pty, DOWN);
    pty.until("the other's", of_the_other);
    ends(pty);
}

#[test]
fn a_filter_is_typed_edited_given_up_and_kept() {
    let hive = Hive::new(THREE);
    let mut pty = top(&hive, 24, &[]);
    let all = ["scout-1", "scout-2", "moody"];
    are_shown(&mut pty, &all);
    press(&mut pty, "/moo");
    are_shown(&mut pty, &["moody"]);
    // What would be keys are letters now.
    press(&mut pty, "qs?");
    pty.until("nobody is like that", |screen| screen.contains("`mooqs?`"));
    press(&mut pty, &BACKSPACE.repeat(6));
    are_shown(&mut pty, &all);
    press(&mut pty, "out-2");
    are_shown(&mut pty, &["scout-2"]);
    press(&mut pty, ESCAPE);
    are_shown(&mut pty, &all);

    press(&mut pty, "/exit\r");
    pty.until("it is kept", |screen| {
        screen.contains("filter: exit") && !screen.contains("Enter keeps it")
    });
    are_shown(&mut pty, &["moody"]);
    press(&mut pty, &format!("/{}scout", BACKSPACE.repeat(4)));
    are_shown(&mut pty, &all[..2]);
    // Given up, it is the one before.
    press(&mut pty, ESCAPE);
    pty.until("the one before", |screen| screen.contains("filter: exit"));
    are_shown(&mut pty, &["moody"]);
    press(&mut pty, ESCAPE);
    are_shown(&mut pty, &all);
    ends(pty);

    // One to begin with.
    let mut pty = top(&hive, 24, &["scout-1"]);
    are_shown(&mut pty, &["scout-1"]);
    press(&mut pty, "/");
    pty.until("it is typed", |screen| screen.contains("Enter keeps it"));
    press(&mut pty, "\x03");
    assert_eq!(pty.finish().code(), Some(0), "{}", pty.shown());
}

#[test]
fn o_puts_agents_in_one_order_after_the_other_and_a_large_one_the_other_way_round() {
    let hive = Hive::new(THREE);
    let mut pty = top(&hive, 24, &[]);
    let as_in_the_file = ["scout-1", "scout-2", "moody"];
    are_shown(&mut pty, &as_in_the_file);
    press(&mut pty, "O");
    pty.until("which way", |screen| screen.contains("NAME▲"));
    are_shown(&mut pty, &["moody", "scout-2", "scout-1"]);
    press(&mut pty, "O");
    are_shown(&mut pty, &as_in_the_file);

    press(&mut pty, "o");
    pty.until("by state", |screen| screen.contains("STATE▼"));
    are_shown(&mut pty, &["moody", "scout-1", "scout-2"]);
    press(&mut pty, "O");
    pty.until("which way", |screen| screen.contains("STATE▲"));
    are_shown(&mut pty, &["scout-2", "scout-1", "moody"]);
    for heading in ["CPU▼", "MEMORY▼", "PIDS▼", "RESTARTS▼", "AGE▼"] {
        press(&mut pty, "o");
        pty.until(heading, |screen| screen.contains(heading));
    }
    press(&mut pty, "o");
    pty.until("no mark", |screen| !screen.contains('▼'));
    are_shown(&mut pty, &as_in_the_file);
    ends(pty);
}

#[test]
fn what_lies_over_the_list_is_closed_by_a_click_and_only_y_stops_anybody() {
    let hive = Hive::new(THREE);
    let mut pty = top(&hive, 24, &[]);
    is_meant(&mut pty, "scout-1");
    let keys = |screen: &str| screen.contains("restart the agent");
    let none = |screen: &str| !screen.contains("restart the agent");
    // Any key closes the keys, and does nothing else.
    for close in ["q", ESCAPE, "s"] {
        press(&mut pty, "h");
        pty.until("the keys", keys);
        press(&mut pty, close);
        pty.until("no keys", none);
    }
    press(&mut pty, "?");
    pty.until("the keys", keys);
    // Neither does the wheel.
    mouse(&mut pty, WHEEL_DOWN, "scout-2");
    mouse(&mut pty, CLICK, "scout-2");
    pty.until("no keys", none);
    is_meant(&mut pty, "scout-1");

    let question = |screen: &str| screen.contains("Stop scout-1?");
    press(&mut pty, "s");
    pty.until("a question", question);
    mouse(&mut pty, CLICK, "scout-2");
    pty.until("no question", |screen| !question(screen));
    // With Ctrl and Alt it is another key. Behind them comes one that shows that they were read.
    for other in ["\x13", "\x12", "\x1bs", "\x1br", "\x1bq", "?"] {
        press(&mut pty, other);
    }
    pty.until("the keys, and nothing done", |screen| {
        keys(screen) && !question(screen) && !screen.contains("scout-1 is running")
    });
    press(&mut pty, "?");
    pty.until("no keys", none);
    press(&mut pty, "s");
    pty.until("a question", question);
    assert_eq!(hive.agent("scout-1")["state"], "running");
    press(&mut pty, "Y");
    pty.until("what came of it", |screen| {
        screen.contains("scout-1 ended by SIGTERM")
    });
    assert_eq!(hive.agent("scout-2")["state"], "running");
    ends(pty);
}

#[test]
fn the_screen_and_the_guide_tell_of_the_same_keys() {
    let hive = Hive::new(THREE);
    let mut pty = top(&hive, 24, &[]);
    is_meant(&mut pty, "scout-1");
    press(&mut pty, "?");
    pty.until("the keys", |screen| screen.contains("Ctrl-C"));
    let screen = pty.screen().screen().contents();
    let window = screen.lines().filter_map(|line| line.split('│').nth(1));
    // Keys, at least two blanks, and what they do.
    let told: BTreeSet<&str> = window
        .flat_map(|line| {
            let keys: String = line.chars().take(13).collect();
            let words = line[..keys.len()].split_whitespace();
            words.collect::<Vec<_>>()
        })
        .collect();
    press(&mut pty, "?");
    ends(pty);
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/guide/top.md");
    let page = std::fs::read_to_string(page).unwrap();
    let rows = page.lines().filter_map(|line| line.strip_prefix("| `"));
    let keys = rows.flat_map(|row| row.split(" | ").next().unwrap().split('`').step_by(2));
    let mut written: BTreeSet<&str> = keys.filter(|key| !key.is_empty()).collect();
    // The mouse has a sentence of its own.
    written.insert("mouse");
    assert_eq!(told, written);
}
