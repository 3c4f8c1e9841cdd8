//! The unit of `startup` as systemd runs it.

use std::process::{Child, Command};

use rustix::process::Signal;

use crate::hive::{Hive, SpawnQuietly as _, eventually, finish, is_alive, pid_of, signal};

/// What stands behind this key in a unit, once for each time that it does.
fn settings<'a>(unit: &'a str, key: &str) -> Vec<&'a str> {
    let lines = unit.lines().filter_map(|line| line.split_once('='));
    lines
        .filter(|(found, _)| *found == key)
        .map(|(_, value)| value)
        .collect()
}

/// A setting without its specifiers. None of ours is meant to be one.
fn plain(value: &str) -> String {
    assert!(!value.replace("%%", "").contains('%'), "{value}");
    value.replace("%%", "%")
}

/// The words of a setting, by the rules of systemd.syntax(7) for quotes and escapes.
fn words(line: &str) -> Vec<String> {
    let line = plain(line);
    let mut letters = line.chars().peekable();
    let mut words = Vec::new();
    loop {
        while letters.next_if_eq(&' ').is_some() {}
        if letters.peek().is_none() {
            return words;
        }
        let quote = letters.next_if(|letter| matches!(letter, '"' | '\''));
        let mut word = String::new();
        loop {
            match letters.next() {
                None if quote.is_some() => panic!("a quote is open: {line}"),
                None => break,
                Some(' ') if quote.is_none() => break,
                Some(letter) if Some(letter) == quote => break,
                Some('\\') => match letters.next() {
                    Some('n') => word.push('\n'),
                    Some('t') => word.push('\t'),
                    Some(letter @ ('\\' | '"' | '\'')) => word.push(letter),
                    other => panic!("an escape that is none, {other:?}: {line}"),
                },
                Some(letter) => word.push(letter),
            }
        }
        words.push(word);
    }
}

/// Starts what a unit says, as systemd does it for a user.
fn start(unit: &str, hive: &Hive) -> Child {
    let [line] = settings(unit, "ExecStart")[..] else {
        panic!("{unit}");
    };
    let mut line = words(line).into_iter();
    let mut command = Command::new(line.next().unwrap());
    // By a name behind a dollar an argument is given what a variable holds; two of them are one.
    command.args(line.map(|word| {
        assert!(!word.replace("$$", "").contains('$'), "{word}");
        word.replace("$$", "$")
    }));
    let [folder] = settings(unit, "WorkingDirectory")[..] else {
        panic!("{unit}");
    };
    command.current_dir(plain(folder));
    command.env_clear().env("HOME", hive.path());
    for setting in settings(unit, "Environment") {
        for word in words(setting) {
            let (name, value) = word.split_once('=').unwrap();
            command.env(name, value);
        }
    }
    command.spawn_quietly()
}

#[test]
fn what_the_unit_says_brings_the_swarm_up_and_down_and_finds_it_again() {
    // All in the folder's name that systemd gives a meaning to.
    let hive = Hive::called(
        "a b % $HOME 'q' \"r\" ",
        "swarm = \"other\"\n[agents.bee]\ncommand = [\"sh\", \"-c\", \"echo $PLACE; exec sleep 1000\"]\nenv = { PLACE = \"here\" }\n",
    );
    let config = hive.path().join("config");
    // Swarm `demo` by a flag, which the unit has to carry.
    let mut written = hive.command();
    written
        .env("XDG_CONFIG_HOME", &config)
        .args(["-p", "demo", "startup"]);
    let written = finish(&mut written);
    assert_eq!(written.code(), Some(0), "{written}");
    let unit = config.join("systemd/user/alveary-demo.service");
    let unit = std::fs::read_to_string(unit).unwrap();
    let demo = |args: &[&str]| hive.ok(&[&["-p", "demo"], args].concat());
    let running = || {
        eventually("the bee runs", || {
            let line = demo(&["ps", "--format", "json"]);
            let agent = serde_json::from_str(line.lines().next()?).unwrap();
            (line.contains("\"state\":\"running\"")).then(|| pid_of(&agent))
        })
    };

    let mut main = start(&unit, &hive);
    let bee = running();
    eventually("the bee says where it is", || {
        (demo(&["logs", "bee"]) == "here\n").then_some(())
    });
    // What is killed lets its agents live, and the next start takes them as they are.
    main.kill().unwrap();
    main.wait().unwrap();
    let mut main = start(&unit, &hive);
    eventually("it looks after the swarm", || {
        (hive.supervisor() == Some(main.id())).then_some(())
    });
    assert_eq!(running(), bee);
    // As systemd stops it, with `KillMode=process`.
    assert_eq!(settings(&unit, "KillMode"), ["process"]);
    signal(main.id(), Signal::TERM);
    let ended = eventually("it ends", || main.try_wait().unwrap());
    let code = ended.code().unwrap();
    assert_eq!(
        settings(&unit, "SuccessExitStatus"),
        [code.to_string()],
        "{ended}"
    );
    assert!(!is_alive(bee));
}
