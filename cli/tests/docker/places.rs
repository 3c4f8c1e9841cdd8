//! What the doctor says of every place where an engine may be.

use std::fs;
use std::os::unix::net::UnixListener;
use std::process::Command;

use serde_json::Value;

use crate::ground::Ground;
use crate::hive::finish;

/// An engine's places as the doctor gives them to programs, with nothing said but these variables.
fn doctor(ground: &Ground, variables: &[(&str, &str)]) -> (Option<i32>, Value) {
    let ran = finish(&mut command(ground, variables, &["--format", "json"]));
    let said = serde_json::from_str(&ran.stdout()).unwrap_or_else(|_| panic!("{ran}"));
    (ran.code(), said)
}

fn command(ground: &Ground, variables: &[(&str, &str)], args: &[&str]) -> Command {
    let mut command = ground.command();
    command
        .env_remove("DOCKER_HOST")
        .env_remove("CONTAINER_HOST")
        .env("HOME", ground.path().join("home"))
        .env("XDG_RUNTIME_DIR", ground.path().join("run"))
        .envs(variables.iter().copied())
        .args(["--backend", ground.way, "doctor"])
        .args(args);
    command
}

fn named<'a>(said: &'a Value, name: &str) -> &'a Value {
    let engines = said["engines"].as_array().unwrap();
    let found = engines.iter().find(|engine| engine["named_by"] == name);
    found.unwrap_or_else(|| panic!("{name} is not in {said}"))
}

pub(crate) fn every_place_is_listed_with_what_it_said_and_the_cure(ground: &Ground) {
    let run = ground.path().join("run");
    fs::create_dir_all(run.join("podman")).unwrap();
    // A socket that nobody listens on any more.
    drop(UnixListener::bind(run.join("docker.sock")).unwrap());
    let absent = run.join("absent.sock");
    let absent = format!("unix://{}", absent.display());
    let (code, said) = doctor(ground, &[("DOCKER_HOST", &ground.engine.host)]);
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(said["well"], true);
    let order: Vec<&str> = (said["engines"].as_array().unwrap().iter())
        .map(|engine| engine["named_by"].as_str().unwrap())
        .collect();
    assert_eq!(
        order,
        [
            "DOCKER_HOST",
            "the default socket",
            "a rootless engine's socket",
            "Docker Desktop's socket",
            "Podman's socket",
            "Podman's socket",
        ]
    );
    let ours = named(&said, "DOCKER_HOST");
    assert_eq!(ours["chosen"], true);
    assert_eq!(ours["address"], ground.engine.host.as_str());
    assert_eq!(ours["version"], said["here"]["version"]);
    assert!(
        ours["version"].is_string() && ours["api"].is_string(),
        "{ours}"
    );
    let refused = named(&said, "a rootless engine's socket");
    assert_eq!(refused["chosen"], false);
    let error = refused["error"].as_str().unwrap();
    assert!(error.contains("cannot be reached"), "{error}");
    let desktop = named(&said, "Docker Desktop's socket");
    assert!(
        desktop["error"].as_str().unwrap().contains("there is no"),
        "{desktop}"
    );
    for engine in said["engines"].as_array().unwrap() {
        let troubled = engine["error"].is_string();
        assert_eq!(troubled, engine["cure"].is_string(), "{engine}");
        assert_eq!(troubled, engine["version"].is_null(), "{engine}");
    }

    // What was said is used, whatever else is there.
    let (code, said) = doctor(ground, &[("DOCKER_HOST", &absent)]);
    assert_eq!(code, Some(125), "{said}");
    assert_eq!(said["well"], false);
    assert_eq!(named(&said, "DOCKER_HOST")["chosen"], true);

    // For people: the one that is used has a star.
    let ran = finish(&mut command(
        ground,
        &[("DOCKER_HOST", &ground.engine.host)],
        &[],
    ));
    let starred = format!("*   {}: DOCKER_HOST", ground.way);
    let stdout = ran.stdout();
    let lines: Vec<_> = stdout
        .lines()
        .filter(|line| line.starts_with('*'))
        .collect();
    assert!(
        matches!(lines[..], [line] if line.starts_with(&starred)),
        "{ran}"
    );
}

pub(crate) fn a_context_outweighs_sockets_and_is_outweighed_by_a_host(ground: &Ground) {
    let docker = ground.path().join("home/.docker");
    let folder = sha256_of("near");
    let meta = docker.join("contexts/meta").join(&folder);
    fs::create_dir_all(&meta).unwrap();
    let text = serde_json::json!({
        "Name": "near",
        "Metadata": {},
        "Endpoints": { "docker": { "Host": ground.engine.host, "SkipTLSVerify": false } },
    });
    fs::write(meta.join("meta.json"), text.to_string()).unwrap();
    fs::write(docker.join("config.json"), r#"{"currentContext":"near"}"#).unwrap();
    for variables in [&[][..], &[("DOCKER_CONTEXT", "near")]] {
        let (code, said) = doctor(ground, variables);
        assert_eq!(code, Some(0), "{said}");
        let first = &said["engines"][0];
        assert_eq!(first["named_by"], "the context `near`");
        assert_eq!(first["chosen"], true);
        assert!(first["version"].is_string(), "{first}");
    }
    let (_, said) = doctor(ground, &[("DOCKER_HOST", "unix:///nonexistent.sock")]);
    assert_eq!(said["engines"][0]["named_by"], "DOCKER_HOST");
    assert_eq!(named(&said, "the context `near`")["chosen"], false);
    assert!(
        named(&said, "the context `near`")["version"].is_string(),
        "{said}"
    );
    let (code, said) = doctor(ground, &[("DOCKER_CONTEXT", "far")]);
    assert_eq!(code, Some(125), "{said}");
    let error = said["engines"][0]["error"].as_str().unwrap();
    assert!(error.contains("no such context"), "{error}");
}

/// A context's folder is the hash of its name, as `sha256sum` gives it.
fn sha256_of(name: &str) -> String {
    let script = format!("printf %s {name} | sha256sum");
    let sum = Command::new("sh").args(["-c", &script]).output().unwrap();
    String::from_utf8(sum.stdout).unwrap()[..64].to_owned()
}
