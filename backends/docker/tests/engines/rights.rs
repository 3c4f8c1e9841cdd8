//! What an agent may do and use up, seen from inside its container and told by the engine.

use std::time::Duration;

use alveary_core::{AgentBackend, AgentId, AgentSpec, ErrorKind, Limits, SpawnOptions};
use serde_json::{Value, json};

use crate::common::TestEngine;
use crate::here::{Here, remove_all, run_to_its_end, sh, written};

/// Tells what it may, and goes on.
const TELLS: &str = "grep -E '^(NoNewPrivs|CapEff|CapBnd|Seccomp):' /proc/self/status; \
    echo init: $(cat /proc/1/comm); echo nofile: $(ulimit -n); \
    touch /there 2>/dev/null && echo root: writable || echo root: read-only; \
    touch /scratch/there && echo scratch: writable; \
    echo shm: $(stat -f -c %b /dev/shm) of $(stat -f -c %S /dev/shm); echo told; sleep 1000";

fn bounded(engine: &TestEngine) -> AgentSpec {
    let mut limits = Limits::default();
    limits.cpus = Some(0.5);
    // A limit of one kind replaces all of Podman's own, and it then raises the others, which this host refuses.
    if engine.name != "podman" {
        limits = limits.nofile(256);
    }
    let mut spec = sh(TELLS).limits(limits);
    let section = json!({ "read_only": true, "tmpfs": ["/scratch:size=1m"], "shm": "1MiB" });
    spec.container = serde_json::from_value(section).expect("a good section");
    spec
}

pub(crate) async fn an_agent_may_do_little_unless_it_is_said(engine: TestEngine) {
    let here = Here::on(&engine);
    for backend in [here.api().await, here.cli().await] {
        let id = AgentId::random();
        let (spec, options) = (bounded(&engine), SpawnOptions::default());
        backend.spawn(&id, &spec, options).await.expect("it starts");
        let told = written(&*backend, &id, "told\n").await;
        let told = String::from_utf8_lossy(&told).replace('\t', " ");
        let said = format!("by {}: {told}", backend.kind());
        for line in [
            "NoNewPrivs: 1",
            "CapEff: 0000000000000000",
            "CapBnd: 0000000000000000",
            // A filter of system calls is in force.
            "Seccomp: 2",
            "root: read-only",
            "scratch: writable",
        ] {
            assert!(told.lines().any(|told| told == line), "{line}, {said}");
        }
        assert!(!told.contains("init: sh"), "its init is before it, {said}");
        let shm = told.lines().find_map(|line| line.strip_prefix("shm: "));
        let (blocks, size) = shm.and_then(|shm| shm.split_once(" of ")).expect(&said);
        let number = |text: &str| text.parse::<u64>().expect("a number");
        assert_eq!(number(blocks) * number(size), 1 << 20, "{said}");
        if engine.name != "podman" {
            assert!(told.contains("nofile: 256"), "{said}");
        }
        let inspected = engine.client(&["inspect", &here.name_of(&id)]);
        let inspected: Value = serde_json::from_str(&inspected).expect("JSON");
        let host = &inspected[0]["HostConfig"];
        assert_eq!(host["PidsLimit"], 4096, "{said}");
        assert_eq!(host["NanoCpus"], 500_000_000, "{said}");
        assert_eq!(host["ReadonlyRootfs"], true, "{said}");
        assert_eq!(host["Privileged"], false, "{said}");
        if engine.name != "podman" {
            assert_eq!(host["Init"], true, "{said}");
            assert_eq!(host["CapDrop"], json!(["ALL"]), "{said}");
            assert_eq!(host["SecurityOpt"], json!(["no-new-privileges"]), "{said}");
        }
        remove_all(&*backend).await;
    }
}

/// A shell that cannot begin another program ends.
const BEGINS_TWENTY: &str =
    "for i in 1 2 3 4 5; do for j in 1 2 3 4; do sleep 1000 & done; done; echo all of them; exit 7";

pub(crate) async fn an_agent_has_no_more_processes_than_it_may(engine: TestEngine) {
    let here = Here::on(&engine);
    for backend in [here.api().await, here.cli().await] {
        for (limit, fits) in [(12, false), (100, true)] {
            let spec = sh(BEGINS_TWENTY).limits(Limits::default().nproc(limit));
            let (_, exit) = run_to_its_end(&*backend, &spec).await;
            let said = format!("{exit:?} of {limit} by {}", backend.kind());
            assert_eq!(exit.code() == Some(7), fits, "{said}");
            assert!(exit.code().is_some_and(|code| code != 0), "{said}");
        }
        remove_all(&*backend).await;
    }
}

pub(crate) async fn an_agent_runs_as_whom_it_is_said(engine: TestEngine) {
    let here = Here::on(&engine);
    for backend in [here.api().await, here.cli().await] {
        for (user, told) in [
            (None, "0:0"),
            (Some("agent"), "1000:1000"),
            (Some("1234:4321"), "1234:4321"),
        ] {
            let id = AgentId::random();
            let mut spec = sh("echo \"$(id -u):$(id -g) told\"; sleep 1000");
            spec.container.user = user.map(ToOwned::to_owned);
            let options = SpawnOptions::default();
            backend.spawn(&id, &spec, options).await.expect("it starts");
            let heard = written(&*backend, &id, "told\n").await;
            let heard = String::from_utf8_lossy(&heard).into_owned();
            let said = format!("{user:?} by {}", backend.kind());
            assert_eq!(heard, format!("{told} told\n"), "{said}");
        }
        remove_all(&*backend).await;
    }
}

