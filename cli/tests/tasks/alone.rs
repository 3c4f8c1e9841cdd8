//! `alveary coordinator`: one that runs alone.

use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};

use rustix::process::Signal;

use crate::bed::{Agent, program};
use crate::hive::{Ran, eventually, finish, signal};

/// A coordinator of the program's own, in this folder.
pub(crate) struct Alone {
    child: Child,
    pub(crate) url: String,
}

impl Alone {
    pub(crate) fn in_folder(folder: &Path, args: &[&str]) -> Self {
        let mut command = program();
        if !args.contains(&"--listen") {
            return Self::in_folder(folder, &[args, &["--listen", "127.0.0.1:0"]].concat());
        }
        command
            .current_dir(folder)
            .arg("coordinator")
            .args(args)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let mut url = String::new();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        out.read_line(&mut url).unwrap();
        let url = url.trim_end().trim_end_matches('/').to_owned();
        assert!(url.starts_with("http://127.0.0.1:"), "{url}");
        Self { child, url }
    }

    pub(crate) fn signal(&self, which: Signal) {
        signal(self.child.id(), which);
    }

    pub(crate) fn end(mut self, by: Signal) -> ExitStatus {
        self.signal(by);
        eventually("it ends", || self.child.try_wait().unwrap())
    }

    pub(crate) fn stop(&mut self) {
        self.signal(Signal::TERM);
        eventually("it ends", || self.child.try_wait().unwrap());
    }
}

impl Drop for Alone {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// `alveary task …` of the admin of a coordinator in this folder.
pub(crate) fn task(folder: &Path, url: &str, args: &[&str]) -> Command {
    let mut command = program();
    command
        .current_dir(folder)
        .args(["task", "--url", url, "--token-file", "coordinator.db.token"])
        .args(args);
    command
}

/// What its standard output says, of a run that has to be a good one.
#[track_caller]
pub(crate) fn good(command: &mut Command) -> String {
    let ran = finish(command);
    assert_eq!(ran.code(), Some(0), "{ran}");
    ran.stdout()
}

/// That it was refused by one sentence with a cure, which has these words.
#[track_caller]
pub(crate) fn refused(ran: &Ran, words: &str) {
    assert_eq!(ran.code(), Some(2), "{ran}");
    let said = ran.stderr();
    assert_eq!(said.matches("error:").count(), 1, "{said}");
    assert_eq!(said.matches("help:").count(), 1, "{said}");
    assert!(said.contains(words), "{words}: {said}");
}

#[test]
fn its_file_outlives_it_and_its_token_is_for_its_owner_alone() {
    let dir = tempfile::tempdir().unwrap();
    let first = Alone::in_folder(dir.path(), &[]);
    let added = good(&mut task(
        dir.path(),
        &first.url,
        &["add", "--format", "json", "remember this"],
    ));
    let id = serde_json::from_str::<serde_json::Value>(&added).unwrap()["id"].clone();
    for file in [
        "coordinator.db",
        "coordinator.db.token",
        "coordinator.db.key",
    ] {
        let mode = dir
            .path()
            .join(file)
            .metadata()
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600, "{file}");
    }
    assert_eq!(first.end(Signal::TERM).code(), Some(0));
    let second = Alone::in_folder(dir.path(), &[]);
    let listed = good(&mut task(
        dir.path(),
        &second.url,
        &["list", "--format", "json"],
    ));
    let listed: serde_json::Value = serde_json::from_str(&listed).unwrap();
    assert_eq!(listed["id"], id);
    assert_eq!(listed["description"], "remember this");
    assert_eq!(second.end(Signal::INT).code(), Some(0));
}

#[test]
fn asked_to_end_it_answers_first_who_waits() {
    let dir = tempfile::tempdir().unwrap();
    let alone = Alone::in_folder(dir.path(), &[]);
    let mut agent = Agent::start(
        program()
            .current_dir(dir.path())
            .args([
                "agent",
                "--exec",
                "cat",
                "--agent-id",
                "patient",
                "--url",
                &alone.url,
            ])
            .args(["--token-file", "coordinator.db.token"]),
    );
    agent.until_it_says("registered as");
    // Its agent waits for tasks, at most half a minute at a time; nobody waits for that.
    let began = std::time::Instant::now();
    assert_eq!(alone.end(Signal::TERM).code(), Some(0));
    assert!(began.elapsed() < std::time::Duration::from_secs(15));
    agent.until_it_says("cannot be reached");
}

