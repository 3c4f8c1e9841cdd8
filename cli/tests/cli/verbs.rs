//! Verbs and flags that need no bad day.

use std::fs;

use serde_json::Value;

use crate::hive::{Hive, eventually, finish, is_alive, pid_of};
use crate::tally::processes;

const TWO: &str = r#"
    swarm = "demo"
    [agents.lives]
    command = ["sleep", "1000"]
    [agents.ended]
    command = ["echo", "done"]
"#;

fn names(hive: &Hive) -> Vec<Value> {
    let agents = hive.agents();
    agents.iter().map(|agent| agent["name"].clone()).collect()
}

#[test]
fn rm_forgets_what_has_ended_and_ends_what_lives_only_by_force() {
    let hive = Hive::new(TWO);
    hive.ok(&["up", "-d"]);
    hive.ok(&["wait", "ended"]);
    let pid = pid_of(&hive.agent("lives"));

    hive.ok(&["rm", "ended"]);
    assert_eq!(names(&hive), ["lives"]);
    assert_eq!(hive.run(&["logs", "ended"]).code(), Some(2));

    let refused = hive.run(&["rm", "lives"]);
    assert_eq!(refused.code(), Some(2), "{refused}");
    assert!(refused.stderr().contains("lives"), "{refused}");
    assert!(refused.stderr().contains("help:"), "{refused}");
    assert!(is_alive(pid));
    assert_eq!(names(&hive), ["lives"]);

    hive.ok(&["rm", "-f", "lives"]);
    assert!(!is_alive(pid), "rm came back before the end");
    assert!(names(&hive).is_empty());
}

#[test]
fn rm_of_several_does_what_it_can_and_says_what_it_cannot() {
    let hive = Hive::new(TWO);
    hive.ok(&["up", "-d"]);
    hive.ok(&["wait", "ended"]);
    let ran = hive.run(&["rm", "lives", "ended"]);
    assert_eq!(ran.code(), Some(2), "{ran}");
    assert_eq!(names(&hive), ["lives"]);
}

#[test]
fn rm_of_all_forgets_those_that_have_ended_and_by_force_everybody() {
    let hive = Hive::new(TWO);
    hive.ok(&["up", "-d"]);
    hive.ok(&["wait", "ended"]);
    let pid = pid_of(&hive.agent("lives"));
    hive.ok(&["rm", "--all"]);
    assert_eq!(names(&hive), ["lives"]);
    assert!(is_alive(pid));
    hive.ok(&["rm", "-a"]);
    assert_eq!(hive.run(&["rm"]).code(), Some(2), "rm of nobody");
    assert_eq!(hive.run(&["rm", "-a", "lives"]).code(), Some(2));
    hive.ok(&["rm", "-fa"]);
    assert!(!is_alive(pid), "rm came back before the end");
    assert!(names(&hive).is_empty());
}

#[test]
fn all_that_have_not_ended_are_meant_by_all() {
    let hive = Hive::new(&TWO.replace(
        "[agents.ended]",
        "[agents.other]\ncommand = [\"sleep\", \"1000\"]\n[agents.ended]",
    ));
    hive.ok(&["up", "-d"]);
    hive.ok(&["wait", "ended"]);
    let pids = || ["lives", "other"].map(|name| pid_of(&hive.agent(name)));
    let first = pids();
    let ended = hive.agent("ended")["incarnation"].clone();
    hive.ok(&["restart", "--all"]);
    let second = pids();
    assert!(first.iter().zip(&second).all(|(one, other)| one != other));
    assert_eq!(hive.agent("ended")["incarnation"], ended);
    hive.ok(&["stop", "-a"]);
    assert!(!second.into_iter().any(is_alive));
    assert_eq!(names(&hive).len(), 3, "they are stopped, and not removed");
    for verb in ["stop", "kill", "restart"] {
        hive.ok(&[verb, "--all"]);
        assert_eq!(hive.run(&[verb]).code(), Some(2), "{verb} of nobody");
        assert_eq!(hive.run(&[verb, "-a", "lives"]).code(), Some(2));
    }
}

#[test]
fn a_wait_that_takes_too_long_tells_who_has_ended_and_who_has_not() {
    let hive = Hive::new(TWO);
    hive.ok(&["up", "-d"]);
    hive.ok(&["wait", "ended"]);
    let ran = hive.run(&["wait", "--timeout", "1s", "ended", "lives"]);
    assert_eq!(ran.code(), Some(124), "{ran}");
    assert_eq!(ran.stdout(), "ended exited with code 0\n");
    assert!(
        ran.stderr()
            .contains("agent lives has not ended after 1s\nhelp: "),
        "{ran}"
    );
    assert!(is_alive(pid_of(&hive.agent("lives"))));
    hive.ok(&["wait", "--exit-code", "--timeout", "1m", "ended"]);
}

