//! Records that were cut off, keepers that were killed, machines that were started again.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::Path;

use rustix::process::Signal;

use crate::hive::{Hive, eventually, is_alive, keeper_of, pid_of, signal};
use crate::tally::processes;

const TWO: &str = "swarm = \"demo\"\n[agents.a]\ncount = 2\ncommand = [\"sleep\", \"1000\"]\n";

fn append(file: &Path, text: &str) {
    let mut file = OpenOptions::new().append(true).open(file).unwrap();
    file.write_all(text.as_bytes()).unwrap();
}

fn kill(pid: u32) {
    signal(pid, Signal::KILL);
    eventually("it is dead", || (!is_alive(pid)).then_some(()));
}

/// Waits until no keeper has this swarm, so that its journal is nobody's.
fn no_keeper(hive: &Hive) {
    let lock = File::open(hive.state().join("demo/process/keeper.lock")).unwrap();
    eventually("the keeper has gone", || lock.try_lock().ok());
}

#[test]
fn a_half_written_record_of_the_members_is_reported_and_costs_nothing_else() {
    let hive = Hive::new(TWO);
    hive.ok(&["up", "-d"]);
    let before = hive.agents();
    let members = hive.state().join("demo/members.jsonl");
    // Somebody was cut off in the middle of a line, and somebody else went on behind it.
    append(&members, "{\"half\n");
    let ps = hive.run(&["ps", "-a"]);
    assert_eq!(ps.code(), Some(0), "{ps}");
    assert!(ps.stderr().contains("members.jsonl is damaged"), "{ps}");
    assert_eq!(hive.agents(), before);
    hive.ok(&["stop", "a-1"]);
    hive.ok(&["up", "-d"]);
    assert_eq!(hive.agent("a-1")["state"], "running");
    assert_eq!(hive.agent("a-2"), before[1]);

    // The last line is the one that was cut off.
    append(&members, "[{\"stop\":{\"id");
    hive.ok(&["stop", "a-2"]);
    assert_eq!(hive.agent("a-2")["state"], "exited");
    assert_eq!(hive.agents().len(), 2);
}

#[test]
fn a_half_written_journal_of_the_keeper_costs_nothing_but_itself() {
    let hive = Hive::new("swarm = \"demo\"\n[agents.a]\ncommand = [\"sh\", \"-c\", \"exit 7\"]\n");
    hive.run(&["up"]);
    no_keeper(&hive);
    append(&hive.state().join("demo/process/journal"), "{\"is\":\"sta");
    let ps = hive.run(&["ps", "-a"]);
    assert_eq!(ps.code(), Some(0), "{ps}");
    assert!(ps.stdout().contains("exited with code 7"), "{ps}");
    assert_eq!(hive.run(&["up"]).code(), Some(1));
    assert_eq!(hive.agents().len(), 1);
    assert_eq!(hive.agent("a")["exit"]["code"], 7);
}

#[test]
fn what_was_meant_and_never_became_a_process_is_pending_and_finished_by_up() {
    let hive = Hive::new("swarm = \"demo\"\n[agents.a]\ncommand = [\"echo\", \"now\"]\n");
    hive.ok(&["up"]);
    no_keeper(&hive);
    // As if the keeper had been killed between what it meant and what it did.
    let journal = hive.state().join("demo/process/journal");
    let whole = fs::read_to_string(&journal).unwrap();
    let meant =
        |line: &&str| line.contains("\"is\":\"began\"") || line.contains("\"is\":\"intent\"");
    let meant: Vec<&str> = whole.lines().filter(meant).collect();
    assert!(meant.len() < whole.lines().count(), "{whole}");
    fs::write(&journal, meant.join("\n") + "\n").unwrap();

    let pending = hive.agent("a");
    assert_eq!(
        (&pending["state"], &pending["exit"]),
        (&"pending".into(), &().into())
    );
    let up = hive.run(&["up"]);
    assert_eq!(up.code(), Some(0), "{up}");
    assert!(up.stdout().contains("| now\n"), "{up}");
    let finished = hive.agent("a");
    assert_eq!(finished["agent_id"], pending["agent_id"]);
    assert_eq!(finished["exit"]["code"], 0);
}

#[test]
fn what_a_killed_keeper_did_not_see_is_said_to_be_unknown() {
    let hive = Hive::new(TWO);
    hive.ok(&["up", "-d"]);
    let agent = pid_of(&hive.agent("a-1"));
    kill(keeper_of(agent));
    assert!(is_alive(agent));
    assert_eq!(hive.agent("a-1")["state"], "running");
    kill(agent);
    let waited = hive.ok(&["wait", "a-1"]);
    assert!(waited.contains("how is unknown"), "{waited}");
    assert!(waited.contains("keeper"), "{waited}");
    let ps = hive.ok(&["ps", "-a"]);
    assert!(ps.contains("how is unknown"), "{ps}");
    let exit = hive.agent("a-1")["exit"].clone();
    assert_eq!((&exit["code"], &exit["signal"]), (&().into(), &().into()));
    assert!(exit["unknown"].is_string(), "{exit}");
    // Unknown is not well.
    assert_eq!(hive.run(&["wait", "--exit-code", "a-1"]).code(), Some(1));
}

#[test]
fn after_the_machine_was_started_again_agents_have_ended_for_that_reason_and_up_starts_them() {
    let hive = Hive::new(TWO);
    hive.ok(&["up", "-d"]);
    let before = hive.agents();
    kill(hive.the_supervisor());
    kill(keeper_of(pid_of(&before[0])));
    before.iter().map(pid_of).for_each(kill);
    // Another boot, as the records have it.
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
    for file in ["demo/process/journal", "demo/swarm.json"] {
        let file = hive.state().join(file);
        let text = fs::read_to_string(&file).unwrap();
        assert!(text.contains(boot.trim()), "{text}");
        let text = text.replace(boot.trim(), "00000000-0000-4000-8000-000000000000");
        fs::write(file, text).unwrap();
    }

    for agent in hive.agents() {
        assert_eq!(agent["state"], "exited", "{agent}");
        assert_eq!(agent["exit"]["unknown"], "the machine was started again");
    }
    hive.ok(&["up", "-d"]);
    let after = hive.agents();
    assert!(after.iter().all(|agent| agent["state"] == "running"));
    let ids = |agents: &[serde_json::Value]| -> Vec<_> {
        agents
            .iter()
            .map(|agent| agent["agent_id"].clone())
            .collect()
    };
    assert_eq!(ids(&after), ids(&before));
    assert_eq!(processes(&hive.state()).len(), 2);
}
