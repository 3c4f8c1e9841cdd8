//! What cannot be right is refused with a sentence and its cure, and nothing is started.

use std::os::unix::fs::{PermissionsExt, symlink};

use crate::hive::{Hive, finish};

/// A file, what is wrong with it, and what is said of that.
#[track_caller]
fn refused(file: &str, words: &[&str]) {
    let hive = Hive::new(file);
    std::fs::write(hive.path().join("plain.txt"), "no program").unwrap();
    std::fs::set_permissions(
        hive.path().join("plain.txt"),
        std::fs::Permissions::from_mode(0o644),
    )
    .unwrap();
    refused_in(&hive, &["up"], words);
    refused_in(&hive, &["up", "-d"], words);
}

#[track_caller]
fn refused_in(hive: &Hive, args: &[&str], words: &[&str]) {
    let ran = hive.run(args);
    assert_eq!(ran.code(), Some(2), "{args:?}: {ran}");
    let said = ran.stderr();
    assert_eq!(said.matches("error:").count(), 1, "{said}");
    // Some sentences hold their cure: what may stand in a name.
    assert!(
        said.matches("help:").count() == 1 || said.contains("cannot be a"),
        "{said}"
    );
    assert!(!said.contains(['\u{1b}', '\u{202e}']), "{said:?}");
    for word in words {
        assert!(said.contains(word), "{word}: {said}");
    }
    let living = hive.run(&["-p", "demo", "ps", "-q"]);
    assert_eq!(living.stdout(), "", "{living}");
    assert_eq!(hive.supervisor(), None);
}

fn agent(rest: &str) -> String {
    format!("swarm = \"demo\"\n[agents.a]\n{rest}\n")
}

fn command(words: &str) -> String {
    agent(&format!("command = [{words}]"))
}

#[test]
fn a_file_that_is_not_there() {
    let hive = Hive::new("swarm = \"demo\"");
    refused_in(
        &hive,
        &["--file", "none.toml", "up"],
        &["none.toml", "there is no such file"],
    );
    std::fs::remove_file(hive.path().join("alveary.toml")).unwrap();
    refused_in(&hive, &["up"], &["there is no alveary.toml", "--file"]);
}

#[test]
fn a_file_that_is_not_toml() {
    refused("swarm = demo", &["alveary.toml:1:"]);
}

#[test]
fn a_key_that_nobody_knows() {
    refused(
        &agent("comand = [\"true\"]"),
        &["alveary.toml:3:1", "comand", "did you mean `command`?"],
    );
}

#[test]
fn a_backend_that_nobody_knows() {
    refused(
        "swarm = \"demo\"\nbackend = \"proces\"",
        &["proces", "process"],
    );
    let hive = Hive::new("swarm = \"demo\"");
    refused_in(
        &hive,
        &["--backend", "x", "up"],
        &["there is no backend `x`", "process"],
    );
}

#[test]
fn a_program_that_is_not_there_or_is_none() {
    refused(&command("\"no-such-program\""), &["no-such-program"]);
    refused(&command("\"./plain.txt\""), &["plain.txt"]);
    // One of several is as bad as the only one.
    refused(
        "swarm = \"demo\"\n[agents.a]\ncommand = [\"sleep\", \"1000\"]\n[agents.b]\ncommand = [\"no-such-program\"]",
        &["no-such-program"],
    );
}

