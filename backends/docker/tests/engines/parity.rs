//! One spec gives one container, whichever way it is made.

use std::path::Path;

use alveary_core::{
    AgentId, AgentSpec, ByteSize, Incarnation, Limits, Restart, Signal, SpawnOptions,
};
use serde_json::Value;

use crate::common::TestEngine;
use crate::here::{Here, sh};
use crate::names::Networks;

/// A spec that says all that an engine here can do, and that a program has flags for.
fn much(podman: bool) -> AgentSpec {
    let mut limits = Limits::default().memory(ByteSize::mib(64)).nproc(64);
    limits.cpus = Some(0.5);
    let mut restart = Restart::never();
    // A limit of one kind replaces all of Podman's own, and it then raises the others, which this host refuses; and
    // it is not left to start anything again.
    if !podman {
        limits = limits.nofile(256);
        limits = limits.cpu_time(std::time::Duration::from_secs(100));
        restart = Restart::on_failure().by_engine();
    }
    let mut spec = sh("sleep 1000")
        .env("KEY", "value")
        .limits(limits)
        .cwd("/tmp")
        .grace(std::time::Duration::from_millis(2500))
        .restart(restart);
    let container = serde_json::json!({
        "user": "1000:1000",
        "read_only": true,
        "tmpfs": ["/scratch:size=1m,mode=1777"],
        "cap_add": ["NET_BIND_SERVICE"],
        "extra_hosts": ["db:10.0.0.7"],
        "ports": ["127.0.0.1:0:80"],
        "shm": "1MiB",
        "networks": ["bridge"],
        "mounts": ["alveary-parity-volume:/data", "/etc:/outside:ro"],
        "health": { "command": ["test", "-d", "/it's"], "interval": "10s", "timeout": "2s", "retries": 3 },
    });
    spec.container = serde_json::from_value(container).expect("a good section");
    spec
}

/// What else a program has flags for: what outweighs the image, and what is handed in.
fn more(profile: &Path) -> AgentSpec {
    let mut spec = sh("sleep 1000");
    spec.stop.signal = Some(Signal::INT);
    let container = serde_json::json!({
        "entrypoint": ["/bin/sh"],
        "init": false,
        "devices": ["/dev/zero:/dev/given:r"],
        "seccomp": profile,
        "cap_add": ["CHOWN", "SETGID"],
        "networks": ["none"],
    });
    spec.container = serde_json::from_value(container).expect("a good section");
    spec.command = ["-c", "trap 'exit 0' INT; sleep 1000 & wait"]
        .map(ToOwned::to_owned)
        .to_vec();
    spec
}

