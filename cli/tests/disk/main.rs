//! A state folder that is full, cannot be written, or lies too deep.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on ends there")]

#[path = "../cli/hive.rs"]
#[expect(dead_code, reason = "the other tests of the program use all of it")]
mod hive;
#[path = "../cli/tally.rs"]
#[expect(dead_code, reason = "the other tests of the program use all of it")]
mod tally;

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::process::{Command, ExitCode};

use libtest_mimic::{Arguments, Completion, Trial};

use crate::hive::{Hive, eventually, finish, is_alive, pid_of};
use crate::tally::processes;

fn main() -> ExitCode {
    let trials = vec![
        for_root(
            "a_full_disk_starts_nothing_stops_everything_and_is_well_again_once_there_is_room",
            a_full_disk_starts_nothing_stops_everything_and_is_well_again_once_there_is_room,
        ),
        for_root(
            "a_state_folder_that_cannot_be_written_is_refused_with_its_cure",
            a_state_folder_that_cannot_be_written_is_refused_with_its_cure,
        ),
        for_root(
            "a_full_disk_gets_no_half_of_a_file_that_somebody_wants",
            a_full_disk_gets_no_half_of_a_file_that_somebody_wants,
        ),
        Trial::test(
            "a_state_folder_too_deep_for_a_sockets_path_does_as_any_other",
            || {
                a_state_folder_too_deep_for_a_sockets_path_does_as_any_other();
                Ok(())
            },
        ),
    ];
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

/// A trial that mounts a file system.
fn for_root(name: &'static str, run: fn()) -> Trial {
    Trial::ignorable_test(name, move || {
        if !rustix::process::geteuid().is_root() {
            return Ok(Completion::ignored_with(
                "needs root: run the tests as root",
            ));
        }
        run();
        Ok(Completion::Completed)
    })
}

/// A file system of 1 MiB in the place of the state folder, gone afterwards.
struct SmallDisk<'a>(&'a Path);

impl<'a> SmallDisk<'a> {
    fn mount(at: &'a Path, options: &str) -> Self {
        fs::create_dir(at).unwrap();
        mount(&["-t", "tmpfs", "-o", options, "alveary-test"], at);
        Self(at)
    }

    /// Leaves not a byte.
    fn fill(&self) {
        let mut filler = File::create(self.filler()).unwrap();
        let mut size = 1 << 20;
        while size > 0 {
            if filler.write_all(&vec![0; size]).is_err() {
                size /= 2;
            }
        }
    }

    fn make_room(&self) {
        fs::remove_file(self.filler()).unwrap();
    }

    fn filler(&self) -> std::path::PathBuf {
        self.0.join("filler")
    }
}

impl Drop for SmallDisk<'_> {
    fn drop(&mut self) {
        // Lazily: a keeper may be about to end in it.
        let _ = Command::new("umount").arg("--lazy").arg(self.0).status();
    }
}

fn mount(arguments: &[&str], at: &Path) {
    let status = Command::new("mount").args(arguments).arg(at).status();
    assert!(status.unwrap().success(), "{arguments:?}");
}

fn sleepers(count: usize) -> String {
    format!("swarm = \"demo\"\n[agents.a]\ncount = {count}\ncommand = [\"sleep\", \"1000\"]\n")
}

fn is_running(hive: &Hive, count: usize) {
    let agents = hive.agents();
    assert_eq!(agents.len(), count);
    assert!(agents.iter().all(|agent| agent["state"] == "running"));
    assert_eq!(processes(&hive.state()).len(), count);
}