#[test]
fn arguments_that_no_program_can_be_given() {
    refused(&command(r#""echo", "a\u0000b""#), &["NUL"]);
    refused(
        &command(&format!("\"echo\", \"{}\"", "x".repeat(131_072))),
        &["131072"],
    );
}

#[test]
fn variables_that_cannot_be_set() {
    refused(
        &agent("command = [\"true\"]\nenv = { \"A=B\" = \"1\" }"),
        &["A=B"],
    );
    refused(
        &agent("command = [\"true\"]\nenv = { ALVEARY_AGENT_ID = \"1\" }"),
        &["reserved"],
    );
}

#[test]
fn names_that_cannot_be_names() {
    for (name, words) in [
        (r#""""#, "empty"),
        (r#""../x""#, "../x"),
        (r#""a\u001bb""#, r"\u{1b}"),
        (r#""a\u202Eb""#, r"\u{202e}"),
        (r#""caf\u00e9""#, "café"),
    ] {
        let file = format!("swarm = \"demo\"\n[agents.{name}]\ncommand = [\"true\"]");
        refused(&file, &[words, "cannot be an agent's name"]);
    }
    refused("swarm = \"../x\"", &["../x", "cannot be a swarm's name"]);
}

#[test]
fn counts_that_nobody_means() {
    for count in ["0", "10000000", "-1"] {
        refused(
            &agent(&format!("command = [\"true\"]\ncount = {count}")),
            &[count],
        );
    }
}

#[test]
fn a_working_directory_that_is_not_there() {
    refused(
        &agent("command = [\"true\"]\ncwd = \"nowhere\""),
        &["nowhere"],
    );
}

#[test]
fn a_cycle_in_what_comes_after_what() {
    refused(
        "swarm = \"demo\"\n[agents.a]\nafter = \"b\"\ncommand = [\"true\"]\n[agents.b]\nafter = \"a\"\ncommand = [\"true\"]",
        &["a -> b -> a"],
    );
}

#[test]
fn a_state_folder_that_cannot_be_trusted() {
    let hive = Hive::new(&command("\"true\""));
    std::fs::create_dir_all(hive.state()).unwrap();
    std::fs::create_dir(hive.path().join("elsewhere")).unwrap();
    symlink(hive.path().join("elsewhere"), hive.state().join("demo")).unwrap();
    for args in [&["up"][..], &["up", "-d"]] {
        let ran = hive.run(args);
        assert_eq!(ran.code(), Some(2), "{ran}");
        assert!(ran.stderr().contains("symbolic link"), "{ran}");
        assert!(ran.stderr().contains("help:"), "{ran}");
    }
    std::fs::remove_file(hive.state().join("demo")).unwrap();
}

#[test]
fn a_state_folder_of_somebody_else() {
    let hive = Hive::new(&command("\"true\""));
    let demo = hive.state().join("demo");
    let mut up = hive.command();
    up.arg("up");
    if rustix::process::geteuid().is_root() {
        std::fs::create_dir_all(&demo).unwrap();
        std::os::unix::fs::chown(&demo, Some(12_345), Some(12_345)).unwrap();
    } else {
        // Only root may write there.
        up.env("ALVEARY_STATE_DIR", "/");
    }
    let ran = finish(&mut up);
    assert_eq!(ran.code(), Some(2), "{ran}");
    assert!(ran.stderr().contains("demo"), "{ran}");
    assert!(ran.stderr().contains("help:"), "{ran}");
    let _ = std::fs::remove_dir(demo);
}

#[test]
fn a_name_that_another_file_has_taken() {
    let hive = Hive::new("swarm = \"demo\"\n[agents.a]\ncommand = [\"sleep\", \"1000\"]");
    hive.ok(&["up", "-d"]);
    std::fs::write(
        hive.path().join("other.toml"),
        "swarm = \"demo\"\n[agents.b]\ncommand = [\"true\"]",
    )
    .unwrap();
    let ran = hive.run(&["--file", "other.toml", "up"]);
    assert_eq!(ran.code(), Some(2), "{ran}");
    assert!(ran.stderr().contains("alveary.toml"), "{ran}");
    assert!(ran.stderr().contains("help:"), "{ran}");
}

#[test]
fn what_is_called_otherwise_elsewhere() {
    let hive = Hive::new("swarm = \"demo\"");
    for (args, tip) in [
        (&["start", "a"][..], "`alveary up NAME`"),
        (&["run", "true"], "`alveary spawn -- PROGRAM`"),
        (&["status"], "`alveary ps`"),
        (&["list"], "`alveary ps`"),
        (&["version"], "`alveary --version`"),
        (&["ps", "--json"], "`--format json`"),
        (&["ps", "-o", "json"], "`--format json`"),
        (&["up", "--remove-orphans"], "`alveary up --prune`"),
        (&["up", "--build"], "`docker build`"),
        (&["up", "--scale", "a=2"], "`alveary scale NAME=N`"),
        (&["up", "--scale=a=2"], "`alveary scale NAME=N`"),
        (&["exec", "-d", "a", "true"], "put `&` behind"),
        (&["exec", "--detach", "a", "true"], "put `&` behind"),
        (&["exec", "-T", "a", "true"], "with -t alone"),
        (&["ps", "--sort", "name"], "`alveary top`"),
        (&["init", "--force"], "by --output"),
        (&["init", "-f"], "by --output"),
        (&["kill", "-9", "a"], "by -s"),
        (&["kill", "-HUP", "a"], "by -s"),
        (&["resume", "a"], "`alveary unpause`"),
    ] {
        let ran = hive.run(args);
        assert_eq!(ran.code(), Some(2), "{args:?}: {ran}");
        assert!(ran.stderr().contains(tip), "{args:?}: {ran}");
        assert_eq!(ran.stderr().matches("tip:").count(), 1, "{args:?}: {ran}");
    }
    for (engine, words) in [
        ("docker", "`docker-cli`, which calls its program"),
        (
            "podman",
            "`program = \"podman\"` in `[backends.docker-cli]`",
        ),
    ] {
        let ran = hive.run(&["--backend", engine, "up"]);
        assert_eq!(ran.code(), Some(2), "{ran}");
        assert!(ran.stderr().contains("help: say `docker-api`"), "{ran}");
        assert!(ran.stderr().contains(words), "{ran}");
    }
    // Behind another verb the same word means something else, or nothing.
    let ran = hive.run(&["ps", "--build"]);
    assert!(!ran.stderr().contains("docker build"), "{ran}");
    for verb in ["stop", "restart"] {
        let ran = hive.run(&[verb, "--timeout", "soon", "a"]);
        assert!(ran.stderr().contains("no length of time"), "{verb}: {ran}");
    }
}

#[test]
fn a_number_that_is_none() {
    let hive = Hive::new("swarm = \"demo\"");
    for (args, words) in [
        (
            &["logs", "-n", "x"][..],
            "no number of lines (`10` and `all` are)",
        ),
        (&["bench", "-n", "x"], "no number from 1 to 100000"),
        (&["bench", "-n", "0"], "no number from 1 to 100000"),
        #[cfg(feature = "coordinator")]
        (&["task", "list", "--limit", "x"], "no whole number"),
    ] {
        let ran = hive.run(args);
        assert_eq!(ran.code(), Some(2), "{args:?}: {ran}");
        assert!(ran.stderr().contains(words), "{args:?}: {ran}");
    }
}

#[test]
fn what_is_typed_wrong() {
    let hive = Hive::new("swarm = \"demo\"");
    for args in [
        &["flup"][..],
        &["stop"],
        &["up", "--wait"],
        &["scale", "echo"],
        &["ps", "--format", "xml"],
        &["kill", "-s", "NOPE", "a"],
        &["down", "-f", "alveary.toml"],
        &["stop", "a"],
    ] {
        let ran = hive.run(args);
        assert_eq!(ran.code(), Some(2), "{args:?}: {ran}");
        assert!(ran.stdout().is_empty(), "{args:?}: {ran}");
        assert!(ran.stderr().contains("error:"), "{args:?}: {ran}");
    }
}
