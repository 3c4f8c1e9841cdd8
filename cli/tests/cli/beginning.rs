//! The first file, and the unit that brings it up at each boot.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use crate::hive::{Hive, eventually};
use crate::pty::Pty;

/// A folder without a file.
fn nothing() -> Hive {
    let hive = Hive::new("");
    fs::remove_file(hive.path().join("alveary.toml")).unwrap();
    hive
}

#[test]
fn the_first_file_can_be_brought_up_as_it_is() {
    let hive = nothing();
    let said = hive.run(&["init", "--yes"]);
    assert_eq!(said.code(), Some(0), "{said}");
    assert!(said.stderr().contains("alveary up"), "{said}");
    hive.ok(&["config", "check"]);
    hive.ok(&["up", "-d"]);
    let agents = hive.agents();
    assert_eq!(agents.len(), 2, "{agents:?}");
    hive.ok(&["down"]);
}

#[test]
fn what_is_asked_is_what_is_written() {
    let hive = nothing();
    let mut pty = Pty::run(hive.command().args(["--color", "never", "init"]));
    for (asks, answer) in [
        ("The swarm's name", "hive.7\r"),
        // The second of the list.
        ("What runs its agents", "\x1b[B\r"),
        ("The name of a first agent", "not a name\r"),
        // It is asked again.
        ("letters", "\x15talker\r"),
        ("Its command", "\x15python3 'my agent.py' --id {agent_id}\r"),
        ("The image", "\r"),
        ("How many", "\x153\r"),
        ("Start it again", "n"),
    ] {
        pty.expect(asks);
        pty.send(answer.as_bytes());
    }
    let code = pty.finish().code();
    assert_eq!(code, Some(0), "{}", pty.shown());
    let file = fs::read_to_string(hive.path().join("alveary.toml")).unwrap();
    for line in [
        "swarm = \"hive.7\"",
        "backend = \"docker-api\"",
        "[backends.docker-api]",
        "image = \"busybox\"",
        "[agents.talker]",
        "command = [\"python3\", \"my agent.py\", \"--id\", \"{agent_id}\"]",
        "count = 3",
        "# restart = ",
    ] {
        assert!(
            file.lines().any(|found| found.starts_with(line)),
            "{line}\n{file}"
        );
    }
}

#[test]
fn who_breaks_off_a_question_is_told_on_a_line_of_its_own_that_nothing_is_written() {
    for answers in [&[][..], &["\r"], &["\r", "\r", "\r", "\r", "\r"]] {
        let hive = nothing();
        let mut pty = Pty::run(hive.command().args(["--color", "never", "init"]));
        let asked = [
            "The swarm's name",
            "What runs",
            "The name",
            "Its",
            "How",
            "Start",
        ];
        for (asks, answer) in asked.iter().zip(answers.iter().chain(&["\x03"])) {
            pty.expect(asks);
            eventually("keys come one by one", || {
                (!pty.modes().contains("ICANON")).then_some(())
            });
            pty.send(answer.as_bytes());
        }
        let code = pty.finish().code();
        assert_eq!(code, Some(130), "{}", pty.shown());
        let terminal = pty.screen();
        let screen = terminal.screen();
        assert!(!screen.hide_cursor(), "{}", screen.contents());
        let lines = screen.contents();
        let last = lines.lines().next_back();
        assert_eq!(last, Some("interrupted: nothing is written"), "{lines}");
        assert_eq!(fs::read_dir(hive.path()).unwrap().count(), 0);
    }
}

#[test]
fn a_file_that_is_there_is_left_alone() {
    let hive = Hive::new("swarm = \"mine\"\n");
    let refused = hive.run(&["init", "--yes"]);
    assert_eq!(refused.code(), Some(2), "{refused}");
    assert!(refused.stderr().contains("is there already"), "{refused}");
    let file = hive.path().join("alveary.toml");
    assert_eq!(fs::read_to_string(file).unwrap(), "swarm = \"mine\"\n");
}

#[test]
fn a_unit_has_what_settles_which_swarm_it_is_and_says_what_agents_lack_in_it() {
    let hive = Hive::new(
        "swarm = \"demo\"\n[agents.a]\ncommand = [\"true\"]\ninherit = [\"COLOUR\", \"PATH\"]\nsecrets = { KEY = { env = \"MY_KEY\" } }\n",
    );
    let mut command = hive.command();
    let printed = crate::hive::finish(
        command
            .env("ALVEARY_SWARM", "other")
            .env("ALVEARY_POLICY", "/etc/strict.toml")
            .env("COLOUR", "red")
            .env("MY_KEY", "hidden")
            .args(["startup", "--print"]),
    );
    assert_eq!(printed.code(), Some(0), "{printed}");
    let unit = printed.stdout();
    for line in [
        "Environment=\"ALVEARY_SWARM=other\"",
        "Environment=\"ALVEARY_POLICY=/etc/strict.toml\"",
    ] {
        assert!(unit.lines().any(|found| found == line), "{line}: {unit}");
    }
    assert!(
        !unit.contains("hidden") && !unit.contains("COLOUR"),
        "{unit}"
    );
    let said = printed.stderr();
    assert!(said.contains("COLOUR, MY_KEY"), "{said}");
    assert!(said.contains("alveary-other.service"), "{said}");
}

#[test]
fn a_unit_is_written_for_the_user_and_taken_away_again() {
    let hive = Hive::new("swarm = \"demo\"\n[agents.a]\ncommand = [\"true\"]\n");
    let config = hive.path().join("config");
    let run = |args: &[&str]| {
        let mut command = hive.command();
        command.env("XDG_CONFIG_HOME", &config).args(args);
        crate::hive::finish(&mut command)
    };
    let written = run(&["startup"]);
    assert_eq!(written.code(), Some(0), "{written}");
    let unit = config.join("systemd/user/alveary-demo.service");
    let text = fs::read_to_string(&unit).unwrap();
    assert!(
        text.contains(&format!("WorkingDirectory={}", hive.path().display())),
        "{text}"
    );
    assert_eq!(
        fs::metadata(&unit).unwrap().permissions().mode() & 0o777,
        0o644
    );
    assert!(
        written
            .stderr()
            .contains("systemctl --user enable --now alveary-demo.service"),
        "{written}"
    );

    // As `systemctl enable` leaves it.
    let wants = config.join("systemd/user/default.target.wants");
    let enabled = wants.join("alveary-demo.service");
    fs::create_dir(&wants).unwrap();
    std::os::unix::fs::symlink(&unit, &enabled).unwrap();
    assert_eq!(run(&["startup", "--remove"]).code(), Some(0));
    assert!(!unit.exists() && enabled.symlink_metadata().is_err());
    let again = run(&["startup", "--remove"]);
    assert_eq!(again.code(), Some(2), "{again}");
}

#[test]
fn a_unit_of_the_system_is_made_for_a_user_of_this_host_alone() {
    let hive = Hive::new("swarm = \"demo\"\n[agents.a]\ncommand = [\"true\"]\n");
    let print = |user| hive.run(&["startup", "--system", "--print", "--user", user]);
    // A number is a user's whether or not it has a name.
    for user in ["root", "64321"] {
        let unit = print(user).stdout();
        let line = format!("User={user}");
        assert!(unit.lines().any(|found| found == line), "{unit}");
    }
    let refused = print("alveary-absent");
    assert_eq!(refused.code(), Some(2), "{refused}");
    assert_eq!(refused.stdout(), "");
    let words = "this host has no user `alveary-absent`";
    assert!(refused.stderr().contains(words), "{refused}");
}
