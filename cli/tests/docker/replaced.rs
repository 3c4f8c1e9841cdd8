//! Agents that run, and are to be started anew from what cannot be had, or not at once.

use serde_json::Value;

use crate::common::IMAGE;
use crate::ground::{Ground, Swarm};
use crate::hive::{Ran, finish};
use crate::pulled::{LONGER_THAN_A_START_WAITS, Registry};

const VARIABLE: &str = "KEY_OF_THE_HIVE";

fn fleet(container: &str) -> String {
    format!(
        r#"
        swarm = "replaced"
        [agents.one]
        command = ["sleep", "1000"]
        restart = "always"
        secrets = {{ KEY = {{ env = "{VARIABLE}", as = "env" }} }}
        stop = {{ grace = "0s" }}
        container = {{ {container} }}
        "#
    )
}

fn with_its_secret(swarm: &Swarm<'_>, args: &[&str]) -> Ran {
    finish(swarm.command(args).env(VARIABLE, "honey"))
}

/// Which start of its one agent this is, which has to run.
#[track_caller]
fn running(swarm: &Swarm<'_>) -> Value {
    let agent = &swarm.agents()[0];
    assert_eq!(agent["state"], "running", "{agent}");
    agent["incarnation"].clone()
}

pub(crate) fn nobody_is_stopped_for_an_image_or_a_secret_that_is_not_there(ground: &Ground) {
    let there = format!("image = \"{IMAGE}\"");
    let swarm = ground.swarm(ground.file(&fleet(&there)));
    let up = with_its_secret(&swarm, &["up", "--detach"]);
    assert_eq!(up.code(), Some(0), "{up}");
    let before = running(&swarm);
    for (container, words) in [
        ("image = \"127.0.0.1:9/absent:1\"", "is not there"),
        (
            "image = \"alveary-test/absent:1\", pull = \"never\"",
            "there is no image",
        ),
    ] {
        ground.file(&fleet(container));
        let up = with_its_secret(&swarm, &["up", "--detach"]);
        assert_eq!(up.code(), Some(125), "{up}");
        assert!(up.stderr().contains(words), "{up}");
        assert_eq!(running(&swarm), before);
    }
    let restart = swarm.run(&["restart", "one"]);
    assert_ne!(restart.code(), Some(0), "{restart}");
    assert!(restart.stderr().contains(VARIABLE), "{restart}");
    assert_eq!(running(&swarm), before);

    ground.file(&fleet(&there));
    let restart = with_its_secret(&swarm, &["restart", "one"]);
    assert_eq!(restart.code(), Some(0), "{restart}");
    assert_ne!(running(&swarm), before);
}

pub(crate) fn an_image_is_there_before_anybody_is_stopped_for_it(ground: &Ground) {
    let registry = Registry::with_an_image_in(ground, LONGER_THAN_A_START_WAITS);
    let swarm = ground.swarm(ground.file(&fleet(&format!("image = \"{IMAGE}\""))));
    let up = with_its_secret(&swarm, &["up", "--detach"]);
    assert_eq!(up.code(), Some(0), "{up}");
    let before = running(&swarm);
    ground.file(&fleet(&format!("image = \"{}\"", registry.image)));
    let up = with_its_secret(&swarm, &["up", "--detach"]);
    assert_eq!(up.code(), Some(0), "{up}");
    let said = up.stderr();
    assert!(
        said.contains(&format!("the image {} is here", registry.image)),
        "{said}"
    );
    // A start that had to wait for its image would be on its way for so long, and nobody would run.
    assert!(
        said.contains("started anew") && !said.contains("is on its way"),
        "{said}"
    );
    assert_ne!(running(&swarm), before);
}
