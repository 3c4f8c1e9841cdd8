//! `bench` on an engine, both ways side by side.

use std::fs;

use rustix::process::Signal;
use serde_json::Value;

use crate::common::IMAGE;
use crate::ground::Ground;
use crate::hive::{SpawnQuietly, eventually, finish, signal};

fn fleet(ground: &Ground, more: &str) {
    ground.file(&format!(
        r#"
        swarm = "measured"
        [agents.echo]
        command = ["sh", "-c", "echo up; exec sleep 1000"]
        env = {{ COLOUR = "blue" }}
        {more}
        [agents.echo.container]
        image = "{IMAGE}"
        ports = ["127.0.0.1:39801:80"]
        "#
    ));
}

/// Every container that a bench has made, of ours and of the bare engine's.
fn containers(ground: &Ground) -> Vec<String> {
    let format = "--format={{.Names}}";
    let names = ground.engine.client(&["ps", "--all", format]);
    let of_a_bench = |name: &&str| name.starts_with("alveary-bench-");
    names
        .lines()
        .filter(of_a_bench)
        .map(ToOwned::to_owned)
        .collect()
}

pub(crate) fn each_start_is_measured_beside_the_bare_engine(ground: &Ground) {
    fleet(ground, "ready = { log = \"up\" }");
    let all = format!("process,{},{}", ground.way, ground.other_way());
    let args = [
        "bench",
        "-n",
        "2",
        "--warm-up",
        "1",
        "--backend",
        &all,
        "--out",
        "a.json",
        "--picture",
        "a.svg",
    ];
    let ran = finish(ground.command().args(args));
    assert_eq!(ran.code(), Some(0), "{ran}");
    let report: Value =
        serde_json::from_slice(&fs::read(ground.path().join("a.json")).unwrap()).unwrap();
    for (run, way) in [(1, ground.way), (2, ground.other_way())] {
        let run = &report["runs"][run];
        assert_eq!(run["backend"], way);
        assert_eq!(run["no_floor"], Value::Null, "{way}");
        let ready = run["phases"]["ready"]["samples_ms"][1].as_f64();
        assert!(ready.is_some_and(|took| took > 0.0), "{way}: {ready:?}");
        for (whose, steps) in [("ours", &run["phases"]), ("bare", &run["floor"]["phases"])] {
            let at = |step: &str, n: usize| steps[step]["samples_ms"][n].as_f64().unwrap();
            for n in 0..2 {
                let (create, start, whole) = (at("create", n), at("start", n), at("spawn", n));
                assert!(
                    create > 0.1 && start > 0.1,
                    "{way} {whose}: {create} {start}"
                );
                assert!(
                    create + start <= whole + 0.1,
                    "{way} {whose}: {create} {start} {whole}"
                );
            }
        }
    }
    let picture = fs::read_to_string(ground.path().join("a.svg")).unwrap();
    let lanes = ["process", "docker-api", "docker-cli"];
    assert!(lanes.iter().all(|lane| picture.contains(lane)), "{picture}");
    assert_eq!(containers(ground), [""; 0]);
    let state = fs::read_dir(ground.path().join("state")).unwrap();
    assert_eq!(state.count(), 0);
}

pub(crate) fn what_a_bench_that_was_killed_has_left_is_found_by_gc(ground: &Ground) {
    fleet(ground, "ready = { log = \"never\", timeout = \"5m\" }");
    let mut bench = ground.command();
    bench.args(["bench", "--no-floor", "--backend", ground.way]);
    let mut bench = bench.spawn_quietly();
    eventually("one is there", || containers(ground).first().cloned());
    signal(bench.id(), Signal::KILL);
    bench.wait().unwrap();
    let ran = finish(ground.command().args(["gc", "--yes"]));
    assert_eq!(ran.code(), Some(0), "{ran}");
    eventually("it is ended", || {
        containers(ground).is_empty().then_some(())
    });
    let state = fs::read_dir(ground.path().join("state")).unwrap();
    assert_eq!(state.count(), 0);
}
