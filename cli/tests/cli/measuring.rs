//! `bench`: what it measures, what it says, and that nothing of it stays.

use std::fs;
use std::path::Path;

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::hive::{Hive, Ran, SpawnQuietly, eventually, finish, is_alive, signal};

/// An agent that says by its number that it was there.
const FLEET: &str = r#"
swarm = "demo"
[agents.echo]
command = ["sh", "-c", "echo $$ >>pids; exec sleep 1000"]
"#;

/// One that is never ready, so that a bench waits for it.
const NEVER_READY: &str = r#"
swarm = "demo"
[agents.echo]
command = ["sh", "-c", "echo $$ >>pids; exec sleep 1000"]
ready = { log = "never", timeout = "5m" }
"#;

impl Hive {
    /// The processes that there have been.
    fn pids(&self) -> Vec<u32> {
        let text = fs::read_to_string(self.path().join("pids")).unwrap_or_default();
        text.lines().filter_map(|line| line.parse().ok()).collect()
    }

    fn json(&self, file: &str) -> Value {
        serde_json::from_slice(&fs::read(self.path().join(file)).unwrap()).unwrap()
    }

    #[track_caller]
    fn nothing_is_left(&self) {
        let left = fs::read_dir(self.state()).map(|folder| folder.flatten().count());
        assert_eq!(left.unwrap_or(0), 0, "{}", self.state().display());
        for pid in self.pids() {
            eventually(&format!("{pid} has ended"), || {
                (!is_alive(pid)).then_some(())
            });
        }
    }
}

fn samples(of: &Value) -> Vec<f64> {
    let samples = of["samples_ms"].as_array().unwrap().iter();
    samples.map(|sample| sample.as_f64().unwrap()).collect()
}

#[test]
fn each_step_of_a_start_is_measured_beside_the_bare_engine_and_nothing_of_it_stays() {
    let hive = Hive::new(FLEET);
    let ran = hive.run(&[
        "bench",
        "-n",
        "20",
        "--warm-up",
        "1",
        "--out",
        "a.json",
        "--picture",
        "a.svg",
    ]);
    assert_eq!(ran.code(), Some(0), "{ran}");
    insta::assert_snapshot!("bench_table", redacted(&ran.stdout()));
    insta::assert_snapshot!("bench_notes", redacted(&ran.stderr()));
    hive.nothing_is_left();
    // Some are ended before they have said that they were there.
    assert!(hive.pids().len() <= 44, "{:?}", hive.pids());

    let report = hive.json("a.json");
    assert_eq!(report["schema"], 1);
    assert_eq!(report["fleet"]["swarm"], "demo");
    assert_eq!(
        report["asked"],
        json!({ "spawns": 20, "warm_up": 1, "at_once": 1 })
    );
    let run = &report["runs"][0];
    assert_eq!(
        (&run["agent"], &run["backend"]),
        (&json!("echo"), &json!("process"))
    );
    let of = |step: &str| samples(&run["phases"][step]);
    let (spawn, create, start) = (of("spawn"), of("create"), of("start"));
    let bare = samples(&run["floor"]["phases"]["spawn"]);
    assert_eq!(
        [spawn.len(), create.len(), start.len(), bare.len()],
        [20; 4]
    );
    for (n, whole) in spawn.iter().enumerate() {
        let steps = create[n] + start[n];
        assert!(
            0.0 < steps && steps < whole + 0.5,
            "{n}: {steps} of {whole}"
        );
    }
    picture_is_sound(
        &hive.path().join("a.svg"),
        &["process", "p50", "p99", "the bare engine"],
    );
}

#[track_caller]
fn picture_is_sound(file: &Path, says: &[&str]) {
    let text = fs::read_to_string(file).unwrap();
    let picture = roxmltree::Document::parse(&text).unwrap();
    let root = picture.root_element();
    assert_eq!(root.tag_name().name(), "svg");
    let texts = || {
        picture
            .descendants()
            .filter(|node| node.has_tag_name((SVG, "text")))
    };
    let said: Vec<String> = texts()
        .filter_map(|node| Some(node.text()?.trim().to_owned()))
        .collect();
    for word in says {
        assert!(
            said.iter().any(|text| text.contains(word)),
            "{word}: {said:?}"
        );
    }
    assert!(text.contains("prefers-color-scheme:dark"));
    let (width, height) = (number(&root, "width"), number(&root, "height"));
    for node in texts() {
        let (x, y) = (number(&node, "x"), number(&node, "y"));
        assert!(
            (0.0..width).contains(&x) && (0.0..height).contains(&y),
            "{node:?}"
        );
    }
}