#[test]
fn a_wait_of_no_time_asks_whether_they_have_ended_however_many_they_are() {
    let hive = Hive::new(
        r#"
        swarm = "demo"
        [agents.ended]
        count = 300
        command = ["true"]
        [agents.lives]
        count = 5
        command = ["sleep", "1000"]
        "#,
    );
    hive.ok(&["up", "-d"]);
    hive.ok(&["wait", "ended"]);
    let told = hive.ok(&["wait", "--timeout", "0", "ended"]);
    assert_eq!(told.lines().count(), 300);
    let ran = hive.run(&["wait", "--timeout", "0", "lives"]);
    assert_eq!(ran.code(), Some(124), "{ran}");
    assert!(
        ran.stderr()
            .contains("5 agents (lives-1, lives-2, lives-3, 2 more) have not ended after 0s"),
        "{ran}"
    );
}

#[test]
fn ps_leaves_long_values_whole_on_request() {
    let hive = Hive::new(
        r#"
        swarm = "demo"
        [agents.a]
        command = ["sleep", "1000"]
        capabilities = ["a-capability-of-forty-characters-or-more-1", "a-capability-of-forty-characters-or-more-2"]
        "#,
    );
    hive.ok(&["up", "-d"]);
    let id = hive.agent("a")["agent_id"].as_str().unwrap().to_owned();
    let both =
        "a-capability-of-forty-characters-or-more-1,a-capability-of-forty-characters-or-more-2";
    let short = hive.ok(&["ps"]);
    assert!(short.contains(&id[..12]) && !short.contains(&id), "{short}");
    let whole = hive.ok(&["ps", "--no-trunc"]);
    assert!(whole.contains(&id), "{whole}");
    assert!(whole.contains(both), "{whole}");
}

#[test]
fn a_backend_can_be_named_beside_the_file() {
    let hive = Hive::new(&TWO.replace("swarm =", "backend = \"no-such\"\nswarm ="));
    assert_eq!(hive.run(&["up", "-d"]).code(), Some(2));
    hive.ok(&["--backend", "process", "up", "-d"]);
    let json = hive.ok(&["--backend", "process", "ps", "--format", "json"]);
    let lives: Value = serde_json::from_str(json.lines().next().unwrap()).unwrap();
    assert_eq!(
        (&lives["backend"], &lives["state"]),
        (&"process".into(), &"running".into())
    );
    hive.rewrite(TWO);
}

#[cfg(all(feature = "docker-api", feature = "docker-cli"))]
#[test]
fn a_socket_that_nobody_reaches_by_its_path_is_told_with_the_cure_by_either_way() {
    let host = format!("unix:///{}/docker.sock", "a".repeat(120));
    let hive = Hive::new(&format!(
        "swarm = \"demo\"\n[backends.docker-api]\nhost = \"{host}\"\n[backends.docker-cli]\nhost = \"{host}\"\n\
         [agents.a]\ncommand = [\"true\"]\ncontainer = {{ image = \"x\" }}\n"
    ));
    for way in ["docker-api", "docker-cli"] {
        let up = hive.run(&["--backend", way, "up", "-d"]);
        assert_eq!(up.code(), Some(125), "{way}: {up}");
        assert!(up.stderr().contains("make a shorter link"), "{way}: {up}");
    }
}

#[cfg(feature = "docker-api")]
#[test]
fn what_the_system_says_is_shown_without_its_numbers() {
    let hive = Hive::new(
        "swarm = \"demo\"\nbackend = \"docker-api\"\n[backends.docker-api]\nhost = \"unix:///nowhere.sock\"\n\
         [agents.a]\ncommand = [\"true\"]\ncontainer = { image = \"x\" }\n",
    );
    for args in [
        &["up", "-d"][..],
        &["doctor", "--format", "json"],
        &["swarms", "--format", "json"],
    ] {
        let ran = hive.run(args);
        let said = format!("{}{}", ran.stdout(), ran.stderr());
        assert!(
            said.contains("No such file or directory"),
            "{args:?}: {said}"
        );
        assert!(!said.contains("os error"), "{args:?}: {said}");
    }
    // Nothing ever ran there that could be taken down.
    fs::remove_dir_all(hive.state()).unwrap();
}

