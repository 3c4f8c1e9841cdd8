//! What the program says of itself.

use crate::hive::{Hive, finish};

#[test]
fn config_show_gives_a_file_that_gives_the_same_and_no_secret() {
    let hive = Hive::new(
        r#"
        swarm = "demo"
        [defaults]
        env = { LOG = "info" }
        [agents.echo]
        command = ["true"]
        secrets = { TOKEN = { env = "MY_TOKEN" }, KEY = { file = "key.txt" } }
        "#,
    );
    std::fs::write(hive.path().join("key.txt"), "hunter2").unwrap();
    let shown = finish(
        hive.command()
            .args(["config", "show"])
            .env("MY_TOKEN", "hunter2"),
    );
    assert_eq!(shown.code(), Some(0), "{shown}");
    assert!(shown.stdout().contains("LOG = \"info\""), "{shown}");
    assert!(!shown.stdout().contains("hunter2"), "{shown}");
    hive.rewrite(&shown.stdout());
    assert_eq!(hive.ok(&["config", "show"]), shown.stdout());
    assert_eq!(hive.ok(&["config", "check"]), "");
}

#[test]
fn the_doctor_says_what_can_be_relied_on() {
    let hive = Hive::new("swarm = \"demo\"");
    let said = hive.ok(&["doctor"]);
    for word in [
        "local processes",
        "state folder",
        "limits.memory",
        "agents outlive",
    ] {
        assert!(said.contains(word), "{word}: {said}");
    }
}

#[test]
fn a_reader_that_has_seen_enough_is_no_error() {
    let hive = Hive::new(
        "swarm = \"demo\"\n[agents.a]\ncommand = [\"sh\", \"-c\", \"while :; do echo y; sleep 0.01; done\"]\nstop = { grace = \"1s\" }",
    );
    hive.ok(&["up", "-d"]);
    let mut shell = hive.around("sh");
    shell.args([
        "-c",
        "\"$0\" logs -f a | head -n 1",
        env!("CARGO_BIN_EXE_alveary"),
    ]);
    let ran = finish(&mut shell);
    assert_eq!(
        (ran.code(), &*ran.stdout(), &*ran.stderr()),
        (Some(0), "y\n", "")
    );
}

#[test]
fn a_swarm_is_found_by_its_name_when_its_file_is_gone() {
    let hive = Hive::new("swarm = \"demo\"\n[agents.a]\ncommand = [\"sleep\", \"1000\"]");
    hive.ok(&["up", "-d"]);
    std::fs::remove_file(hive.path().join("alveary.toml")).unwrap();
    assert_eq!(hive.run(&["ps"]).code(), Some(2));
    assert_eq!(hive.ok(&["-p", "demo", "ps", "-q"]).lines().count(), 1);
    hive.ok(&["-p", "demo", "stop", "a"]);
}

#[test]
fn the_schema_is_printed_whatever_the_file_says_and_knows_this_programs_backends() {
    let hive = Hive::new("this is no fleet file");
    let schema: serde_json::Value = serde_json::from_str(&hive.ok(&["config", "schema"])).unwrap();
    let backends = &schema["properties"]["backend"]["enum"];
    let mut known = vec!["auto".to_owned()];
    known.extend(alveary::Registry::builtin().names().map(ToOwned::to_owned));
    assert_eq!(*backends, serde_json::json!(known));
    let agent = &schema["definitions"]["agent"];
    assert_eq!(agent["additionalProperties"], false);
    assert_eq!(
        agent["properties"]["restart"]["anyOf"][0]["oneOf"][0]["const"],
        "never"
    );
}