const SVG: &str = "http://www.w3.org/2000/svg";

fn number(node: &roxmltree::Node<'_, '_>, name: &str) -> f64 {
    node.attribute(name).unwrap().parse().unwrap()
}

/// Numbers, and the gaps that depend on them, are not the same twice.
fn redacted(text: &str) -> String {
    let line = |line: &str| {
        let words = line.split_whitespace().map(|word| {
            let is_number = word.trim_end_matches([',', ';']).parse::<f64>().is_ok();
            if is_number || ["µs", "ms", "s"].contains(&word) {
                "…"
            } else {
                word
            }
        });
        let mut words: Vec<_> = words.collect();
        words.dedup_by(|one, other| *one == "…" && *other == "…");
        words.join(" ")
    };
    let machine = |text: &&str| !text.contains("load") && !text.contains("had other work");
    let lines: Vec<_> = text.lines().filter(machine).map(line).collect();
    lines.join("\n")
}

#[test]
fn so_many_at_once_are_one_burst_and_a_check_makes_one_step_more() {
    let hive = Hive::new(
        r#"
        swarm = "demo"
        [agents.other]
        command = ["false"]
        [agents.echo]
        command = ["sh", "-c", "echo $$ >>pids; echo here; exec sleep 1000"]
        ready = { log = "here" }
        "#,
    );
    let args = [
        "bench",
        "-n",
        "8",
        "--at-once",
        "4",
        "--warm-up",
        "0",
        "--agent",
        "echo",
    ];
    let lines = hive.ok(&[
        &args[..],
        &["--format", "{{ step }} {{ count }} {{ ratio_p50 is none }}"],
    ]
    .concat());
    assert_eq!(
        lines,
        "burst 2 false\ncreate 8 true\nstart 8 true\nready 8 true\n"
    );
    hive.nothing_is_left();
}

#[test]
fn the_swarm_that_runs_is_not_touched() {
    let hive = Hive::new(FLEET);
    hive.ok(&["up", "--detach"]);
    let before = hive.agent("echo");
    hive.ok(&["bench", "-n", "3", "--warm-up", "0", "--no-floor"]);
    let after = hive.agent("echo");
    assert_eq!(
        (&before["pid"], &before["agent_id"]),
        (&after["pid"], &after["agent_id"])
    );
    assert_eq!(hive.agents().len(), 1);
    let swarms = fs::read_dir(hive.state()).unwrap().flatten().count();
    assert_eq!(swarms, 1);
}

#[test]
fn one_that_is_interrupted_takes_all_of_it_away() {
    for ending in [Signal::INT, Signal::TERM] {
        let hive = Hive::new(FLEET);
        let mut bench = hive
            .command()
            .args(["bench", "-n", "100000", "--out", "a.json"])
            .spawn_quietly();
        eventually("a few have been there", || {
            (hive.pids().len() > 5).then_some(())
        });
        signal(bench.id(), ending);
        assert_eq!(bench.wait().unwrap().code(), Some(130), "{ending:?}");
        hive.nothing_is_left();
        assert!(!hive.path().join("a.json").exists());
    }
}

#[test]
fn what_one_that_was_killed_has_left_is_found_by_gc() {
    let hive = Hive::new(NEVER_READY);
    let mut bench = hive.command().args(["bench", "--no-floor"]).spawn_quietly();
    let pid = eventually("one is there", || hive.pids().first().copied());
    assert_eq!(hive.ok(&["gc"]), "", "it is a bench's that lives");
    signal(bench.id(), Signal::KILL);
    bench.wait().unwrap();
    let row = eventually("it is found", || {
        let found = hive.ok(&["gc", "--format", "json"]);
        serde_json::from_str::<Value>(found.lines().next()?).ok()
    });
    assert_eq!(
        (&row["name"], &row["reason"]),
        (&json!("echo-1"), &json!("bench-over"))
    );
    assert!(is_alive(pid));
    hive.ok(&["gc", "--yes"]);
    hive.nothing_is_left();
}

