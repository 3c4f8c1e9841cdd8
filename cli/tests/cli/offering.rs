//! What a shell offers while a command is typed.

use std::process::Command;
use std::time::{Duration, Instant};

use crate::hive::{Hive, finish};

/// What is offered for the last of these words.
fn offered(hive: &Hive, words: &[&str]) -> Vec<String> {
    let mut asked = hive.command();
    asked
        .env("ALVEARY_COMPLETE", "bash")
        .env("_CLAP_COMPLETE_INDEX", words.len().to_string())
        .env("_CLAP_COMPLETE_COMP_TYPE", "9")
        .env("_CLAP_COMPLETE_SPACE", "true")
        .env("_CLAP_IFS", "\n")
        .args(["--", "alveary"])
        .args(words);
    let ran = finish(&mut asked);
    assert_eq!(ran.code(), Some(0), "{ran}");
    ran.stdout().lines().map(ToOwned::to_owned).collect()
}

#[test]
fn agents_are_offered_by_name_from_the_file_and_from_the_state_folder() {
    let hive =
        Hive::new("swarm = \"demo\"\n[agents.bee]\ncount = 2\ncommand = [\"sleep\", \"1000\"]\n");
    assert_eq!(offered(&hive, &["up", "be"]), ["bee", "bee-1", "bee-2"]);
    hive.ok(&["spawn", "--name", "wasp", "sleep", "1000"]);
    for verb in [
        "logs", "stop", "inspect", "exec", "events", "stats", "rm", "restart", "pause", "unpause",
        "wait", "ps",
    ] {
        assert_eq!(offered(&hive, &[verb, "wa"]), ["wasp"], "{verb}");
    }
    assert_eq!(offered(&hive, &["cp", "wa"]), ["wasp:"]);
    // What stands before a verb for the file, is another word behind it.
    assert_eq!(offered(&hive, &["logs", "-f", "wa"]), ["wasp"]);
    assert_eq!(
        offered(&hive, &["-f", "alveary.toml", "logs", "-f", "wa"]),
        ["wasp"]
    );
    assert_eq!(offered(&hive, &["-p", "de"]), ["demo"]);
    assert_eq!(offered(&hive, &["scale", "be"]), ["bee="]);
    assert_eq!(offered(&hive, &["--backend", "pro"]), ["process"]);
    assert_eq!(offered(&hive, &["ps", "--filter", "cap"]), ["capability="]);
    assert_eq!(offered(&hive, &["ps", "-f", "state=ex"]), ["state=exited"]);
    // By the swarm's name, when the file is gone.
    std::fs::remove_file(hive.path().join("alveary.toml")).unwrap();
    assert!(offered(&hive, &["-p", "demo", "logs", ""]).contains(&"wasp".to_owned()));
    assert!(offered(&hive, &["logs", "wa"]).is_empty());
    assert!(offered(&hive, &["inspe"]).contains(&"inspect".to_owned()));
}

#[test]
fn no_engine_is_asked_for_what_is_offered() {
    // Nobody answers there, and whoever asked would wait.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let host = format!("tcp://{}", silent.local_addr().unwrap());
    let hive = Hive::new(&format!(
        "swarm = \"demo\"\nbackend = \"docker-api\"\n[backends.docker-api]\nhost = \"{host}\"\n[agents.bee]\ncommand = [\"true\"]\ncontainer = {{ image = \"x\" }}\n"
    ));
    assert_eq!(offered(&hive, &["logs", "b"]), ["bee"]);
    silent.set_nonblocking(true).unwrap();
    assert!(silent.accept().is_err(), "somebody called");
}

#[test]
fn the_scripts_of_bash_zsh_and_fish_ask_the_program() {
    let hive = Hive::new("swarm = \"demo\"");
    for shell in ["bash", "zsh", "fish"] {
        let script = hive.ok(&["completions", shell]);
        assert!(script.contains("ALVEARY_COMPLETE"), "{shell}: {script}");
    }
    // As bash itself reads it.
    let script = hive.path().join("script");
    std::fs::write(&script, hive.ok(&["completions", "bash"])).unwrap();
    let read = finish(Command::new("bash").arg("-n").arg(&script));
    assert_eq!(read.code(), Some(0), "{read}");
}

#[test]
fn what_a_shell_waits_for_is_there_at_once() {
    let hive = Hive::new(
        "swarm = \"demo\"\n[agents.bee]\ncount = 1000\ncommand = [\"sleep\", \"1000\"]\n",
    );
    // The goal is 20 ms, which `cargo bench` measures; this is about what would be felt on any machine that has not
    // something else to do just now.
    let took = [(); 5].map(|()| {
        let began = Instant::now();
        assert_eq!(offered(&hive, &["logs", "bee-999"]), ["bee-999"]);
        began.elapsed()
    });
    assert!(
        took.iter().any(|took| *took < Duration::from_secs(2)),
        "{took:?}"
    );
}
