//! `gc`: what is left of swarms is found and ended, and nothing else.

use std::fs;
use std::path::PathBuf;

use rustix::process::Signal;

use crate::hive::{Hive, eventually, is_alive, keeper_of, pid_of, signal};
use crate::tally::processes;

const TWO: &str = r#"
    swarm = "demo"
    [agents.bee]
    count = 2
    command = ["sleep", "1000"]
    stop = { grace = "0s" }
"#;

/// A second swarm in the same state folder.
fn neighbour(hive: &Hive) -> u32 {
    let dir = hive.path().join("next");
    fs::create_dir(&dir).unwrap();
    let file = dir.join("alveary.toml");
    fs::write(
        &file,
        "swarm = \"next\"\n[agents.other]\ncommand = [\"sleep\", \"1000\"]\n",
    )
    .unwrap();
    hive.ok(&["--file", "next/alveary.toml", "up", "-d"]);
    let listed = hive.ok(&["--file", "next/alveary.toml", "ps", "--format", "{{ pid }}"]);
    listed.trim().parse().unwrap()
}

#[test]
fn what_nobody_is_in_want_of_is_left_alone() {
    let hive = Hive::new(TWO);
    let ran = hive.run(&["gc", "--yes"]);
    assert_eq!(ran.code(), Some(0), "{ran}");
    assert!(ran.stderr().contains("nothing is left over"), "{ran}");
    hive.ok(&["up", "-d"]);
    let before = hive.agents();
    let ran = hive.run(&["gc"]);
    assert_eq!(ran.code(), Some(0), "{ran}");
    assert_eq!(ran.stdout(), "");
    assert!(ran.stderr().contains("nothing is left over"), "{ran}");
    hive.ok(&["gc", "--yes", "--unsupervised"]);
    assert_eq!(hive.agents(), before);
}

#[test]
fn a_swarm_whose_file_is_gone_is_listed_and_then_ended_with_its_supervisor() {
    let hive = Hive::new(TWO);
    hive.ok(&["up", "-d"]);
    let other = neighbour(&hive);
    let supervisor = hive.the_supervisor();
    let pids: Vec<u32> = processes(&hive.state()).into_values().flatten().collect();
    assert_eq!(pids.len(), 2);
    fs::remove_file(hive.path().join("alveary.toml")).unwrap();

    let listed = hive.ok(&["gc", "--format", "{{ swarm }} {{ name }} {{ reason }}"]);
    assert_eq!(listed, "demo bee-1 file-gone\ndemo bee-2 file-gone\n");
    assert!(
        pids.iter().all(|pid| is_alive(*pid)),
        "it was to be listed only"
    );

    let ran = hive.run(&["gc", "--yes"]);
    assert_eq!(ran.code(), Some(0), "{ran}");
    assert!(ran.stderr().contains("demo/bee-1"), "{ran}");
    assert!(pids.iter().all(|pid| !is_alive(*pid)), "{ran}");
    eventually("its supervisor ends", || {
        (!is_alive(supervisor)).then_some(())
    });
    assert!(is_alive(other), "the neighbour's file is there");
    assert!(hive.run(&["gc"]).stderr().contains("nothing is left over"));
    hive.ok(&["--file", "next/alveary.toml", "down", "-t", "0"]);
}

