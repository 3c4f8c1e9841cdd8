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
    let (up, scale) = (hive.run(&["up", "-d"]), hive.run(&["scale", "scribe=3"]));
    assert_eq!(scale.code(), Some(2), "{scale}");
    assert!(scale.stderr().contains("there is no alveary.toml in"));
    assert_eq!(scale.stderr(), up.stderr());
    // There is nothing to bring up.
    let ps = hive.run(&["ps"]);
    assert!(!ps.stderr().contains("`alveary up"), "{ps}");
    assert!(
        ps.stderr().contains("`alveary spawn --restart always`"),
        "{ps}"
    );
    hive.ok(&[
        "spawn",
        "--name",
        "again",
        "--restart",
        "always",
        "sleep",
        "1000",
    ]);
    let ps = hive.run(&["ps"]);
    assert_eq!(ps.stderr(), "", "{ps}");
    crate::hive::signal(pid_of(&hive.agent("again")), rustix::process::Signal::KILL);
    hive.until("again", "is started again", |agent| agent["restarts"] == 1);
    hive.ok(&["down"]);
    assert!(!is_alive(pid));
}

#[test]
fn the_doctor_speaks_of_the_swarm_that_ps_means() {
    let hive = Hive::new("");
    fs::remove_file(hive.path().join("alveary.toml")).unwrap();
    hive.ok(&[
        "spawn",
        "--name",
        "scribe",
        "--restart",
        "always",
        "sleep",
        "1000",
    ]);
    let agent = hive.agent("scribe");
    let name = agent["swarm"].as_str().unwrap();
    for args in [
        &["doctor", "--format", "json"][..],
        &["-p", name, "doctor", "--format", "json"],
    ] {
        // By its name it is found from everywhere.
        let mut command = hive.command();
        if args[0] == "-p" {
            command.current_dir("/");
        }
        let ran = crate::hive::finish(command.args(args));
        assert_eq!(ran.code(), Some(0), "{ran}");
        assert!(!ran.stderr().contains("the backend alone"), "{ran}");
        let told: serde_json::Value = serde_json::from_str(&ran.stdout()).unwrap();
        let here = &told["here"];
        assert_eq!(here["swarm"], name, "{ran}");
        assert!(here["supervisor"].is_u64(), "{ran}");
        assert!(here["file"].is_null(), "{ran}");
    }
    hive.ok(&["down"]);
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
fn an_image_where_there_are_no_containers_is_said_not_to_be_used() {
    let hive = Hive::new("swarm = \"demo\"\n");
    let ran = hive.run(&[
        "spawn", "--image", "alpine", "--name", "bee", "sleep", "1000",
    ]);
    assert_eq!(ran.code(), Some(0), "{ran}");
    let said = ran.stderr();
    assert_eq!(
        said.matches("--image is not used: agents of process")
            .count(),
        1,
        "{ran}"
    );
    assert_eq!(
        said.contains("--backend docker-api"),
        cfg!(feature = "docker-api"),
        "{ran}"
    );
    assert_eq!(hive.agent("bee")["state"], "running");
    let again = hive.run(&["spawn", "--image", "alpine", "--name", "bee", "sleep", "1"]);
    assert_eq!(again.code(), Some(2), "{again}");
    assert!(again.stderr().contains("lives already"), "{again}");
    assert!(!again.stderr().contains("--image"), "{again}");
    let without = hive.run(&["spawn", "--name", "wasp", "sleep", "1000"]);
    assert!(!without.stderr().contains("--image"), "{without}");
}

#[test]
fn what_cannot_be_spawned_is_told_and_nothing_is_left() {
    let hive = Hive::new(
        "swarm = \"demo\"\n[agents.echo]\ncommand = [\"true\"]\n[agents.bee]\ncount = 2\ncommand = [\"true\"]\n",
    );
    fs::write(hive.path().join("more.env"), "no variable\n").unwrap();
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
        (
            &["spawn", "--restart", "unless-stopped", "true"],
            "[possible values: never, on-failure, always]",
        ),
        (
            &["spawn", "--env-file", "absent.env", "true"],
            "there is no file `absent.env`\nhelp: give --env-file",
        ),
        (
            &["spawn", "--env-file", "more.env", "true"],
            "more.env: line 1: there is no `=` in it\nhelp: mend it, or give --env-file another",
        ),
        (
            &["spawn", "--cwd", "absent", "true"],
            "\nhelp: make the folder, or correct --cwd",
        ),
        (
            &["spawn", "alveary-absent"],
            "error: there is no program `alveary-absent` in PATH\nhelp: install it, or name another program",
        ),
        (
            &["spawn"],
            "error: it has no command\nhelp: name a program behind `--`, or give `command` in `[defaults]`",
        ),
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
fn a_name_that_somebody_lives_by_is_refused_and_one_of_an_ended_agent_is_free() {
    let hive = Hive::new("swarm = \"demo\"\n");
    let spawn = |program: &[&str]| {
        let args = [&["spawn", "--name", "scribe"], program].concat();
        hive.run(&args)
    };
    assert_eq!(spawn(&["sleep", "1000"]).code(), Some(0));
    let before = hive.agent("scribe");
    for program in [&["sleep", "1000"][..], &["sleep", "2000"]] {
        let refused = spawn(program);
        assert_eq!(refused.code(), Some(2), "{program:?}: {refused}");
        assert_eq!(refused.stdout(), "", "{program:?}");
        for words in ["an agent `scribe` lives already", "rm --force scribe"] {
            assert!(refused.stderr().contains(words), "{program:?}: {refused}");
        }
        assert_eq!(hive.agent("scribe"), before, "{program:?}");
    }
    hive.ok(&["stop", "scribe"]);
    let ran = spawn(&["sleep", "2000"]);
    assert_eq!(ran.code(), Some(0), "{ran}");
    let now = hive.agent("scribe");
    assert_eq!(now["state"], "running");
    assert_ne!(now["incarnation"], before["incarnation"]);
    assert_eq!(ran.stdout().trim(), now["agent_id"].as_str().unwrap());
}

#[test]
fn a_flag_that_there_is_not_is_no_program_and_behind_the_program_it_is_the_programs() {
    let hive = Hive::new("swarm = \"demo\"\n");
    for flags in [&["-d"][..], &["-it"], &["--rm"], &["--cpus", "2"]] {
        let refused = hive.run(&[&["spawn"], flags, &["sleep", "1000"]].concat());
        assert_eq!(refused.code(), Some(2), "{flags:?}: {refused}");
        let words = format!("unexpected argument '{}", &flags[0][..2]);
        assert!(refused.stderr().contains(&words), "{flags:?}: {refused}");
    }
    assert!(hive.agents().is_empty());
    let echo = "echo \"$@\"; exec sleep 1000";
    for (name, before) in [("bare", &[][..]), ("behind", &["--"])] {
        let program = [
            before,
            &["sh", "-c", echo, "-", "--rm", "--name", "x", "--"],
        ]
        .concat();
        hive.ok(&[&["spawn", "--name", name][..], &program].concat());
        eventually("what was its own", || {
            (hive.ok(&["logs", name]) == "--rm --name x --\n").then_some(())
        });
    }
}

#[test]
fn however_the_file_writes_its_agents_one_more_may_be_among_them() {
    for agents in [
        "agents = { other = { command = [\"sleep\", \"1000\"] } }\ndefaults = { env = { LOG = \"info\" } }\n",
        "agents.other.command = [\"sleep\", \"1000\"]\ndefaults.env.LOG = \"info\"\n",
    ] {
        let hive = Hive::new(&format!(
            "{agents}swarm = \"demo\"\nbackend = \"process\"\n"
        ));
        hive.ok(&[
            "spawn",
            "--name",
            "scribe",
            "--",
            "sh",
            "-c",
            "echo $LOG; exec sleep 1000",
        ]);
        eventually("what the file gives it", || {
            (hive.ok(&["logs", "scribe"]) == "info\n").then_some(())
        });
    }
}

#[test]
fn one_that_bears_the_name_of_a_member_is_not_ended_for_it() {
    let hive =
        Hive::new("swarm = \"demo\"\n[agents.bee]\ncount = 1\ncommand = [\"sleep\", \"1000\"]\n");
    hive.ok(&["up", "-d"]);
    hive.ok(&["spawn", "--name", "bee-3", "sleep", "2000"]);
    let before = hive.agents();
    let refused = hive.run(&["scale", "bee=3"]);
    assert_eq!(refused.code(), Some(2), "{refused}");
    assert!(
        refused.stderr().contains("an agent `bee-3` lives"),
        "{refused}"
    );
    assert_eq!(hive.agents(), before);
    hive.ok(&["scale", "bee=2"]);
    hive.ok(&["rm", "--force", "bee-3"]);
    hive.ok(&["scale", "bee=3"]);
    assert_eq!(hive.ok(&["ps", "-q", "bee"]).lines().count(), 3);
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
