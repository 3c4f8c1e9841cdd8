//! `alveary task`: tasks are given, listed, shown, watched, imported.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::Stdio;
use std::sync::mpsc::channel;
use std::time::Duration;

use rustix::process::Signal;
use serde_json::Value;

use crate::alone::{Alone, good, refused, task};
use crate::bed::{Agent, program};
use crate::hive::{eventually, finish, signal};

/// A coordinator, and an agent of the admin's that does everything that asks for `echo`.
struct Shop {
    dir: tempfile::TempDir,
    alone: Alone,
    _agent: Agent,
}

impl Shop {
    fn open() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let alone = Alone::in_folder(dir.path(), &[]);
        let exec = "sh -c 'cat; test ! -e fail'";
        let mut agent = Agent::start(
            program()
                .current_dir(dir.path())
                .args([
                    "agent",
                    "--exec",
                    exec,
                    "--capability",
                    "echo",
                    "--name",
                    "Echo",
                ])
                .args(["--agent-id", "e1", "--url", &alone.url, "--bid", "7"])
                .args(["--token-file", "coordinator.db.token"]),
        );
        agent.until_it_says("registered as");
        Self {
            dir,
            alone,
            _agent: agent,
        }
    }

    fn task(&self, args: &[&str]) -> std::process::Command {
        task(self.dir.path(), &self.alone.url, args)
    }

    #[track_caller]
    fn ok(&self, args: &[&str]) -> String {
        good(&mut self.task(args))
    }

    #[track_caller]
    fn records(&self, args: &[&str]) -> Vec<Value> {
        let mut command = self.task(args);
        let said = good(command.args(["--format", "json"]));
        said.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }
}

#[test]
fn a_task_is_given_waited_for_and_shown() {
    let shop = Shop::open();
    let done = shop.records(&["add", "--wait", "--capability", "echo", "hello", "good bye"]);
    assert_eq!(done.len(), 2);
    assert_eq!(done[0]["description"], "hello");
    assert_eq!(done[1]["description"], "good bye");
    for task in &done {
        assert_eq!(task["status"], "completed", "{task}");
        assert_eq!(task["winning_bid"], 7);
    }
    let id = done[0]["id"].as_str().unwrap();
    let shown = shop.ok(&["show", &id[..8]]);
    for word in [id, "hello", "completed", "7 sats by Echo"] {
        assert!(shown.contains(word), "{word}: {shown}");
    }
    let record = &shop.records(&["show", id])[0];
    assert_eq!(record["bids"][0]["agent_id"], "e1");
    let result = shop.ok(&["show", "--result", id]);
    assert_eq!(result, record["result"].as_str().unwrap());
    // A table for people names the agent as people do.
    let table = shop.ok(&["list"]);
    assert!(table.contains("Echo"), "{table}");
    assert!(table.starts_with("TASK"), "{table}");
}

#[test]
fn who_waits_for_a_task_that_fails_is_told_by_the_exit_code() {
    let shop = Shop::open();
    std::fs::write(shop.dir.path().join("fail"), "").unwrap();
    let ran = finish(&mut shop.task(&["add", "--wait", "--capability", "echo", "in vain"]));
    assert_eq!(ran.code(), Some(1), "{ran}");
    assert!(ran.stdout().contains("failed"), "{ran}");
}

#[test]
fn who_does_not_wait_for_ever_is_told_what_is_not_done() {
    let shop = Shop::open();
    let ran = finish(&mut shop.task(&[
        "add",
        "--wait",
        "--wait-timeout",
        "100ms",
        "--capability",
        "nobody has this",
        "later",
    ]));
    assert_eq!(ran.code(), Some(1), "{ran}");
    assert!(
        ran.stderr().contains("not all tasks are done after 100ms"),
        "{ran}"
    );
}