#[test]
fn agents_of_spawn_are_wanted_where_there_never_was_a_file() {
    let hive = Hive::new("");
    let file = hive.path().join("alveary.toml");
    fs::remove_file(&file).unwrap();
    hive.ok(&["spawn", "--name", "scribe", "sleep", "1000"]);
    let pid = pid_of(&hive.agent("scribe"));
    for args in [&["gc"][..], &["gc", "--yes"]] {
        let ran = hive.run(args);
        assert_eq!(ran.code(), Some(0), "{ran}");
        assert!(ran.stderr().contains("nothing is left over"), "{ran}");
    }
    assert!(is_alive(pid));
    // Nor is a file shown that nobody has ever seen.
    assert_eq!(hive.ok(&["swarms", "--format", "{{ file }}"]), "\n");
    hive.ok(&["down"]);
    // A swarm that was brought up from a file, and is then spawned without it, is none of that file.
    hive.rewrite("[agents.bee]\ncommand = [\"sleep\", \"1000\"]\n");
    hive.ok(&["up", "-d"]);
    assert_eq!(
        hive.ok(&["swarms", "--format", "{{ file }}"]).trim(),
        file.canonicalize().unwrap().to_str().unwrap()
    );
    hive.ok(&["down"]);
    fs::remove_file(&file).unwrap();
    hive.ok(&["spawn", "--name", "scribe", "sleep", "1000"]);
    let pid = pid_of(&hive.agent("scribe"));
    hive.ok(&["gc", "--yes"]);
    assert!(is_alive(pid));
    hive.ok(&["down"]);
}

#[test]
fn a_file_that_is_there_again_saves_its_swarm() {
    let hive = Hive::new(TWO);
    hive.ok(&["up", "-d"]);
    fs::remove_file(hive.path().join("alveary.toml")).unwrap();
    assert_eq!(
        hive.ok(&["gc", "--format", "{{ name }}"]).lines().count(),
        2
    );
    hive.rewrite(TWO);
    let before = hive.agents();
    hive.ok(&["gc", "--yes"]);
    assert_eq!(hive.agents(), before);
}

#[test]
fn each_is_looked_at_once_more_before_it_is_ended() {
    let hive = Hive::new(
        r#"
        swarm = "demo"
        [agents.a]
        command = ["sh", "-c", "trap 'cp saved.toml alveary.toml; exit' TERM; echo up; while :; do sleep 0.05; done"]
        ready = { log = "up" }
        [agents.b]
        command = ["sleep", "1000"]
        "#,
    );
    hive.ok(&["up", "-d", "--wait"]);
    let (a, b) = (pid_of(&hive.agent("a")), pid_of(&hive.agent("b")));
    let file = hive.path().join("alveary.toml");
    fs::rename(&file, hive.path().join("saved.toml")).unwrap();
    // The first brings the file back as it ends, so that the second is somebody's again.
    let ran = hive.run(&["gc", "--yes"]);
    assert_eq!(ran.code(), Some(0), "{ran}");
    assert!(file.exists() && !is_alive(a), "{ran}");
    let said = ran.stderr();
    assert!(
        said.contains("demo/b is left alone: it is not what it was"),
        "{ran}"
    );
    assert!(is_alive(b), "{ran}");
}

#[test]
fn after_everything_of_ours_was_killed_what_runs_is_ended_on_request_alone() {
    let hive = Hive::new(TWO);
    hive.ok(&["up", "-d"]);
    let pids: Vec<u32> = hive.agents().iter().map(pid_of).collect();
    let keeper = keeper_of(pids[0]);
    for ours in [hive.the_supervisor(), keeper] {
        signal(ours, Signal::KILL);
        eventually("it is gone", || (!is_alive(ours)).then_some(()));
    }
    // Somebody may still want them: `up` takes them up again.
    assert!(hive.run(&["gc"]).stderr().contains("nothing is left over"));
    let listed = hive.ok(&[
        "gc",
        "--unsupervised",
        "--format",
        "{{ name }} {{ reason }}",
    ]);
    assert_eq!(listed, "bee-1 unsupervised\nbee-2 unsupervised\n");
    assert!(pids.iter().all(|pid| is_alive(*pid)));
    hive.ok(&["gc", "--unsupervised", "--yes"]);
    assert!(pids.iter().all(|pid| !is_alive(*pid)));
}

