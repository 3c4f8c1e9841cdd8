//! `up --watch`: a file changes, and the agents that are made of it are started again.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::hive::{Hive, eventually, is_alive, pid_of};
use crate::pty::Pty;

const TWO: &str = r#"
    swarm = "demo"
    [agents.snake]
    count = 2
    command = ["sh", "agent.sh"]
    [agents.bee]
    command = ["./bee"]
"#;

fn program(says: &str) -> String {
    format!("#!/bin/sh\necho it is {says}\nexec sleep 1000\n")
}

/// Writes a program as editors do that want no half of a file to be seen: another one, put in its place.
fn replace(path: &Path, text: &str) {
    let draft = path.with_extension("draft");
    std::fs::write(&draft, text).unwrap();
    std::fs::set_permissions(&draft, PermissionsExt::from_mode(0o755)).unwrap();
    std::fs::rename(&draft, path).unwrap();
}

fn hive() -> Hive {
    let hive = Hive::new(TWO);
    replace(&hive.path().join("agent.sh"), &program("one"));
    replace(&hive.path().join("bee"), &program("a bee"));
    hive
}

fn watch(hive: &Hive, args: &[&str]) -> Pty {
    let mut command = hive.command();
    command
        .args(["up", "--watch", "--color", "never"])
        .args(args);
    Pty::run(&command)
}

const NAMES: [&str; 3] = ["snake-1", "snake-2", "bee"];

fn pids(hive: &Hive) -> [u32; 3] {
    NAMES.map(|name| pid_of(&hive.agent(name)))
}

/// The agents run by now as other processes, and which of them that is so of.
/// One that is between two has no number.
#[track_caller]
fn others(hive: &Hive, before: [u32; 3]) -> [bool; 3] {
    let now = NAMES.map(|name| hive.agent(name)["pid"].as_u64());
    [0, 1, 2].map(|at| now[at].is_some_and(|now| now != u64::from(before[at])))
}

#[track_caller]
fn ends(mut pty: Pty) {
    pty.send(b"\x03");
    assert_eq!(pty.finish().code(), Some(130), "{}", pty.shown());
}

#[test]
fn a_program_that_is_written_or_replaced_has_exactly_its_agents_started_again() {
    let hive = hive();
    let mut pty = watch(&hive, &[]);
    for word in [
        "snake-1 | it is one",
        "snake-2 | it is one",
        "bee     | it is a bee",
    ] {
        pty.expect(word);
    }
    let before = pids(&hive);
    // An argument that is a file, written in place.
    std::fs::write(hive.path().join("agent.sh"), program("two")).unwrap();
    for word in [
        "snake-1 | it is two",
        "snake-2 | it is two",
        "agent.sh has changed",
    ] {
        pty.expect(word);
    }
    assert_eq!(others(&hive, before), [true, true, false]);
    assert!(!is_alive(before[0]) && !is_alive(before[1]) && is_alive(before[2]));

    // The program itself, replaced; and once more, as the file that is there now.
    let before = pids(&hive);
    for says in ["a queen", "a drone"] {
        replace(&hive.path().join("bee"), &program(says));
        pty.expect(&format!("bee     | it is {says}"));
    }
    assert_eq!(others(&hive, before), [false, false, true]);
    // Nothing was said twice, though the outputs have been followed all along.
    assert_eq!(
        pty.shown().matches("| it is a queen").count(),
        1,
        "{}",
        pty.shown()
    );
    ends(pty);
}

#[test]
fn one_that_has_failed_is_started_again_when_its_program_is_mended() {
    let hive = hive();
    let broken = "#!/bin/sh\necho it fails\nexit 3\n";
    replace(&hive.path().join("bee"), broken);
    let mut pty = watch(&hive, &["bee"]);
    pty.expect("it fails");
    pty.expect("exited with code 3");
    // All have ended, and it goes on: it is told what to do next.
    replace(&hive.path().join("bee"), &program("well again"));
    pty.expect("bee | it is well again");
    assert_eq!(hive.agent("bee")["state"], "running");
    assert_eq!(
        pty.shown().matches("it fails").count(),
        1,
        "{}",
        pty.shown()
    );
    ends(pty);
}