#[test]
fn a_list_has_filters_and_goes_on_over_pages() {
    let shop = Shop::open();
    let many: Vec<String> = (0..600).map(|n| format!("task {n}")).collect();
    let many = many.iter().map(String::as_str);
    let add = ["add", "--capability", "none"].into_iter().chain(many);
    shop.ok(&add.collect::<Vec<_>>());
    shop.ok(&["add", "--wait", "--capability", "echo", "done"]);
    let all = shop.records(&["list"]);
    assert_eq!(all.len(), 601);
    for (n, task) in all.iter().take(600).enumerate() {
        assert_eq!(task["description"], format!("task {n}"));
    }
    assert_eq!(shop.records(&["list", "--limit", "550"]).len(), 550);
    let newest = shop.records(&["list", "--newest", "-n", "2", "--status", "bidding"]);
    assert_eq!(newest[0]["description"], "task 599");
    for agent in ["e1", "Echo"] {
        let of_agent = shop.records(&["list", "--agent", agent]);
        assert_eq!(of_agent.len(), 1);
        assert_eq!(of_agent[0]["description"], "done");
    }
    assert_eq!(shop.records(&["list", "--status", "completed"]).len(), 1);
    refused(
        &finish(&mut shop.task(&["list", "--agent", "nobody"])),
        "`nobody`",
    );
}

#[test]
fn a_file_that_is_imported_twice_adds_nothing_and_one_that_has_grown_adds_what_is_new() {
    let shop = Shop::open();
    let file = shop.dir.path().join("tasks.jsonl");
    let same = "{\"description\": \"sing\", \"capabilities\": [\"echo\"]}\n";
    std::fs::write(&file, format!("{same}\n{same}")).unwrap();
    let first = shop.records(&["import", "--wait", "tasks.jsonl"]);
    assert_eq!(
        first.len(),
        2,
        "a line that stands there twice is two tasks"
    );
    let again = shop.records(&["import", "--wait", "tasks.jsonl"]);
    assert_eq!(again, first);
    std::fs::write(&file, format!("{{\"description\": \"new\"}}\n{same}{same}")).unwrap();
    let grown = shop.records(&["import", "--wait", "tasks.jsonl"]);
    assert_eq!(grown[1..], first);
    assert_eq!(shop.records(&["list"]).len(), 3);
    // Under another key they are meant once more.
    shop.records(&["import", "--key", "today", "tasks.jsonl"]);
    assert_eq!(shop.records(&["list"]).len(), 6);
}