#[test]
fn a_process_that_outlived_its_agent_is_ended_and_one_that_only_looks_like_it_is_not() {
    let hive = Hive::new(TWO);
    hive.ok(&["up", "-d"]);
    let agent = hive.agent("bee-1");
    let record = fs::read(hive.state().join("demo/swarm.json")).unwrap();
    let record: serde_json::Value = serde_json::from_slice(&record).unwrap();
    let swarm = record["uid"].as_str().unwrap().replace('-', "");
    let marked = |swarm: &str, incarnation: &str| {
        let mut stray = std::process::Command::new("sleep");
        stray
            .arg("1000")
            .env("ALVEARY_SWARM", swarm)
            .env("ALVEARY_AGENT_ID", agent["agent_id"].as_str().unwrap())
            .env("ALVEARY_INCARNATION", incarnation);
        Ended(stray.spawn().unwrap())
    };
    // What an earlier start of the agent left, one of another swarm, and a part of what runs.
    let mut left = marked(&swarm, "0123456789abcdef0123456789abcdef");
    let mut strangers = marked(
        "0123456789abcdef0123456789abcdef",
        "0123456789abcdef0123456789abcdef",
    );
    let mut part = marked(&swarm, agent["incarnation"].as_str().unwrap());
    let listed = hive.ok(&["gc", "--format", "{{ pid }} {{ reason }}"]);
    assert_eq!(listed, format!("{} outlived\n", left.0.id()));
    hive.ok(&["gc", "--yes"]);
    eventually("it ends", || left.0.try_wait().unwrap());
    assert!(strangers.0.try_wait().unwrap().is_none());
    assert!(part.0.try_wait().unwrap().is_none());
    assert_eq!(hive.agents().len(), 2);
}

/// A swarm that keeps one agent, which is not recorded in its first line.
fn with_one() -> (Hive, PathBuf, String) {
    let hive = Hive::new("swarm = \"demo\"\n");
    // Nobody restarts it, and so nobody writes records of it meanwhile.
    hive.ok(&["spawn", "--name", "bee", "sleep", "1000"]);
    let members = hive.state().join("demo/members.jsonl");
    let text = fs::read_to_string(&members).unwrap();
    (hive, members, text)
}

#[test]
fn one_that_no_record_knows_is_ended() {
    let (hive, members, text) = with_one();
    let pid = pid_of(&hive.agent("bee"));
    let first = text.lines().next().unwrap();
    fs::write(&members, format!("{first}\n")).unwrap();
    let listed = hive.ok(&["gc", "--format", "{{ name }} {{ reason }}"]);
    assert_eq!(listed, "bee unrecorded\n");
    assert!(is_alive(pid), "it was to be listed only");
    hive.ok(&["gc", "--yes"]);
    assert!(!is_alive(pid));
    assert!(hive.agents().is_empty());
}

#[test]
fn where_a_record_is_damaged_nobody_is_said_to_be_in_none() {
    let (hive, members, text) = with_one();
    let pid = pid_of(&hive.agent("bee"));
    let (first, others) = text.split_once('\n').unwrap();
    fs::write(
        &members,
        format!("{first}\n{}", others.replace("\"put\"", "\"p")),
    )
    .unwrap();
    let kept = members.with_extension("jsonl.corrupt");
    for then in ["read", "kept aside"] {
        for args in [&["gc"][..], &["gc", "--yes"]] {
            let ran = hive.run(args);
            assert_eq!(ran.code(), Some(2), "{then}: {ran}");
            assert_eq!(ran.stdout(), "", "{then}: {ran}");
            let said = ran.stderr();
            assert!(said.contains("nothing of demo is judged"), "{then}: {ran}");
            assert!(said.contains(&kept.display().to_string()), "{then}: {ran}");
        }
        assert!(is_alive(pid), "{then}");
        // With the next record the damaged one is put aside.
        hive.ok(&[
            "spawn",
            "--name",
            then.split(' ').next().unwrap(),
            "sleep",
            "1000",
        ]);
        assert!(kept.exists());
    }
    // Somebody has seen to it.
    fs::remove_file(kept).unwrap();
    assert_eq!(hive.ok(&["gc", "--format", "{{ name }}"]), "bee\n");
    hive.ok(&["gc", "--yes"]);
    assert!(!is_alive(pid));
}

/// A process that does not outlive its test.
struct Ended(std::process::Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
