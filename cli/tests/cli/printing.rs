//! `--format` and `ps --watch`: what is printed as a user wants it, once or again and again.

use std::collections::{BTreeMap, BTreeSet};

use rustix::process::Signal;
use rustix::termios::Winsize;
use serde_json::Value;

use crate::hive::Hive;
use crate::pty::Pty;
use crate::reading::Reading;

const TWO: &str = r#"
    swarm = "demo"
    [agents.lives]
    command = ["sleep", "1000"]
    capabilities = ["sing", "dance"]
    [agents.ended]
    command = ["sh", "-c", "exit 3"]
"#;

fn up() -> Hive {
    let hive = Hive::new(TWO);
    hive.ok(&["up", "-d"]);
    hive.run(&["wait", "ended"]);
    hive
}

#[test]
fn a_template_gives_of_each_what_it_names() {
    let hive = up();
    let row = r#"{{ name }}\t{{ capabilities | join("+") }}\t{{ exit.code }}"#;
    assert_eq!(
        hive.ok(&["ps", "-a", "--format", row]),
        "lives\tsing+dance\t\nended\t\t3\n"
    );
    assert_eq!(
        hive.ok(&["inspect", "--format", "{{ state }}", "ended", "lives"]),
        "exited\nrunning\n"
    );
    let told = "{{ event }} {{ agent.exit.code }}";
    assert_eq!(
        hive.ok(&[
            "events",
            "--since",
            "1h",
            "--no-follow",
            "--format",
            told,
            "ended"
        ]),
        "created 3\nstarted 3\nended 3\n"
    );
    let used = hive.ok(&[
        "stats",
        "--no-stream",
        "--format",
        "{{ name }}={{ memory | size }}",
    ]);
    assert!(
        used.starts_with("lives=") && used.trim_end().ends_with('B'),
        "{used}"
    );
}

#[test]
fn a_wrong_field_is_refused_with_those_that_are_though_nothing_is_there() {
    let hive = Hive::new("swarm = \"demo\"");
    for verb in [&["ps"][..], &["stats"], &["events"], &["inspect", "x"]] {
        let mut args = verb.to_vec();
        args.extend(["--format", "{{ mame }}"]);
        let ran = hive.run(&args);
        assert_eq!(ran.code(), Some(2), "{args:?}: {ran}");
        assert!(ran.stderr().contains("no field `mame`"), "{args:?}: {ran}");
        assert!(ran.stderr().contains(" name"), "{args:?}: {ran}");
    }
    let ran = hive.run(&["events", "--format", "{{ agent.mame }}"]);
    assert_eq!(ran.code(), Some(2), "{ran}");
    let ran = hive.run(&["ps", "--format", "tables"]);
    assert!(ran.stderr().contains("neither `table` nor `json`"), "{ran}");
}

/// The fields that a verb's own help tells, and what it says of them: each has a line.
fn fields(hive: &Hive, verb: &str) -> BTreeMap<String, String> {
    let words = verb.split(' ').chain(["--help"]).collect::<Vec<_>>();
    let help = hive.ok(&words);
    let (_, fields) = help.split_once("Fields").unwrap();
    let fields = fields.lines().filter_map(|line| line.strip_prefix("  "));
    fields
        .map(|line| {
            let said = line.split_once("  ");
            let (name, meaning) = said.unwrap_or_else(|| panic!("{verb}: {line}"));
            (name.to_owned(), meaning.trim().to_owned())
        })
        .collect()
}

/// The names of those.
fn told(hive: &Hive, verb: &str) -> BTreeSet<String> {
    fields(hive, verb).into_keys().collect()
}

/// The keys that lines of JSON have; of those that are objects themselves, as `exit.code`.
fn keys(lines: &str, whole: &[&str]) -> BTreeSet<String> {
    let mut keys = BTreeSet::new();
    for line in lines.lines() {
        let record: Value = serde_json::from_str(line).unwrap();
        for (key, value) in record.as_object().unwrap() {
            match value.as_object() {
                Some(within) if !whole.contains(&&**key) => {
                    keys.extend(within.keys().map(|inner| format!("{key}.{inner}")));
                }
                _ => {
                    keys.insert(key.clone());
                }
            }
        }
    }
    keys
}

#[test]
fn the_help_tells_each_field_that_there_is_and_no_other() {
    let hive = up();
    let mut agents = keys(&hive.ok(&["ps", "-a", "--format", "json"]), &[]);
    // Of one that has not ended it is null.
    assert!(agents.remove("exit"));
    assert_eq!(told(&hive, "ps"), agents);
    assert_eq!(told(&hive, "inspect"), agents);
    let stats = hive.ok(&["stats", "--no-stream", "--format", "json"]);
    assert_eq!(told(&hive, "stats"), keys(&stats, &[]));
    let events = hive.ok(&["events", "--since", "1h", "--no-follow", "--format", "json"]);
    assert_eq!(told(&hive, "events"), keys(&events, &["agent"]));
    let swarms = hive.ok(&["swarms", "--format", "json"]);
    assert_eq!(told(&hive, "swarms"), keys(&swarms, &["agents"]));
    std::fs::remove_file(hive.path().join("alveary.toml")).unwrap();
    let left = hive.ok(&["gc", "--format", "json"]);
    assert_eq!(told(&hive, "gc"), keys(&left, &[]));
}

