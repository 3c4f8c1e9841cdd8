//! Verbs at the same moment, any of which may be killed in the middle: whatever they leave, the records say it, and
//! `down` ends it.

use std::process::{Child, Stdio};
use std::time::Duration;

use crate::hive::{Hive, Ran, SpawnQuietly, eventually, is_alive, pid_of};
use crate::tally::{Tally, processes, rounds};

const FLEET: &str = r#"
swarm = "demo"
[agents.db]
command = ["sh", "-c", "echo up; exec sleep 1000"]
ready = { log = "up" }
[agents.a]
count = 8
command = ["sleep", "1000"]
after = "db"
[agents.busy]
count = 2
command = ["sleep", "0.05"]
restart = { policy = "always", max = 1000, within = "1s", delay = "10ms", max_delay = "20ms" }
"#;

/// What people do to a swarm, all of it at once.
const VERBS: [&[&str]; 8] = [
    &["up", "-d"],
    &["stop", "-t", "1", "a-1", "busy-1"],
    &["scale", "a=5"],
    &["restart", "-t", "1", "a-2", "busy"],
    &["rm", "-f", "a-3"],
    &["scale", "a=9"],
    &["kill", "a-4"],
    &["up", "-d", "--prune"],
];

/// A number from 0 to below `most` that looks drawn, and is the same in every run.
fn drawn(seed: usize, most: u64) -> u64 {
    let mut x = seed as u64 + 0x9e37_79b9_7f4a_7c15;
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (x ^ (x >> 31)) % most
}

/// Waits for each to end, or kills it: every second one, at another moment each.
fn end(children: Vec<Child>, round: usize, kill: bool) {
    for (at, mut child) in children.into_iter().enumerate() {
        let seed = round * 100 + at;
        if kill && drawn(seed, 2) == 0 {
            std::thread::sleep(Duration::from_millis(drawn(seed + 7, 40)));
            child.kill().unwrap();
        }
        child.wait().unwrap();
    }
}

/// Until what the keeper was asked for by those who were killed has been done.
fn quiet(hive: &Hive) {
    eventually("nothing is on its way any more", || {
        let agents = hive.agents();
        let settled = |agent: &serde_json::Value| {
            !["starting", "stopping", "unknown"].contains(&agent["state"].as_str().unwrap_or(""))
        };
        agents.iter().all(settled).then_some(())
    });
}

fn race(scenario: &'static str, few: usize, full: usize, kill: bool) {
    let mut tally = Tally::new(scenario);
    for round in 0..rounds(few, full) {
        let hive = Hive::new(FLEET);
        if round % 2 == 0 {
            hive.ok(&["up", "-d"]);
        }
        let order = |at: usize| drawn(round * 31 + at, 1 << 30);
        let mut verbs: Vec<_> = VERBS.into_iter().enumerate().collect();
        verbs.sort_by_key(|(at, _)| order(*at));
        let begin = |(_, verb): (usize, &[&str])| hive.command().args(verb).spawn_quietly();
        end(verbs.into_iter().map(begin).collect(), round, kill);
        // Nobody restarts what would otherwise end and begin while one looks.
        hive.run(&["stop", "-t", "1", "busy"]);
        quiet(&hive);
        tally.compare(&hive);

        // A stop holds, whatever came before it.
        if hive.agents().iter().any(|agent| agent["name"] == "a-1") {
            let stopped = hive.run(&["stop", "-t", "1", "a-1"]);
            tally.expect(stopped.code() == Some(0), || stopped.to_string());
            let after = hive.agent("a-1");
            tally.expect(after["state"] != "running", || after.to_string());
        }
        // And whatever was left, `up` brings the swarm to what its file says.
        let up = hive.run(&["up", "-d", "--prune"]);
        tally.expect(up.code() == Some(0), || up.to_string());
        let running = hive.agents();
        let members = running.iter().filter(|agent| agent["name"] != "busy-1");
        let members = members.filter(|agent| agent["name"] != "busy-2");
        let members: Vec<_> = members.collect();
        tally.expect(members.len() == 9, || format!("{members:?}"));
        for agent in members {
            let alive = agent["state"] == "running" && is_alive(pid_of(agent));
            tally.expect(alive, || agent.to_string());
        }
        tally.down(&hive);
    }
    tally.report();
}