#[test]
fn its_time_is_limited_and_what_was_measured_until_then_counts() {
    let hive = Hive::new(FLEET);
    let args = [
        "bench",
        "-n",
        "100000",
        "--warm-up",
        "0",
        "--time-limit",
        "1s",
        "--out",
        "a.json",
    ];
    let ran = hive.run(&args);
    assert_eq!(ran.code(), Some(0), "{ran}");
    assert!(
        ran.stderr()
            .contains("echo on process: the time was up after"),
        "{ran}"
    );
    assert_eq!(hive.json("a.json")["runs"][0]["cut_short"], true);
    hive.nothing_is_left();
}

#[test]
fn one_that_ends_at_once_is_measured_and_counted_as_such() {
    let hive = Hive::new("swarm = \"demo\"\n[agents.brief]\ncommand = [\"true\"]\n");
    let ran = hive.run(&["bench", "-n", "10", "--at-once", "10", "--out", "a.json"]);
    assert_eq!(ran.code(), Some(0), "{ran}");
    let early = hive.json("a.json")["runs"][0]["ended_early"]
        .as_u64()
        .unwrap();
    assert!((1..=10).contains(&early), "{early}");
    assert!(
        ran.stderr()
            .contains("ended by themselves before they were ended"),
        "{ran}"
    );
}

#[test]
fn what_cannot_be_measured_is_refused_with_the_cure_and_leaves_nothing() {
    let hive = Hive::new(FLEET);
    let refused = |args: &[&str], code: i32, what: &str| {
        let ran = hive.run(args);
        assert_eq!(ran.code(), Some(code), "{args:?}: {ran}");
        let said = ran.stderr();
        assert!(
            said.contains(what) && said.contains("help: "),
            "{args:?}: {said}"
        );
        assert_eq!(said.matches("error: ").count(), 1, "{said}");
        assert_eq!(ran.stdout(), "");
        hive.nothing_is_left();
    };
    refused(&["bench", "--agent", "ehco"], 2, "there is no agent `ehco`");
    refused(
        &["bench", "--backend", "process,docker-aip"],
        2,
        "there is no backend `docker-aip`",
    );
    refused(
        &["bench", "--out", "nowhere/a.json"],
        2,
        "nowhere/a.json cannot be written",
    );
    hive.rewrite("swarm = \"demo\"\n[agents.lost]\ncommand = [\"no-such-program-here\"]\n");
    refused(&["bench"], 2, "no-such-program-here");
    hive.rewrite("swarm = \"demo\"\n");
    refused(&["bench"], 2, "has no agent that could be started");
}

/// A report in which the same was measured as in `a.json`, but for what `change` does to it.
fn doctored(hive: &Hive, name: &str, change: impl FnOnce(&mut Value)) {
    let mut report = hive.json("a.json");
    change(&mut report);
    fs::write(hive.path().join(name), report.to_string()).unwrap();
}

fn stretch(times: &mut Value, by: f64) {
    let samples = times["samples_ms"].as_array_mut().unwrap();
    for sample in samples {
        *sample = (sample.as_f64().unwrap() * by).into();
    }
}

fn measured() -> Hive {
    let hive = Hive::new(FLEET);
    hive.ok(&["bench", "-n", "30", "--out", "a.json"]);
    hive
}

fn compare(hive: &Hive, args: &[&str]) -> Ran {
    finish(hive.command().args(["bench", "compare"]).args(args))
}