#[test]
fn a_keeper_that_cannot_start_is_told_as_the_backends_failure() {
    let hive = Hive::new(TWO);
    // What the keeper locks cannot be locked.
    fs::create_dir_all(hive.state().join("demo/process/keeper.lock")).unwrap();
    fs::set_permissions(
        hive.state().join("demo"),
        std::os::unix::fs::PermissionsExt::from_mode(0o700),
    )
    .unwrap();
    for args in [&["up", "-d"][..], &["up"]] {
        let ran = hive.run(args);
        assert_eq!(ran.code(), Some(125), "{ran}");
        assert!(ran.stderr().contains("keeper"), "{ran}");
        assert!(ran.stderr().contains("help:"), "{ran}");
        assert!(processes(&hive.state()).is_empty());
        assert_eq!(hive.supervisor(), None);
    }
    fs::remove_dir(hive.state().join("demo/process/keeper.lock")).unwrap();
    hive.ok(&["up", "-d"]);
    assert_eq!(hive.agent("lives")["state"], "running");
}

#[test]
fn a_state_folder_that_cannot_be_is_told_as_the_systems_failure() {
    let hive = Hive::new(TWO);
    let mut up = hive.command();
    // Nobody, not even root, makes folders there.
    up.args(["up", "-d"]).env("ALVEARY_STATE_DIR", "/proc/none");
    let ran = finish(&mut up);
    assert_eq!(ran.code(), Some(125), "{ran}");
    assert!(ran.stderr().contains("/proc/none"), "{ran}");
    assert!(ran.stderr().contains("help:"), "{ran}");
}

#[test]
fn names_that_look_the_same_are_refused() {
    let hive = Hive::new(
        "swarm = \"demo\"\n[agents.\"caf\\u00e9\"]\ncommand = [\"true\"]\n[agents.\"cafe\\u0301\"]\ncommand = [\"true\"]\n",
    );
    for args in [&["up"][..], &["up", "-d"], &["config", "check"]] {
        let ran = hive.run(args);
        assert_eq!(ran.code(), Some(2), "{ran}");
        assert!(ran.stderr().contains("cannot be an agent's name"), "{ran}");
    }
    assert!(!hive.state().exists(), "something was begun");
}

#[test]
fn what_an_agent_wrote_goes_into_a_pipe_byte_by_byte() {
    let hive = Hive::new("swarm = \"demo\"\n[agents.a]\ncommand = [\"cat\", \"bytes\"]");
    // Every byte, lines without text, half characters, no end of the last line, and more than one buffer.
    let mut bytes: Vec<u8> = (0..=255).collect();
    bytes.extend(b"\0\0\n\n\r\n\xff\xfe\xc3\n\xe2\x80\n");
    bytes = bytes.repeat(1000);
    bytes.extend(b"\0no end\xf0\x9f");
    fs::write(hive.path().join("bytes"), &bytes).unwrap();
    hive.ok(&["up", "-d"]);
    hive.ok(&["wait", "--exit-code", "a"]);
    for args in [&["logs", "a"][..], &["logs", "-f", "a"]] {
        let ran = hive.run(args);
        assert_eq!(ran.code(), Some(0));
        assert!(ran.bytes() == bytes, "{args:?}: other bytes came out");
    }
}

#[test]
fn a_stop_while_a_restart_is_due_wins() {
    let hive = Hive::new(
        r#"
        swarm = "demo"
        [agents.stopped]
        command = ["sh", "-c", "echo try; exit 1"]
        restart = { policy = "always", delay = "1s" }
        [agents.goes-on]
        command = ["sh", "-c", "echo try; exit 1"]
        restart = { policy = "always", delay = "1s" }
        "#,
    );
    hive.ok(&["up", "-d"]);
    hive.until("stopped", "is to be started again", |agent| {
        agent["state"] == "exited" && agent["restarting"] == true
    });
    hive.ok(&["stop", "stopped"]);
    let tries = hive.ok(&["logs", "stopped"]).lines().count();
    // The other, which began with it, is started again and then, after a longer pause, once more.
    hive.until("goes-on", "is started again twice", |agent| {
        agent["restarts"].as_u64() >= Some(2)
    });
    let stopped = hive.agent("stopped");
    assert_eq!(
        (&stopped["state"], &stopped["restarting"]),
        (&"exited".into(), &false.into())
    );
    assert_eq!(hive.ok(&["logs", "stopped"]).lines().count(), tries);
    eventually("nobody waits for it any more", || {
        (hive.run(&["wait", "stopped"]).code() == Some(0)).then_some(())
    });
}
