//! Agents that stand in no file.

use std::fs;

use crate::hive::{Hive, eventually, is_alive, pid_of};

#[test]
fn an_agent_that_stands_in_no_file_is_the_swarms_until_it_is_removed() {
    let hive = Hive::new(
        "swarm = \"demo\"\n[defaults]\nenv = { LOG = \"info\" }\n[agents.other]\ncommand = [\"sleep\", \"1000\"]\n",
    );
    fs::write(hive.path().join("more.env"), "FROM_FILE=yes\n").unwrap();
    let mut command = hive.command();
    command.env("HANDED", "on").args([
        "spawn",
        "--name",
        "scribe",
        "-e",
        "KIND=one off",
        "-e",
        "HANDED",
        "--env-file",
        "more.env",
        "--capability",
        "write",
        "--",
        "sh",
        "-c",
        "echo $AGENT_NAME/$LOG/$KIND/$HANDED/$FROM_FILE; exec sleep 1000",
    ]);
    let ran = crate::hive::finish(&mut command);
    assert_eq!(ran.code(), Some(0), "{ran}");
    let agent = hive.agent("scribe");
    assert_eq!(ran.stdout().trim(), agent["agent_id"].as_str().unwrap());
    assert_eq!(agent["capabilities"][0], "write");
    eventually("what it writes", || {
        (hive.ok(&["logs", "scribe"]) == "scribe/info/one off/on/yes\n").then_some(())
    });
    assert_eq!(hive.agents().len(), 1, "and nobody else was started");

    // Bringing up what the file says leaves it alone.
    hive.ok(&["up", "-d"]);
    let pid = pid_of(&hive.agent("scribe"));
    assert_eq!(hive.agents().len(), 2);
    assert!(is_alive(pid));
    hive.ok(&["down"]);
    assert!(!is_alive(pid));
}

#[test]
fn what_is_spawned_where_there_is_no_file_is_seen_and_ended_from_there() {
    let hive = Hive::new("");
    fs::remove_file(hive.path().join("alveary.toml")).unwrap();
    let ran = hive.run(&["ps"]);
    assert_eq!(ran.code(), Some(2), "{ran}");
    hive.ok(&["spawn", "--name", "scribe", "--", "sleep", "1000"]);
    let pid = pid_of(&hive.agent("scribe"));
    hive.ok(&["down"]);
    assert!(!is_alive(pid));
}

#[test]
fn two_of_a_program_have_names_of_their_own() {
    let hive = Hive::new("swarm = \"demo\"\n");
    hive.ok(&["spawn", "--", "sleep", "1000"]);
    hive.ok(&["spawn", "sleep", "1000"]);
    let agents = hive.agents();
    let names: Vec<_> = agents
        .iter()
        .map(|agent| agent["name"].as_str().unwrap())
        .collect();
    assert_eq!(names.len(), 2);
    assert!(
        names.iter().all(|name| name.starts_with("sleep-")),
        "{names:?}"
    );
}

#[test]
fn what_cannot_be_spawned_is_told_and_nothing_is_left() {
    let hive = Hive::new(
        "swarm = \"demo\"\n[agents.echo]\ncommand = [\"true\"]\n[agents.bee]\ncount = 2\ncommand = [\"true\"]\n",
    );
    for (args, words) in [
        (
            &["spawn", "--name", "echo", "true"][..],
            "has an agent `echo`",
        ),
        (
            &["spawn", "--name", "bee-2", "true"],
            "has an agent `bee-2`",
        ),
        (&["spawn", "--name", "a/b", "true"], "a/b"),
        (&["spawn", "--memory", "much", "true"], "much"),
        (&["spawn", "alveary-absent"], "alveary-absent"),
        (&["spawn", "--restart", "sometimes", "true"], "sometimes"),
        (&["spawn"], "command"),
    ] {
        let refused = hive.run(args);
        assert_eq!(refused.code(), Some(2), "{args:?}: {refused}");
        assert!(refused.stderr().contains(words), "{args:?}: {refused}");
        // A line of a file that does not have it is no help.
        assert!(
            !refused.stderr().contains("alveary.toml"),
            "{args:?}: {refused}"
        );
    }
    assert!(hive.agents().is_empty(), "{:?}", hive.agents());
}

#[test]
fn one_runs_where_it_is_told_and_is_started_again_as_it_is_told() {
    let hive = Hive::new("swarm = \"demo\"\n");
    fs::create_dir(hive.path().join("desk")).unwrap();
    hive.ok(&[
        "spawn",
        "--name",
        "scribe",
        "--cwd",
        "desk",
        "--restart",
        "on-failure",
        "--",
        "sh",
        "-c",
        "pwd -P; test -e tried && exec sleep 1000; touch tried; exit 3",
    ]);
    let agent = hive.until("scribe", "is started again", |agent| {
        agent["restarts"] == 1 && agent["state"] == "running"
    });
    let desk = hive.path().canonicalize().unwrap().join("desk");
    assert!(desk.join("tried").exists());
    let line = format!("{}\n", desk.display());
    eventually("where it runs, as it says since that start", || {
        (hive.ok(&["logs", "scribe"]) == line).then_some(())
    });
    // Whoever does that stays, and once is not all.
    hive.the_supervisor();
    crate::hive::signal(pid_of(&agent), rustix::process::Signal::KILL);
    hive.until("scribe", "is started again", |agent| agent["restarts"] == 2);
}

#[test]
fn one_holds_no_more_memory_than_it_is_told() {
    let hive = Hive::new("swarm = \"demo\"\n");
    // It holds what has no end. Should nobody mind, it ends at 1 GiB, and otherwise.
    let glutton = "ulimit -v 1048576; exec tail /dev/zero";
    let args = [
        "spawn", "--name", "glutton", "--memory", "64MiB", "--", "sh", "-c", glutton,
    ];
    let doctor = hive.run(&["doctor"]).stdout();
    let can = doctor
        .lines()
        .find_map(|line| line.strip_prefix("limits.memory"))
        .unwrap_or_else(|| panic!("{doctor}"));
    if can.trim_start().starts_with("yes") {
        hive.ok(&args);
        let agent = hive.until("glutton", "has ended", |agent| agent["state"] == "exited");
        assert_eq!(agent["exit"]["oom"], true, "{agent}");
    } else {
        let refused = hive.run(&args);
        assert_eq!(refused.code(), Some(2), "{refused}");
        assert!(refused.stderr().contains("limits.memory"), "{refused}");
        assert!(hive.agents().is_empty());
    }
}
