//! Files of other tools, from the command that reads them to the agents that run.

use std::fs;

use crate::hive::{Hive, finish};

#[test]
fn a_procfile_is_imported_and_brought_up() {
    let hive = Hive::new("");
    let procfile = hive.path().join("Procfile");
    fs::write(&procfile, "hello: echo hello from $((20 + 3))\n").unwrap();
    let fleet = hive.path().join("made.toml");
    let made = fleet.to_str().unwrap();
    hive.ok(&["import", procfile.to_str().unwrap(), "--output", made]);
    hive.ok(&["--file", made, "up"]);
    let logs = hive.ok(&["--file", made, "logs", "hello"]);
    assert!(logs.contains("hello from 23"), "{logs}");
}

#[test]
fn what_is_there_is_not_written_over_and_what_is_left_is_said() {
    let hive = Hive::new("");
    let compose = hive.path().join("compose.yaml");
    fs::write(&compose, "services: { a: { image: x, hostname: h } }").unwrap();
    let (from, there) = (compose.to_str().unwrap(), hive.path().join("alveary.toml"));
    let refused = hive.run(&["import", from, "--output", there.to_str().unwrap()]);
    assert_eq!(refused.code(), Some(2), "{refused}");
    assert!(refused.stderr().contains("is not there yet"), "{refused}");
    assert_eq!(fs::read_to_string(&there).unwrap(), "");

    let printed = hive.run(&["import", from]);
    assert_eq!(printed.code(), Some(0), "{printed}");
    assert!(
        printed.stdout().contains("[agents.a.container]"),
        "{printed}"
    );
    assert!(
        printed.stderr().contains("services.a.hostname"),
        "{printed}"
    );
}

#[test]
fn variables_are_those_of_the_environment_and_then_of_the_file_beside_it() {
    let hive = Hive::new("");
    let compose = hive.path().join("compose.yaml");
    let text = "services: { a: { image: '${IMAGE}:${TAG}' } }";
    fs::write(&compose, text).unwrap();
    fs::write(hive.path().join(".env"), "IMAGE=\"far\"\nTAG=1\n").unwrap();
    let mut command = hive.command();
    let printed = finish(command.arg("import").arg(&compose).env("TAG", "2"));
    assert!(printed.stdout().contains("\"far:2\""), "{printed}");

    fs::write(hive.path().join(".env"), "IMAGE\n").unwrap();
    let refused = hive.run(&["import", compose.to_str().unwrap()]);
    assert_eq!(refused.code(), Some(2), "{refused}");
    assert!(refused.stderr().contains("line 1"), "{refused}");
}

#[test]
fn a_file_of_no_known_kind_is_refused_with_the_cure() {
    let hive = Hive::new("");
    let other = hive.path().join("other.txt");
    fs::write(&other, "web: sleep 1\n").unwrap();
    let other = other.to_str().unwrap();
    let refused = hive.run(&["import", other]);
    assert_eq!(refused.code(), Some(2), "{refused}");
    assert!(refused.stderr().contains("--as"), "{refused}");
    assert!(
        hive.ok(&["import", other, "--as", "procfile"])
            .contains("[agents.web]")
    );

    // Of one that is not there its kind is no matter.
    for name in ["absent/Procfile", "absent"] {
        let absent = hive.run(&["import", name]);
        assert_eq!(absent.code(), Some(2), "{absent}");
        let words = format!("`{name}` cannot be read: No such file");
        assert!(absent.stderr().contains(&words), "{absent}");
    }
}