#[test]
fn the_help_of_a_bench_tells_each_field_of_what_it_prints_too() {
    let hive = Hive::new(TWO);
    let once = ["-n", "1", "--warm-up", "0", "--out", "a.json"];
    let bench = [&["bench", "--format", "json"], &once[..]].concat();
    assert_eq!(told(&hive, "bench"), keys(&hive.ok(&bench), &[]));
    let compared = ["bench", "compare", "a.json", "a.json", "--format", "json"];
    let compared = keys(&hive.ok(&compared), &[]);
    assert_eq!(told(&hive, "bench compare"), compared);
}

#[test]
fn the_guide_tells_of_each_field_what_the_help_tells() {
    let hive = Hive::new("swarm = \"demo\"");
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/guide/printing.md");
    let page = std::fs::read_to_string(page).unwrap();
    let tables = [
        ("ps", "Of an agent, in `ps`"),
        ("stats", "Of a reading of `stats`"),
        ("events", "Of an event of `events`"),
        ("swarms", "Of a swarm, in `swarms`"),
        ("gc", "Of what `gc` would end"),
        ("bench", "Of a step that `bench` has measured"),
        ("bench compare", "Of a step that `bench compare` holds"),
    ];
    for (verb, title) in tables {
        let (_, table) = page.split_once(title).unwrap_or_else(|| panic!("{title}"));
        let table = table.split("\nOf ").next().unwrap();
        let rows: Vec<&str> = table.lines().filter(|row| row.starts_with("| `")).collect();
        let fields = fields(&hive, verb).into_iter();
        let told: Vec<String> = fields
            .map(|(name, meaning)| format!("| `{name}` | {meaning} |"))
            .collect();
        assert_eq!(rows, told, "{verb}");
    }
}

#[test]
fn a_watch_into_a_pipe_prints_a_table_for_each_change_and_ends_well() {
    let hive = up();
    let mut watch = Reading::of(hive.command().args(["ps", "--watch", "--all"]));
    watch.until("the one that lives", |line| {
        line.starts_with("lives") && line.contains("running")
    });
    hive.ok(&["stop", "lives"]);
    watch.until("that it was stopped", |line| {
        line.starts_with("lives") && line.contains("exited")
    });
    hive.ok(&["rm", "lives"]);
    watch.until("a table", |line| line.starts_with("NAME"));
    watch.until("the other one", |line| line.starts_with("ended"));
    let status = watch.end(Signal::INT);
    assert_eq!(status.code(), Some(130));
    assert!(!watch.read().iter().any(|line| line.contains('\u{1b}')));
    let tables: Vec<&[String]> = watch.read().split(|line| line.is_empty()).collect();
    assert!(tables.len() >= 3, "{tables:#?}");
    assert!(
        tables.iter().all(|table| table[0].starts_with("NAME")),
        "{tables:#?}"
    );
    assert!(tables.windows(2).all(|two| two[0] != two[1]), "{tables:#?}");
}

#[test]
fn a_watch_for_programs_prints_what_has_changed_and_nothing_else() {
    let hive = Hive::new(TWO);
    // It may be brought up in another window.
    let mut watch =
        Reading::of(
            hive.command()
                .args(["ps", "-w", "-a", "--format", "{{ name }} {{ state }}"]),
        );
    hive.ok(&["up", "-d"]);
    watch.until("the one that lives", |line| line == "lives running");
    hive.run(&["wait", "ended"]);
    let seen = |line: &str| line == "ended exited";
    if !watch.read().iter().any(|line| seen(line)) {
        watch.until("the other", seen);
    }
    let before = watch.read().len();
    hive.ok(&["stop", "lives"]);
    watch.until("that it was stopped", |line| line == "lives exited");
    assert_eq!(watch.end(Signal::TERM).code(), Some(130));
    let after = &watch.read()[before..];
    assert!(
        after.iter().all(|line| line.starts_with("lives ")),
        "{after:?}"
    );
}

#[test]
fn a_watch_on_a_terminal_keeps_to_its_width_and_leaves_it_as_it_was() {
    let hive = up();
    let size = Winsize {
        ws_col: 30,
        ws_row: 24,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    let mut pty = Pty::sized(hive.command().args(["ps", "--watch", "-a"]), size);
    pty.expect("ended");
    pty.expect("…");
    let narrow = pty.shown();
    assert!(!narrow.contains("exited with code 3"), "{narrow}");
    for line in narrow.split("\r\n") {
        let line = line.rsplit_once("\u{1b}[H").map_or(line, |(_, line)| line);
        let line = line.split('\u{1b}').next().unwrap();
        assert!(line.chars().count() <= 30, "{line:?}");
    }
    pty.resize(Winsize {
        ws_col: 160,
        ..size
    });
    pty.expect("exited with code 3");
    hive.ok(&["stop", "lives"]);
    pty.expect("ended by SIGTERM");
    pty.send(b"\x03");
    assert_eq!(pty.finish().code(), Some(130), "{}", pty.shown());
    let shown = pty.shown();
    assert!(shown.starts_with("\u{1b}[?1049h"), "{shown:?}");
    assert!(
        shown.trim_end().ends_with("\u{1b}[?25h\u{1b}[?1049l"),
        "{shown:?}"
    );
}