#[test]
fn one_that_somebody_has_stopped_stays_so() {
    let hive = hive();
    let mut pty = watch(&hive, &[]);
    pty.expect("snake-2 | it is one");
    pty.expect("snake-1 | it is one");
    hive.ok(&["stop", "snake-2"]);
    replace(&hive.path().join("agent.sh"), &program("two"));
    pty.expect("snake-1 | it is two");
    assert_eq!(hive.agent("snake-2")["state"], "exited");
    assert!(
        !pty.shown().contains("snake-2 | it is two"),
        "{}",
        pty.shown()
    );
    ends(pty);
}

#[test]
fn a_fleet_file_that_has_changed_is_brought_up_and_a_broken_one_changes_nothing() {
    let hive = hive();
    let mut pty = watch(&hive, &[]);
    pty.expect("bee     | it is a bee");
    pty.expect("snake-2 | it is one");
    let before = pids(&hive);

    hive.rewrite("swarm = \"demo\"\n[agents.snake]\ncomand = []\n");
    pty.expect("comand");
    pty.expect("all goes on as before");
    assert!(before.iter().all(|pid| is_alive(*pid)));

    // One variable more for one, a new one, and nothing for the others.
    let more = TWO.replace("[agents.bee]", "[agents.bee]\nenv = { A = \"1\" }");
    let more = format!("{more}\n[agents.new]\ncommand = [\"sh\", \"agent.sh\"]");
    hive.rewrite(&more);
    pty.expect("new     | it is one");
    eventually("the bee is another", || {
        (others(&hive, before) == [false, false, true]).then_some(())
    });
    // What is new is watched too.
    replace(&hive.path().join("agent.sh"), &program("two"));
    pty.expect("new     | it is two");

    // Another swarm is no change of this one.
    hive.rewrite(&more.replace("\"demo\"", "\"other\""));
    pty.expect("names another swarm");
    ends(pty);
    hive.rewrite(&more);
    assert_eq!(hive.agent("new")["exit"]["cause"], "us");
}

#[test]
fn variables_of_a_file_that_have_changed_are_those_of_who_reads_it() {
    let hive = Hive::new(
        r#"
        swarm = "demo"
        [agents.reads]
        command = ["sh", "-c", "echo the word is $WORD; exec sleep 1000"]
        env_file = ["word.env"]
        [agents.other]
        command = ["sleep", "1000"]
        "#,
    );
    let file = hive.path().join("word.env");
    std::fs::write(&file, "WORD=honey\n").unwrap();
    let mut pty = watch(&hive, &[]);
    pty.expect("the word is honey");
    pty.expect("other started");
    let other = pid_of(&hive.agent("other"));
    replace(&file, "WORD=wax\n");
    pty.expect("the word is wax");
    assert_eq!(pid_of(&hive.agent("other")), other);
    let reads = pid_of(&hive.agent("reads"));
    // It cannot be read: all goes on.
    replace(&file, "no variable\n");
    pty.expect("all goes on as before");
    assert!(is_alive(reads) && is_alive(other));
    ends(pty);
}

#[test]
fn a_file_that_is_only_read_or_written_beside_changes_nothing() {
    let hive = hive();
    let mut pty = watch(&hive, &[]);
    pty.expect("snake-2 | it is one");
    pty.expect("bee     | it is a bee");
    let before = pids(&hive);
    std::fs::read(hive.path().join("agent.sh")).unwrap();
    std::fs::write(hive.path().join("agent.sh.swp"), "x").unwrap();
    // What comes behind it is seen, and it was not.
    replace(&hive.path().join("bee"), &program("last"));
    pty.expect("bee     | it is last");
    assert_eq!(others(&hive, before), [false, false, true]);
    assert!(!pty.shown().contains("agent.sh"), "{}", pty.shown());
    ends(pty);
}

#[test]
fn a_program_that_cannot_be_started_is_told_of_and_the_next_change_counts() {
    let hive = hive();
    let mut pty = watch(&hive, &["bee"]);
    pty.expect("bee | it is a bee");
    let bee = hive.path().join("bee");
    replace(&bee, "#!/no/such/shell\n");
    pty.expect("error:");
    replace(&bee, &program("back"));
    pty.expect("bee | it is back");
    ends(pty);
}

#[test]
fn a_watch_is_for_the_foreground() {
    let hive = hive();
    for with in [
        "--detach",
        "--dry-run",
        "--abort-on-exit",
        "--exit-code-from=bee",
    ] {
        let ran = hive.run(&["up", "--watch", with]);
        assert_eq!(ran.code(), Some(2), "{with}: {ran}");
        assert!(ran.stderr().contains("--watch"), "{ran}");
    }
}
