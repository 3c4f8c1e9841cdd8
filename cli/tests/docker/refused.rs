//! Agents that an engine does not start.

use crate::ground::Ground;

pub(crate) fn who_is_refused_is_called_by_name(ground: &Ground) {
    let _image = ground.busybox();
    for (what, container) in [
        ("by the engine", "entrypoint = [\"/absent\"]"),
        ("by the plan", "networks = [\"host\", \"none\"]"),
    ] {
        let file = ground.file(&format!(
            r#"
            swarm = "refused"
            [agents.lost]
            command = ["true"]
            container = {{ image = "busybox", {container} }}
            "#
        ));
        let swarm = ground.swarm(file);
        for args in [&["up"][..], &["up", "--detach"]] {
            let ran = swarm.run(args);
            assert_ne!(ran.code(), Some(0), "{what}: {ran}");
            let said = ran.stderr();
            let named = said.matches("failed to spawn agent lost: ").count();
            assert_eq!(named, 1, "{what}, {args:?}: {ran}");
        }
    }
}