#[test]
fn of_two_reports_it_is_said_whether_one_is_slower_or_only_chance() {
    let hive = measured();
    let same = compare(&hive, &["a.json", "a.json", "--fail-above", "1.01"]);
    assert_eq!(same.code(), Some(0), "{same}");
    insta::assert_snapshot!("bench_compare_same", redacted(&same.stdout()));

    doctored(&hive, "slow.json", |report| {
        stretch(&mut report["runs"][0]["phases"]["spawn"], 3.0);
    });
    let slow = compare(&hive, &["a.json", "slow.json", "--fail-above", "1.10"]);
    assert_eq!(slow.code(), Some(1), "{slow}");
    let line = |ran: &Ran| ran.stdout().lines().nth(1).unwrap().to_owned();
    assert!(
        line(&slow).contains(" 3.00 ") && line(&slow).ends_with("slower"),
        "{slow}"
    );
    assert!(
        slow.stderr()
            .contains("a start takes 3.00 times as long, which is above 1.1"),
        "{slow}"
    );
    let fast = compare(&hive, &["slow.json", "a.json", "--fail-above", "1.10"]);
    assert_eq!(fast.code(), Some(0), "{fast}");
    assert!(line(&fast).ends_with("faster"), "{fast}");
    // Slower, and as much as was allowed.
    let allowed = compare(&hive, &["a.json", "slow.json", "--fail-above", "3.5"]);
    assert_eq!(allowed.code(), Some(0), "{allowed}");
}

#[test]
fn what_the_bare_engine_has_changed_itself_is_not_laid_to_us() {
    let hive = measured();
    doctored(&hive, "both.json", |report| {
        let run = &mut report["runs"][0];
        stretch(&mut run["phases"]["spawn"], 3.0);
        stretch(&mut run["floor"]["phases"]["spawn"], 3.0);
        report["machine"]["host"] = "elsewhere".into();
        report["alveary"] = "9.9.9".into();
    });
    let both = compare(&hive, &["a.json", "both.json", "--fail-above", "1.10"]);
    assert_eq!(both.code(), Some(0), "{both}");
    for said in [
        "these are two machines: ",
        "two versions of alveary: 0.1.0, then 9.9.9",
        "took 3.00 times as long: of the ratio of 3.00 that leaves 1.00",
    ] {
        assert!(both.stderr().contains(said), "{said}: {both}");
    }
}

#[test]
fn a_file_that_is_no_report_is_refused_in_one_sentence() {
    let hive = measured();
    let write = |name: &str, text: &str| fs::write(hive.path().join(name), text).unwrap();
    write("words.json", "not yet");
    write("other.json", "{\"a\": 1}");
    doctored(&hive, "newer.json", |report| report["schema"] = 2.into());
    doctored(&hive, "torn.json", |report| {
        report["runs"][0].as_object_mut().unwrap().remove("phases");
    });
    doctored(&hive, "apart.json", |report| {
        report["runs"][0]["agent"] = "another".into();
    });
    for (file, what) in [
        ("absent.json", "absent.json cannot be read"),
        ("words.json", "words.json is no JSON"),
        ("other.json", "other.json is no report of a bench"),
        (
            "newer.json",
            "newer.json is a report of form 2, and this program reads form 1",
        ),
        (
            "torn.json",
            "torn.json is no whole report of a bench: missing field `phases`",
        ),
        (
            "apart.json",
            "the two have no agent on the same backend in common",
        ),
    ] {
        let ran = compare(&hive, &["a.json", file]);
        assert_eq!(ran.code(), Some(2), "{file}: {ran}");
        let said = ran.stderr();
        assert!(
            said.contains(what) && said.contains("help: "),
            "{file}: {said}"
        );
        assert_eq!(said.trim().lines().count(), 2, "{said}");
    }
    let ran = compare(&hive, &["a.json", "a.json", "--fail-above", "0.5"]);
    assert_eq!(ran.code(), Some(2), "{ran}");
}

#[cfg(feature = "docker-api")]
#[test]
fn a_backend_that_is_absent_is_refused_with_its_cure() {
    let hive = Hive::new(&format!(
        "{FLEET}\ncontainer.image = \"x\"\n[backends.docker-api]\nhost = \"unix:///nowhere/at-all.sock\"\n"
    ));
    let ran = hive.run(&["bench", "--backend", "process,docker-api"]);
    assert_eq!(ran.code(), Some(125), "{ran}");
    assert!(
        ran.stderr().contains("/nowhere/at-all.sock") && ran.stderr().contains("help: "),
        "{ran}"
    );
    hive.nothing_is_left();
}
