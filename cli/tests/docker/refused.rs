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

pub(crate) fn a_dry_run_says_what_would_be_refused_and_shows_the_rest(ground: &Ground) {
    for (container, words) in [
        ("networks = [\"host\", \"none\"]", "network"),
        ("mounts = [\"/:/host\"]", "a mount of /"),
    ] {
        let file = ground.file(&format!(
            r#"
            swarm = "refused"
            [defaults.container]
            image = "busybox"
            [agents.good]
            command = ["true"]
            [agents.lost]
            command = ["true"]
            container = {{ {container} }}
            "#
        ));
        let swarm = ground.swarm(file);
        let ran = swarm.run(&["up", "--dry-run"]);
        assert_ne!(ran.code(), Some(0), "{container}: {ran}");
        let said = format!("{}{}", ran.stdout(), ran.stderr());
        assert!(said.contains("good"), "{container}: {ran}");
        let refused = said.find("refused: failed to spawn agent lost: ");
        let refused = refused.map_or("", |at| &said[at..]);
        assert!(refused.contains(words), "{container}: {ran}");
        assert!(swarm.agents().is_empty());
    }
}