#[test]
fn tasks_come_from_a_pipe_too() {
    let shop = Shop::open();
    let mut child = shop
        .task(&["import", "--wait", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin
        .write_all(b"{\"description\": \"from afar\"}\n")
        .unwrap();
    drop(stdin);
    let out = child.wait_with_output().unwrap();
    assert!(out.status.success(), "{out:?}");
    assert!(String::from_utf8_lossy(&out.stdout).contains("from afar"));
}

#[test]
fn under_a_key_the_same_is_added_once_and_another_is_refused() {
    let shop = Shop::open();
    let first = shop.records(&["add", "--key", "k1", "sing"]);
    let again = shop.records(&["add", "--key", "k1", "sing"]);
    assert_eq!(first[0]["id"], again[0]["id"]);
    refused(
        &finish(&mut shop.task(&["add", "--key", "k1", "dance"])),
        "k1",
    );
    assert_eq!(shop.records(&["list"]).len(), 1);
}

#[test]
fn what_happens_is_watched_until_the_tasks_that_are_meant_are_over() {
    let shop = Shop::open();
    let open = shop.records(&["add", "--capability", "other", "later"]);
    let id = open[0]["id"].as_str().unwrap();
    let mut watch = shop
        .task(&["watch", "--format", "json"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let lines = BufReader::new(watch.stdout.take().unwrap()).lines();
    let (tell, told) = channel();
    std::thread::spawn(move || {
        lines
            .map_while(Result::ok)
            .try_for_each(|line| tell.send(line))
    });
    // It is told from now on, and when its now is it does not say.
    eventually("it watches", || {
        shop.ok(&["add", "--capability", "none", "before"]);
        told.recv_timeout(Duration::from_millis(100)).ok()
    });
    let of_one = shop
        .task(&["watch", "--after", "0", &id[..8]])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let _other = Agent::start(
        program()
            .current_dir(shop.dir.path())
            .args(["agent", "--exec", "echo done", "--capability", "other"])
            .args([
                "--agent-id",
                "o1",
                "--name",
                "Olive",
                "--url",
                &shop.alone.url,
            ])
            .args(["--token-file", "coordinator.db.token"]),
    );
    let out = of_one.wait_with_output().unwrap();
    assert!(out.status.success());
    let of_one = String::from_utf8_lossy(&out.stdout).into_owned();
    for word in [
        "given",
        "open for bids",
        "won by Olive",
        "begun by Olive",
        "completed by Olive",
    ] {
        assert!(of_one.contains(word), "{word}: {of_one}");
    }
    assert!(!of_one.contains("Echo"), "{of_one}");
    // How it went is told also to whoever asks when all is over.
    let later = shop.task(&["watch", "--after", "0", &id[..8]]).output();
    let later = later.unwrap();
    assert!(later.status.success());
    assert_eq!(String::from_utf8_lossy(&later.stdout), of_one);
    eventually("the end of it is told", || {
        let line = told.recv_timeout(Duration::from_secs(1)).ok()?;
        let event: Value = serde_json::from_str(&line).unwrap();
        (event["what"]["kind"] == "completed").then_some(())
    });
    signal(watch.id(), Signal::INT);
    assert_eq!(watch.wait().unwrap().code(), Some(130));
}

#[test]
fn who_watches_what_is_over_since_long_is_let_go_though_others_go_on() {
    let shop = Shop::open();
    let added = shop.records(&["add", "--capability", "echo", "--wait", "hello"]);
    let id = added[0]["id"].as_str().unwrap();
    let told = shop.records(&["watch", "--after", "0", id]);
    let last = told.last().unwrap()["id"].to_string();
    let mut watch = Agent::start(&mut shop.task(&["watch", "--after", &last, id]));
    let ended = eventually("it ends while others give tasks", || {
        shop.ok(&["add", "--capability", "other", "later"]);
        watch.has_ended()
    });
    assert!(ended.success(), "{ended}");
}

#[test]
fn who_waits_goes_on_when_the_coordinator_comes_back() {
    let dir = tempfile::tempdir().unwrap();
    let first = Alone::in_folder(dir.path(), &[]);
    let address = first.url.trim_start_matches("http://").to_owned();
    let mut wait = task(dir.path(), &first.url, &["add", "--wait", "outlive it"]);
    let mut wait = Agent::start(&mut wait);
    // It has been given once it is in the list.
    eventually("the task is given", || {
        let listed = good(&mut task(dir.path(), &first.url, &["list"]));
        listed.contains("outlive it").then_some(())
    });
    assert_eq!(first.end(Signal::KILL).code(), None);
    wait.until_it_says("waiting for the coordinator");
    let second = Alone::in_folder(dir.path(), &["--listen", &address]);
    let _agent = Agent::start(
        program()
            .current_dir(dir.path())
            .args([
                "agent",
                "--exec",
                "echo done",
                "--agent-id",
                "late",
                "--url",
                &second.url,
            ])
            .args(["--token-file", "coordinator.db.token"]),
    );
    let (status, said, out) = wait.ended_with();
    assert_eq!(status.code(), Some(0), "{said}");
    assert!(out.contains("completed"), "{out}");
}

#[test]
fn who_watches_is_told_that_the_coordinator_is_gone_without_the_systems_numbers() {
    let dir = tempfile::tempdir().unwrap();
    let alone = Alone::in_folder(dir.path(), &[]);
    good(&mut task(dir.path(), &alone.url, &["add", "hum"]));
    let mut watch = task(dir.path(), &alone.url, &["watch", "--after", "0"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut told = BufReader::new(watch.stdout.take().unwrap()).lines();
    let first = told.next().unwrap().unwrap();
    assert!(first.ends_with("given"), "{first}");
    assert_eq!(alone.end(Signal::KILL).code(), None);
    let mut said = BufReader::new(watch.stderr.take().unwrap()).lines();
    let waits = said.next().unwrap().unwrap();
    assert!(
        waits.starts_with("waiting for the coordinator: "),
        "{waits}"
    );
    // It is reset, or refused already, or closed.
    assert!(waits.to_lowercase().contains("connection "), "{waits}");
    assert!(!waits.contains("os error"), "{waits}");
    signal(watch.id(), Signal::INT);
    assert_eq!(watch.wait().unwrap().code(), Some(130));
}

#[test]
fn what_an_agent_says_reaches_a_pipe_as_it_is_and_a_table_harmless() {
    let dir = tempfile::tempdir().unwrap();
    let alone = Alone::in_folder(dir.path(), &[]);
    let exec = r"printf '\033[2Jboo\nsecond'";
    let mut agent = Agent::start(
        program()
            .current_dir(dir.path())
            .args([
                "agent",
                "--exec",
                exec,
                "--agent-id",
                "rude",
                "--url",
                &alone.url,
            ])
            .args(["--token-file", "coordinator.db.token"]),
    );
    agent.until_it_says("registered as");
    let table = good(&mut task(
        dir.path(),
        &alone.url,
        &["add", "--wait", "be rude"],
    ));
    assert!(!table.contains('\u{1b}'), "{table:?}");
    assert!(table.contains("boo …"), "{table:?}");
    let listed = good(&mut task(
        dir.path(),
        &alone.url,
        &["list", "--format", "json"],
    ));
    let id = serde_json::from_str::<Value>(&listed).unwrap()["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let result = good(&mut task(
        dir.path(),
        &alone.url,
        &["show", "--result", &id],
    ));
    assert_eq!(result, "\u{1b}[2Jboo\nsecond");
}

#[test]
fn what_cannot_be_right_is_one_sentence_and_gives_nothing() {
    let shop = Shop::open();
    std::fs::write(
        shop.dir.path().join("bad.jsonl"),
        "{\"description\": \"a\"}\n{\"described\": \"b\"}\n",
    )
    .unwrap();
    std::fs::write(shop.dir.path().join("binary.jsonl"), b"\xff\xfe").unwrap();
    for (args, words) in [
        (&["import", "bad.jsonl"][..], "bad.jsonl:2"),
        (&["import", "none.jsonl"], "none.jsonl"),
        (&["import", "binary.jsonl"], "binary.jsonl"),
        (&["show", "not-an-id"], "not-an-id"),
        (
            &["show", "00000000-0000-4000-8000-000000000000"],
            "00000000-0000-4000-8000-000000000000",
        ),
    ] {
        refused(&finish(&mut shop.task(args)), words);
    }
    for args in [
        &["add", ""][..],
        &["add"],
        &["list", "--status", "odd"],
        &["add", "--wait-timeout", "1s", "x"],
        &["add", "--key", "", "sing"],
    ] {
        assert_eq!(finish(&mut shop.task(args)).code(), Some(2), "{args:?}");
    }
    assert!(shop.records(&["list"]).is_empty());
    // Another's address, and a swarm that never was.
    let ran = finish(program().args(["task", "--url", "http://127.0.0.1:1", "list"]));
    assert_eq!(ran.code(), Some(125), "{ran}");
    assert!(ran.stderr().contains("cannot be reached"), "{ran}");
    let empty = tempfile::tempdir().unwrap();
    let ran = finish(
        program()
            .current_dir(empty.path())
            .env("ALVEARY_STATE_DIR", empty.path())
            .args(["-p", "never-was", "task", "list"]),
    );
    refused(&ran, "`never-was` has no coordinator");
}

#[test]
fn tasks_are_printed_by_a_template_of_ones_own() {
    let shop = Shop::open();
    shop.ok(&["add", "--wait", "--capability", "echo", "hello", "good bye"]);
    let line = "{{ description | upper }} {{ status }} {{ agent }} {{ assigned_agent }} {{ winning_bid }} {{ result | length > 5 }}";
    let listed = shop.ok(&["list", "--format", line]);
    assert_eq!(
        listed,
        "HELLO completed Echo e1 7 true\nGOOD BYE completed Echo e1 7 true\n"
    );
    let id = shop.ok(&["list", "--limit", "1", "--format", "{{ id }}"]);
    let with_bids =
        "{{ agent }}:{% for bid in bids %} {{ bid.agent_id }} {{ bid.bid_sats }}{% endfor %}";
    assert_eq!(
        shop.ok(&["show", id.trim(), "--format", with_bids]),
        "Echo: e1 7\n"
    );
    let added = shop.ok(&[
        "--format",
        "{{ description }} {{ capabilities | join('+') }}",
        "add",
        "--capability",
        "b,a",
        "sing",
    ]);
    assert_eq!(added, "sing a+b\n");
    let happened = shop.ok(&[
        "watch",
        "--after",
        "0",
        "--format",
        "{{ what.kind }} {{ what.agent }}",
        id.trim(),
    ]);
    // It is over: what is kept of it is told, and nothing is waited for.
    assert_eq!(
        happened,
        "task_added \nauction_opened \nbid_placed e1\nassigned e1\nstarted e1\ncompleted e1\n"
    );
}

#[test]
fn what_happens_is_printed_by_a_template_too() {
    let shop = Shop::open();
    let id = shop.ok(&[
        "--format",
        "{{ id }}",
        "add",
        "--capability",
        "other",
        "later",
    ]);
    let watch = shop
        .task(&["watch", "--after", "0", id.trim()])
        .args([
            "--format",
            "{{ what.kind }} {{ what.agent }} {{ what.sats }}",
        ])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let _other = Agent::start(
        program()
            .current_dir(shop.dir.path())
            .args([
                "agent",
                "--exec",
                "echo done",
                "--capability",
                "other",
                "--bid",
                "5",
            ])
            .args(["--agent-id", "o1", "--url", &shop.alone.url])
            .args(["--token-file", "coordinator.db.token"]),
    );
    let out = watch.wait_with_output().unwrap();
    let lines = String::from_utf8(out.stdout).unwrap();
    assert_eq!(
        lines,
        "task_added  \nauction_opened  \nbid_placed o1 5\nassigned o1 5\nstarted o1 \ncompleted o1 \n"
    );
}

#[test]
fn a_field_that_no_task_has_is_refused_before_anybody_is_asked() {
    let folder = tempfile::tempdir().unwrap();
    for (verb, wrong, known) in [
        (&["list"][..], "{{ name }}", "winning_bid"),
        (&["list"], "{{ bids }}", "winning_bid"),
        (&["show", "4f"], "{{ bid }}", "bids"),
        (&["watch"], "{{ what.task_id }}", "what.task"),
        (&["list"], "tables", "{{ description }}"),
    ] {
        // Nobody listens there.
        let mut command = task(folder.path(), "http://127.0.0.1:1", verb);
        let ran = finish(command.args(["--format", wrong]));
        assert_eq!(ran.code(), Some(2), "{wrong}: {ran}");
        let said = ran.stderr();
        assert!(
            said.contains("--format") && said.contains(known),
            "{wrong}: {said}"
        );
    }
}

#[test]
fn the_help_tells_each_field_that_a_task_has_and_no_other() {
    let shop = Shop::open();
    let done = shop.records(&["add", "--wait", "--capability", "echo", "hello"]);
    let id = done[0]["id"].as_str().unwrap();
    let shown = shop.records(&["show", id]);
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/guide/printing.md");
    let page = std::fs::read_to_string(page).unwrap();
    for (verb, record) in [("list", &done[0]), ("show", &shown[0])] {
        let help = shop.ok(&[verb, "--help"]);
        let (_, fields) = help.split_once("Fields").unwrap();
        let told: Vec<&str> = fields
            .lines()
            .filter(|line| line.starts_with("  "))
            .map(|line| line.split_whitespace().next().unwrap())
            .collect();
        let mut has: Vec<&String> = record.as_object().unwrap().keys().collect();
        has.sort();
        assert_eq!(told, has, "{verb}");
        for name in told {
            assert!(page.contains(&format!("| `{name}` |")), "{name}");
        }
    }
}