fn a_full_disk_starts_nothing_stops_everything_and_is_well_again_once_there_is_room() {
    let hive = Hive::new(&sleepers(2));
    let state = hive.state();
    let disk = SmallDisk::mount(&state, "size=1M");
    hive.ok(&["up", "-d"]);
    let before = hive.agents();
    disk.fill();
    hive.rewrite(&sleepers(30));

    let up = hive.run(&["up", "-d"]);
    assert_eq!(up.code(), Some(2), "{up}");
    assert!(up.stderr().contains("No space left"), "{up}");
    assert!(up.stderr().contains("help: free some space"), "{up}");
    // No half record: those from before, and no others.
    assert_eq!(hive.agents(), before);
    assert_eq!(processes(&state).len(), 2);

    let first = pid_of(&before[0]);
    let stop = hive.run(&["stop", "a-1"]);
    assert!(!is_alive(first), "{stop}");
    assert_eq!(hive.agent("a-1")["exit"]["signal"], "SIGTERM");

    disk.make_room();
    hive.ok(&["up", "-d"]);
    is_running(&hive, 30);

    disk.fill();
    let down = hive.run(&["down", "-t", "0"]);
    assert_eq!(down.code(), Some(0), "{down}");
    assert!(processes(&state).is_empty());
    disk.make_room();
    assert!(hive.agents().is_empty());
    hive.ok(&["up", "-d"]);
    is_running(&hive, 30);
    hive.ok(&["down", "-t", "0"]);
    gone(&hive);
}

fn a_full_disk_gets_no_half_of_a_file_that_somebody_wants() {
    let hive = Hive::new("");
    fs::write(hive.path().join("Procfile"), "web: run\n").unwrap();
    let folder = hive.state();
    let disk = SmallDisk::mount(&folder, "size=1M");
    let file = folder.join("alveary.toml");
    for args in [&["init", "--yes"][..], &["import", "Procfile"]] {
        disk.fill();
        let args = [args, &["--output", "state/alveary.toml"]].concat();
        let full = hive.run(&args);
        assert_eq!(full.code(), Some(2), "{full}");
        assert!(full.stderr().contains("No space left"), "{full}");
        assert!(full.stderr().contains("help: make room there"), "{full}");
        assert!(!file.exists(), "{full}");
        disk.make_room();
        hive.ok(&args);
        fs::remove_file(&file).unwrap();
    }
}

fn a_state_folder_that_cannot_be_written_is_refused_with_its_cure() {
    let hive = Hive::new(&sleepers(1));
    let state = hive.state();
    let _disk = SmallDisk::mount(&state, "size=1M,ro");
    for args in [&["up", "-d"][..], &["up"]] {
        let up = hive.run(args);
        assert_eq!(up.code(), Some(2), "{up}");
        assert!(up.stderr().contains("Read-only file system"), "{up}");
        assert!(up.stderr().contains("help:"), "{up}");
    }
    assert_eq!(hive.ok(&["ps", "-a", "-q"]), "");
}

fn a_state_folder_too_deep_for_a_sockets_path_does_as_any_other() {
    let hive = Hive::new(
        "swarm = \"demo\"\n[agents.a]\ncommand = [\"sh\", \"-c\", \"echo here; exec sleep 1000\"]\nready = { log = \"here\" }\n",
    );
    let mut deep = hive.path().to_owned();
    for letter in ["d", "e", "e", "p"] {
        deep.push(letter.repeat(100));
    }
    let run = |args: &[&str]| {
        let ran = finish(hive.command().args(args).env("ALVEARY_STATE_DIR", &deep));
        assert_eq!(ran.code(), Some(0), "{args:?}: {ran}");
        ran.stdout()
    };
    run(&["up", "-d", "--wait"]);
    assert_eq!(run(&["ps", "-q"]).lines().count(), 1);
    assert_eq!(run(&["logs", "a"]), "here\n");
    assert!(deep.join("demo/process/keeper.sock").exists());
    run(&["restart", "a"]);
    run(&["stop", "a"]);
    run(&["up", "-d"]);
    run(&["down"]);
    assert_eq!(run(&["ps", "-a", "-q"]), "");
    assert!(processes(&deep).is_empty());
}

/// Waits until neither keeper nor supervisor has anything in the folder.
fn gone(hive: &Hive) {
    eventually("the supervisor ends", || {
        hive.supervisor().is_none().then_some(())
    });
}