/// A tenth of a processor for whoever would use a whole one.
pub(crate) async fn an_agent_has_no_more_of_a_processor_than_it_may(engine: TestEngine) {
    let here = Here::on(&engine);
    for backend in [here.api().await, here.cli().await] {
        let id = AgentId::random();
        let mut limits = Limits::default();
        limits.cpus = Some(0.1);
        let spec = sh("while :; do :; done").limits(limits);
        let options = SpawnOptions::default();
        backend.spawn(&id, &spec, options).await.expect("it starts");
        let stats = backend.stats().expect("usage is told");
        let first = stats.read(&id).await.expect("it runs");
        tokio::time::sleep(Duration::from_secs(3)).await;
        let later = stats.read(&id).await.expect("it runs");
        let used = later.cpu_percent_since(&first).expect("two readings");
        let said = format!("{used} % by {}", backend.kind());
        assert!((1.0..20.0).contains(&used), "{said}");
        remove_all(&*backend).await;
    }
}

pub(crate) async fn a_seccomp_profile_of_ones_own_is_in_force(engine: TestEngine) {
    let here = Here::on(&engine);
    let folder = tempfile::tempdir().expect("the temporary folder can be written");
    let file = folder.path().join("profile.json");
    let profile = json!({
        "defaultAction": "SCMP_ACT_ALLOW",
        "syscalls": [{ "names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 1 }],
    });
    std::fs::write(&file, profile.to_string()).expect("it can be written");
    for backend in [here.api().await, here.cli().await] {
        let mut spec = sh("mkdir /tmp/there 2>/dev/null && exit 3; exit 4");
        spec.container.seccomp = Some(file.to_string_lossy().into_owned());
        let (_, exit) = run_to_its_end(&*backend, &spec).await;
        assert_eq!(exit.code(), Some(4), "by {}", backend.kind());
        remove_all(&*backend).await;
    }
}

/// What this host cannot give is refused and not left out.
pub(crate) async fn what_the_engine_cannot_give_is_refused_and_leaves_nothing(engine: TestEngine) {
    let here = Here::on(&engine);
    for backend in [here.api().await, here.cli().await] {
        for (section, kind) in [
            (
                json!({ "runtime": "alveary-absent" }),
                ErrorKind::Unsupported,
            ),
            (json!({ "gpus": "all" }), ErrorKind::Unsupported),
            (
                json!({ "devices": ["/dev/alveary-absent"] }),
                ErrorKind::Unsupported,
            ),
            (
                json!({ "seccomp": "/nonexistent/profile.json" }),
                ErrorKind::InvalidSpec,
            ),
        ] {
            let mut spec = sh("sleep 1000");
            spec.container = serde_json::from_value(section.clone()).expect("a good section");
            let id = AgentId::random();
            let spawned = backend.spawn(&id, &spec, SpawnOptions::default()).await;
            let error = spawned.expect_err("it cannot be given");
            let said = format!("{section} by {}: {error}", backend.kind());
            assert_eq!(error.kind(), kind, "{said}");
            assert!(error.cure().is_some(), "{said}");
            assert_eq!(here.containers(), Vec::<String>::new(), "{said}");
        }
    }
}

pub(crate) async fn a_device_is_there_by_the_name_that_it_is_given(engine: TestEngine) {
    let here = Here::on(&engine);
    let script = "[ -e /dev/given ] || exit 4; \
        [ \"$(head -c 4 /dev/given | tr '\\0' z)\" = zzzz ] || exit 5; exit 7";
    for backend in [here.api().await, here.cli().await] {
        for (devices, code) in [(&["/dev/zero:/dev/given:r"][..], 7), (&[], 4)] {
            let mut spec = sh(script);
            spec.container.devices = devices.iter().map(|&device| device.into()).collect();
            let (_, exit) = run_to_its_end(&*backend, &spec).await;
            let said = format!("{devices:?} by {}", backend.kind());
            assert_eq!(exit.code(), Some(code), "{said}");
        }
        remove_all(&*backend).await;
    }
}

/// The name by which the Dockers of `tests/engines` have their runc a second time.
const SECOND_RUNTIME: &str = "alveary-runc";

pub(crate) async fn a_runtime_is_the_one_that_is_named(engine: TestEngine) {
    let here = Here::on(&engine);
    for backend in [here.api().await, here.cli().await] {
        let mut spec = sh("exit 7");
        spec.container.runtime = Some(SECOND_RUNTIME.to_owned());
        let (id, exit) = run_to_its_end(&*backend, &spec).await;
        assert_eq!(exit.code(), Some(7), "by {}", backend.kind());
        let format = "--format={{.HostConfig.Runtime}}";
        let runtime = engine.client(&["inspect", format, &here.name_of(&id)]);
        assert_eq!(runtime, SECOND_RUNTIME, "by {}", backend.kind());
        remove_all(&*backend).await;
    }
}
