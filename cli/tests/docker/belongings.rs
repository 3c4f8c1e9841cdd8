//! Networks and volumes that are a swarm's own, and those that are not.

use crate::common::IMAGE;
use crate::ground::Ground;

fn fleet(swarm: &str, tables: &str) -> String {
    format!(
        r#"
        swarm = "{swarm}"
        {tables}
        [defaults]
        stop = {{ grace = "0s" }}
        [agents.echo]
        command = ["sh", "-c", "cat /data/kept; echo kept > /data/kept; exec sleep 1000"]
        container = {{ image = "{IMAGE}", networks = ["net"], mounts = ["data:/data"] }}
        "#
    )
}

pub(crate) fn volumes_outlive_the_swarm_until_they_are_asked_for(ground: &Ground) {
    let file = ground.file(&fleet(
        "keeping",
        "[networks.net]\ninternal = true\n[volumes.data]",
    ));
    let swarm = ground.swarm(file);
    swarm.ok(&["up", "--detach"]);
    let format = "--format={{.Internal}}";
    let internal = ground
        .engine
        .client(&["network", "inspect", format, "keeping_net"]);
    assert_eq!(internal, "true");
    let down = swarm.run(&["down"]);
    assert!(
        down.stderr().contains("network keeping_net removed"),
        "{down}"
    );
    assert!(
        down.stderr().contains("volume keeping_data stays"),
        "{down}"
    );
    assert!(ground.ours("network", "keeping_").is_empty());
    // It is the same swarm, and so the same volume, with what was written there.
    swarm.by(ground.other_way()).ok(&["up", "--detach"]);
    assert_eq!(swarm.ok(&["logs", "--no-prefix", "echo"]), "kept\n");
    let down = swarm.run(&["down", "--volumes"]);
    assert!(
        down.stderr().contains("volume keeping_data removed"),
        "{down}"
    );
    assert!(ground.ours("volume", "keeping_").is_empty());
    assert!(ground.ours("network", "keeping_").is_empty());
}

pub(crate) fn what_is_a_strangers_is_neither_used_nor_removed(ground: &Ground) {
    let file = ground.file(&fleet("robbing", "[networks.net]\n[volumes.data]"));
    for kind in ["network", "volume"] {
        let name = if kind == "network" {
            "robbing_net"
        } else {
            "robbing_data"
        };
        let thing = Made::new(ground, kind, name);
        let swarm = ground.swarm(&file);
        let ran = swarm.run(&["up", "--detach"]);
        assert_ne!(ran.code(), Some(0), "{ran}");
        assert!(
            ran.stderr()
                .contains(&format!("the {kind} {name} is there")),
            "{ran}"
        );
        assert!(ran.stderr().contains("external = true"), "{ran}");
        swarm.ok(&["down", "--volumes"]);
        assert!(thing.is_there(), "{name} is gone");
    }
}

pub(crate) fn what_is_external_is_used_and_left(ground: &Ground) {
    let file = ground.file(&fleet(
        "guest",
        "[networks.net]\nexternal = true\nname = \"hosts-net\"\n[volumes.data]\nexternal = true\nname = \"hosts-data\"",
    ));
    let things = [
        Made::new(ground, "network", "hosts-net"),
        Made::new(ground, "volume", "hosts-data"),
    ];
    let swarm = ground.swarm(file);
    swarm.ok(&["up", "--detach"]);
    let agents = swarm.agents();
    assert_eq!(agents[0]["state"], "running", "{agents:?}");
    swarm.ok(&["down", "--volumes"]);
    assert!(things.iter().all(Made::is_there));
}

pub(crate) fn what_is_external_or_undeclared_is_refused_where_it_is_not_there(ground: &Ground) {
    let external = "[networks.net]\n[volumes.data]\nexternal = true\nname = \"absent-data\"";
    let mistyped = "[networks.net]\n[volumes.dta]";
    for (tables, name) in [(external, "absent-data"), (mistyped, "data")] {
        // What a run left that was ended.
        ground.engine.try_client(&["volume", "rm", name]);
        let swarm = ground.swarm(ground.file(&fleet("asking", tables)));
        let ran = swarm.run(&["up", "--detach"]);
        assert_eq!(ran.code(), Some(2), "{ran}");
        let said = format!("the volume `{name}` is not there");
        assert!(ran.stderr().contains(&said), "{ran}");
        assert!(ran.stderr().contains("[volumes.NAME]"), "{ran}");
        assert!(
            swarm
                .agents()
                .iter()
                .all(|agent| agent["state"] != "running")
        );
        let found = ground.engine.try_client(&["volume", "inspect", name]);
        assert!(!found.status.success(), "{name} is there");
        swarm.ok(&["down", "--volumes"]);
    }
}

/// Something of a stranger's, until the end.
struct Made<'a> {
    ground: &'a Ground,
    kind: &'static str,
    name: &'static str,
}

impl<'a> Made<'a> {
    fn new(ground: &'a Ground, kind: &'static str, name: &'static str) -> Self {
        // What a run left that was ended.
        ground.engine.try_client(&[kind, "rm", name]);
        ground.engine.client(&[kind, "create", name]);
        Self { ground, kind, name }
    }

    fn is_there(&self) -> bool {
        let inspected = self
            .ground
            .engine
            .try_client(&[self.kind, "inspect", self.name]);
        inspected.status.success()
    }
}

impl Drop for Made<'_> {
    fn drop(&mut self) {
        self.ground.engine.try_client(&[self.kind, "rm", self.name]);
    }
}