#[test]
fn an_agent_gets_a_token_of_its_own_by_which_it_speaks_for_itself_alone() {
    let dir = tempfile::tempdir().unwrap();
    let token = good(
        program()
            .current_dir(dir.path())
            .args(["coordinator", "--token-of", "echo"]),
    );
    std::fs::write(dir.path().join("echo.token"), token).unwrap();
    let alone = Alone::in_folder(dir.path(), &[]);
    let as_agent = |id: &str| {
        let mut command = program();
        command
            .current_dir(dir.path())
            .args([
                "agent",
                "--exec",
                "cat",
                "--agent-id",
                id,
                "--url",
                &alone.url,
            ])
            .args(["--token-file", "echo.token"]);
        command
    };
    let mut echo = Agent::start(&mut as_agent("echo"));
    echo.until_it_says("registered as");
    refused(&finish(&mut as_agent("other")), "may not speak for");
    // It is no admin's.
    let ran = finish(program().current_dir(dir.path()).args([
        "task",
        "--url",
        &alone.url,
        "--token-file",
        "echo.token",
        "list",
    ]));
    refused(&ran, "may not do this");
}

#[test]
fn an_auction_that_anybody_may_bid_in_is_as_long_as_it_is_said() {
    let dir = tempfile::tempdir().unwrap();
    let alone = Alone::in_folder(dir.path(), &["--auth", "none", "--auction", "300ms"]);
    let began = std::time::Instant::now();
    let ran = finish(&mut task(
        dir.path(),
        &alone.url,
        &["add", "--wait", "for nobody"],
    ));
    // Nobody bids, so that it fails; which is told to who waited.
    assert_eq!(ran.code(), Some(1), "{ran}");
    assert!(ran.stdout().contains("failed"), "{ran}");
    assert!(began.elapsed() >= std::time::Duration::from_millis(300));
}

#[test]
fn one_that_is_open_to_all_is_refused_unless_it_is_meant() {
    let dir = tempfile::tempdir().unwrap();
    let open = |more: &[&str]| {
        let mut command = program();
        command
            .current_dir(dir.path())
            .args(["coordinator", "--listen", "0.0.0.0:0", "--auth", "none"])
            .args(more);
        command
    };
    refused(&finish(&mut open(&[])), "--insecure-no-auth");
    assert!(
        !dir.path().join("coordinator.db").exists(),
        "nothing is begun"
    );
    let mut meant = open(&["--insecure-no-auth"]);
    let mut child = meant
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    assert!(line.starts_with("http://0.0.0.0:"), "{line}");
    signal(child.id(), Signal::TERM);
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn a_file_or_a_port_that_is_taken_is_one_sentence() {
    let dir = tempfile::tempdir().unwrap();
    let alone = Alone::in_folder(dir.path(), &[]);
    let run = |args: &[&str]| {
        finish(
            program()
                .current_dir(dir.path())
                .arg("coordinator")
                .args(args),
        )
    };
    let ran = run(&["--listen", "127.0.0.1:0"]);
    refused(&ran, "another coordinator has coordinator.db open");
    let taken = alone.url.trim_start_matches("http://");
    let ran = run(&["--listen", taken, "--db", "other.db"]);
    refused(&ran, taken);
    refused(&run(&["--db", "no/such/folder.db"]), "no/such/folder.db");
    std::fs::write(dir.path().join("other.db.key"), "short").unwrap();
    std::fs::set_permissions(
        dir.path().join("other.db.key"),
        std::fs::Permissions::from_mode(0o600),
    )
    .unwrap();
    refused(
        &run(&["--listen", "127.0.0.1:0", "--db", "other.db"]),
        "32 bytes",
    );
}

#[test]
fn what_is_said_to_it_is_not_said_to_others() {
    let dir = tempfile::tempdir().unwrap();
    let mut command = program();
    command
        .current_dir(dir.path())
        .args(["coordinator", "--listen", "127.0.0.1:0"])
        .env("ALVEARY_LOG", "trace")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut url = String::new();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    out.read_line(&mut url).unwrap();
    let url = url.trim_end().trim_end_matches('/').to_owned();
    good(&mut task(dir.path(), &url, &["add", "one"]));
    signal(child.id(), Signal::TERM);
    let said = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&said.stderr).into_owned();
    let token = std::fs::read_to_string(dir.path().join("coordinator.db.token")).unwrap();
    let (_, proof) = token.split_once('~').unwrap();
    assert!(!said.contains(proof), "{said}");
}
