//! The fleets in `examples/` do what their comments say. The quickstart, and what wants containers, has tests of its own.

use serde_json::Value;

use crate::hive::{Hive, Ran};

/// A swarm `demo` of this example, brought up to its end in the foreground.
fn brought_up(example: &str) -> (Hive, Ran) {
    let file = format!("{}/../examples/{example}", env!("CARGO_MANIFEST_DIR"));
    let file = std::fs::read_to_string(file).unwrap();
    let (head, agents) = file.split_once("\nswarm = ").unwrap();
    let (_, agents) = agents.split_once('\n').unwrap();
    let hive = Hive::new(&format!("{head}\nswarm = \"demo\"\n{agents}"));
    let ran = hive.run(&["up"]);
    (hive, ran)
}

/// When it was, in milliseconds of that day.
fn at(moment: &Value) -> u64 {
    let moment = moment.as_str().unwrap();
    let (_, time) = moment.split_once('T').unwrap();
    let parts = time.trim_end_matches('Z').split([':', '.']);
    let parts: Vec<u64> = parts.map(|part| part.parse().unwrap()).collect();
    let [hours, minutes, seconds, milliseconds] = parts[..] else {
        panic!("{moment}");
    };
    ((hours * 60 + minutes) * 60 + seconds) * 1000 + milliseconds
}

#[test]
fn in_ready_each_starts_when_those_are_ready_that_it_comes_after() {
    let (hive, ran) = brought_up("ready.toml");
    assert_eq!(ran.code(), Some(0), "{ran}");
    for line in [
        "store    | store is open\n",
        "worker-1 | worker 1 of three is at work\n",
        "worker-3 | worker 3 is done\n",
        "clerk    | store and workers are up: counting\n",
        "store    | closing time\n",
    ] {
        assert!(ran.stdout().contains(line), "{line}: {ran}");
    }
    let started = |name| at(&hive.agent(name)["started_at"]);
    let workers = ["worker-1", "worker-2", "worker-3"].map(started);
    // It sleeps for half a second before it says that it is open; for how much of that before its start is written down
    // is the machine's. What is past midnight is not compared.
    let opened = started("store");
    let at_work = workers.iter().max().unwrap() + 60;
    let counting = started("clerk");
    let day = 24 * 60 * 60 * 1000;
    let passed_midnight = counting < started("store") && counting + day / 2 < started("store");
    assert!(
        passed_midnight || workers.iter().all(|worker| *worker >= opened),
        "{opened} {workers:?}: {ran}"
    );
    assert!(
        passed_midnight || counting >= at_work,
        "{at_work} {counting}: {ran}"
    );
}

#[test]
fn in_restarts_each_is_started_again_as_often_as_it_says() {
    let (hive, ran) = brought_up("restarts.toml");
    assert_eq!(ran.code(), Some(1), "{ran}");
    for (name, line, times, state, code) in [
        ("steady", "all done", 1, "exited", 0),
        ("clumsy", "dropped it", 3, "failed", 1),
        ("once", "once is enough", 1, "exited", 7),
    ] {
        assert_eq!(ran.stdout().matches(line).count(), times, "{name}: {ran}");
        let agent = hive.agent(name);
        assert_eq!(agent["state"], state, "{agent}");
        assert_eq!(agent["exit"]["code"], code, "{agent}");
        assert_eq!(agent["restarts"], times - 1, "{agent}");
    }
    let listed = hive.ok(&["ps", "-a"]);
    let once = listed.lines().find(|line| line.starts_with("once"));
    assert!(
        once.is_some_and(|line| line.contains("exited with code 7")),
        "{listed}"
    );
}