pub(crate) async fn one_spec_gives_one_container_by_either_way(engine: TestEngine) {
    let here = Here::on(&engine);
    let networks = Networks::on(&here);
    engine.try_client(&["volume", "create", "alveary-parity-volume"]);
    let mut in_networks = sh("sleep 1000");
    in_networks.container.networks = networks.names.to_vec();
    let much = much(engine.name == "podman");
    // The program has no flag for this: it carries the API's own body then.
    let lines = sh("sleep 1000").env("LINES", "one\ntwo");
    let folder = tempfile::tempdir().expect("the temporary folder can be written");
    let profile = folder.path().join("profile.json");
    std::fs::write(&profile, r#"{"defaultAction":"SCMP_ACT_ALLOW"}"#).expect("it is written");
    let more = more(&profile);
    for spec in [sh("sleep 1000"), much, more, lines, in_networks] {
        let mut seen = Vec::new();
        for backend in [here.api().await, here.cli().await] {
            let id = AgentId::random();
            let start = Incarnation::random();
            let options = SpawnOptions::default().with_incarnation(start);
            backend.spawn(&id, &spec, options).await.expect("it starts");
            let text = engine.client(&["inspect", &here.name_of(&id)]);
            let plain = text
                .replace(id.as_str(), "ID")
                .replace(&start.to_string(), "START");
            let inspected: Value = serde_json::from_str(&plain).expect("JSON");
            seen.push(without_what_must_differ(&inspected));
            crate::here::remove_all(&*backend).await;
        }
        let mut differ = differences("", &seen[0], &seen[1]);
        if engine.name == "podman" {
            differ.retain(|one| !OF_PODMANS_OWN.iter().any(|known| one.starts_with(known)));
        } else {
            logs_are_kept_and_hold_nobody_up(&seen[0]);
        }
        assert!(
            differ.is_empty(),
            "the API's and the program's differ:\n{}",
            differ.join("\n")
        );
        is_marked(&seen[0]["Config"]["Labels"], &here, &spec);
    }
    engine.try_client(&["volume", "rm", "alveary-parity-volume"]);
}

/// The driver that keeps each byte, in a file that does not grow for ever, and a buffer that drops what would hold the
/// agent up.
fn logs_are_kept_and_hold_nobody_up(told: &Value) {
    let log = &told["HostConfig"]["LogConfig"];
    assert_eq!(log["Type"], "local", "{log}");
    assert_eq!(log["Config"]["mode"], "non-blocking", "{log}");
    for size in ["max-size", "max-buffer-size"] {
        let bytes = log["Config"][size].as_str().map(str::parse::<u64>);
        assert!(matches!(bytes, Some(Ok(1..))), "{size} of {log}");
    }
}

/// By these labels it is known again, whoever looks.
fn is_marked(labels: &Value, here: &Here, spec: &AgentSpec) {
    let grace = spec.stop.grace.as_millis().to_string();
    for (label, value) in [
        ("alveary.swarm", here.uid.to_string()),
        ("alveary.agent-id", "ID".to_owned()),
        ("alveary.name", "trial".to_owned()),
        ("alveary.incarnation", "START".to_owned()),
        ("alveary.spec-hash", spec.hash().to_string()),
        ("alveary.version", env!("CARGO_PKG_VERSION").to_owned()),
        ("alveary.grace-ms", grace),
    ] {
        assert_eq!(labels[label], value, "{label} of {labels}");
    }
}

/// What is said of the container, without what is each one's own.
fn without_what_must_differ(inspected: &Value) -> Value {
    let container = &inspected[0];
    let mut config = container["Config"].clone();
    let mut host = container["HostConfig"].clone();
    config
        .as_object_mut()
        .expect("an object")
        .remove("Hostname");
    if let Some(variables) = config["Env"].as_array_mut() {
        variables.retain(|variable| {
            !variable
                .as_str()
                .is_some_and(|v| v.starts_with("HOSTNAME="))
        });
        variables.sort_by_key(ToString::to_string);
    }
    host.as_object_mut()
        .expect("an object")
        .remove("ContainerIDFile");
    // Programs put these into an order of their own, and newer ones write the capability's whole name.
    if let Some(limits) = host["Ulimits"].as_array_mut() {
        limits.sort_by_key(|limit| limit["Name"].to_string());
    }
    for capability in host["CapAdd"].as_array_mut().into_iter().flatten() {
        let name = capability.as_str().unwrap_or_default();
        *capability = name.trim_start_matches("CAP_").into();
    }
    // Podman writes here which port it has chosen.
    let published = host["PortBindings"].as_object_mut().into_iter().flatten();
    for binding in published.filter_map(|(_, at)| at.as_array_mut()).flatten() {
        binding["HostPort"] = "chosen".into();
    }
    serde_json::json!({ "Config": config, "HostConfig": host, "Aliases": aliases(container) })
}

/// By which names it is found in which network, but for its own id, which engines add.
fn aliases(container: &Value) -> Value {
    let networks = container["NetworkSettings"]["Networks"].as_object();
    let own = |alias: &Value| {
        let id = container["Id"].as_str().unwrap_or_default();
        !alias.as_str().is_some_and(|alias| id.starts_with(alias))
    };
    let named = networks.into_iter().flatten().map(|(network, joined)| {
        let names = joined["Aliases"].as_array().into_iter().flatten();
        let names: Vec<_> = names.filter(|alias| own(alias)).cloned().collect();
        (network.clone(), Value::Array(names))
    });
    Value::Object(named.collect())
}

/// Where Podman writes into what its API makes other defaults than into what its program makes, and by whom it was made.
const OF_PODMANS_OWN: [&str; 9] = [
    ".Config.Annotations",
    ".Config.CreateCommand",
    // Not written down by its API; either way it is 0022 inside.
    ".Config.Umask",
    ".Config.sdNotifyMode",
    ".HostConfig.LogConfig.Path",
    ".HostConfig.RestartPolicy.Name",
    // Which its API gives to each root that is read only, and cannot be told not to.
    ".HostConfig.Tmpfs./run:",
    ".HostConfig.Tmpfs./tmp:",
    ".HostConfig.Tmpfs./var/tmp:",
];

/// What is absent and what is empty are one.
fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.iter().all(is_nothing),
        Value::Object(fields) => fields.values().all(is_nothing),
        Value::Bool(true) => false,
    }
}

/// Where the two differ, each with what it is by the API and by the program.
fn differences(place: &str, api: &Value, cli: &Value) -> Vec<String> {
    match (api, cli) {
        (Value::Object(one), Value::Object(other)) => {
            let keys: std::collections::BTreeSet<_> = one.keys().chain(other.keys()).collect();
            let of = |fields: &serde_json::Map<String, Value>, key| {
                fields.get(key).cloned().unwrap_or_default()
            };
            keys.into_iter()
                .flat_map(|key| {
                    differences(&format!("{place}.{key}"), &of(one, key), &of(other, key))
                })
                .collect()
        }
        (one, other) if one == other || is_nothing(one) && is_nothing(other) => Vec::new(),
        (one, other) => vec![format!("{place}: {one} and {other}")],
    }
}