#[test]
fn verbs_at_the_same_moment_lose_and_double_nobody() {
    race("eight verbs at once", 3, 30, false);
}

#[test]
fn verbs_at_the_same_moment_of_which_some_are_killed_lose_and_double_nobody() {
    race("eight verbs at once, half of them killed", 4, 50, true);
}

#[test]
fn a_down_that_is_killed_in_the_middle_is_finished_by_the_next() {
    let mut tally = Tally::new("kill -9 of down, beside an up");
    for round in 0..rounds(4, 50) {
        let hive = Hive::new(FLEET);
        hive.ok(&["up", "-d"]);
        let mut down = hive.command().args(["down", "-t", "1"]).spawn_quietly();
        let mut up = hive.command().args(["up", "-d"]).spawn_quietly();
        std::thread::sleep(Duration::from_millis(drawn(round, 60)));
        down.kill().unwrap();
        down.wait().unwrap();
        if round % 2 == 0 {
            up.kill().unwrap();
        }
        up.wait().unwrap();
        hive.run(&["stop", "-t", "1", "busy"]);
        quiet(&hive);
        tally.compare(&hive);
        tally.down(&hive);
        let nobody = processes(&hive.state()).is_empty() && hive.agents().is_empty();
        tally.expect(nobody, || format!("{:?}", hive.agents()));
    }
    tally.report();
}

#[test]
fn of_two_that_spawn_one_name_at_the_same_moment_one_does_and_the_other_is_told_so() {
    const NAMES: [&str; 4] = ["new-1", "new-2", "ended-1", "ended-2"];
    let mut tally = Tally::new("pairs of spawns of one name");
    for _ in 0..rounds(4, 50) {
        let hive = Hive::new("swarm = \"demo\"\n");
        let spawn = |name: &str, seconds: &str| {
            let mut command = hive.command();
            command.args(["spawn", "--name", name, "--", "sleep", seconds]);
            command.stdin(Stdio::null()).stdout(Stdio::piped());
            command.stderr(Stdio::piped()).spawn().unwrap()
        };
        for ended in &NAMES[2..] {
            hive.ok(&["spawn", "--name", ended, "--", "sleep", "1000"]);
            hive.ok(&["stop", "-t", "1", ended]);
        }
        let pairs = NAMES.map(|name| (name, ["1001", "1002"].map(|of| spawn(name, of))));
        for (name, pair) in pairs {
            let mut ran = pair.map(|child| Ran::from(child.wait_with_output().unwrap()));
            ran.sort_by_key(Ran::code);
            let [won, lost] = ran;
            let agent = hive.agent(name);
            let id = agent["agent_id"].as_str().unwrap();
            let began = won.code() == Some(0) && won.stdout().trim() == id;
            tally.expect(began && is_alive(pid_of(&agent)), || {
                format!("{won} {agent}")
            });
            let told = format!("error: an agent `{name}` lives already\n");
            let refused = lost.code() == Some(2) && lost.stderr().starts_with(&told);
            tally.expect(refused && lost.stdout().is_empty(), || lost.to_string());
        }
        tally.compare(&hive);
        tally.down(&hive);
    }
    tally.report();
}

#[test]
fn of_a_spawn_and_a_scale_to_one_name_at_the_same_moment_one_has_it_and_the_other_is_refused() {
    let mut tally = Tally::new("a spawn beside a scale to its name");
    for _ in 0..rounds(6, 50) {
        let hive = Hive::new(
            "swarm = \"demo\"\n[agents.bee]\ncount = 1\ncommand = [\"sleep\", \"1000\"]\n",
        );
        let begin = |args: &[&str]| hive.command().args(args).spawn_quietly();
        let both = [
            begin(&["spawn", "--name", "bee-2", "--", "sleep", "1001"]),
            begin(&["scale", "bee=2"]),
        ];
        let mut codes = both.map(|mut child| child.wait().unwrap().code());
        codes.sort_unstable();
        tally.expect(codes == [Some(0), Some(2)], || format!("{codes:?}"));
        tally.compare(&hive);
        tally.down(&hive);
    }
    tally.report();
}
