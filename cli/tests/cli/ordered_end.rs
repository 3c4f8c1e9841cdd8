//! Those that others come after end last, however it comes that they end.

use std::fs;

use rustix::process::Signal;

use crate::hive::{Hive, SpawnQuietly, eventually, signal};

/// Each takes longer to end than the one that it comes after.
const SHOP: &str = r#"
swarm = "demo"
[agents.db]
command = ["sh", "-c", "trap 'echo db >> order; exit 0' TERM; echo up; while :; do sleep 0.02; done"]
ready = { log = "up" }
[agents.web]
after = "db"
command = ["sh", "-c", "trap 'sleep 0.3; echo web >> order; exit 0' TERM; touch up; while :; do sleep 0.02; done"]
"#;

#[test]
fn ctrl_c_during_an_up_of_some_by_name_ends_them_in_the_reverse_of_their_order() {
    let hive = Hive::new(SHOP);
    let mut up = hive.command().args(["up", "web"]).spawn_quietly();
    eventually("web is up", || {
        hive.path().join("up").exists().then_some(())
    });
    signal(up.id(), Signal::INT);
    assert_eq!(up.wait().unwrap().code(), Some(130));
    let order = fs::read_to_string(hive.path().join("order")).unwrap();
    assert_eq!(order, "web\ndb\n");
}

#[test]
fn those_named_to_stop_end_in_the_reverse_of_their_order() {
    let hive = Hive::new(SHOP);
    hive.ok(&["up", "--detach", "--wait"]);
    eventually("web is up", || {
        hive.path().join("up").exists().then_some(())
    });
    hive.ok(&["stop", "db", "web"]);
    let order = fs::read_to_string(hive.path().join("order")).unwrap();
    assert_eq!(order, "web\ndb\n");
}
