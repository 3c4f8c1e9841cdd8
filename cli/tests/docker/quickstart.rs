//! `examples/quickstart.toml`, the very file that runs as processes.

use std::path::Path;

use crate::ground::Ground;

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/quickstart.toml");

const NAMES: [&str; 5] = ["queen", "scout", "forager", "builder", "nurse"];

pub(crate) fn the_quickstart_runs_to_its_end_in_containers(ground: &Ground) {
    let _image = ground.busybox();
    let swarm = ground.swarm(Path::new(FILE));
    let said = swarm.ok(&["up"]);
    for line in [
        "good morning! this is the queen of the hive",
        "two thousand eggs so far",
        "meadow 3: clover, 600 paces east",
        "that is all I can carry",
        "a row of six cells, hexagons every one",
        "hush, they are asleep",
    ] {
        assert!(said.contains(line), "{line} is not in {said}");
    }
    let agents = swarm.agents();
    let names: Vec<&str> = agents.iter().map(|a| a["name"].as_str().unwrap()).collect();
    assert_eq!(names, NAMES);
    for agent in &agents {
        assert_eq!(agent["state"], "exited", "{agent}");
        assert_eq!(agent["exit"]["code"], 0, "{agent}");
        assert_eq!(agent["backend"], ground.way);
    }
}

pub(crate) fn what_one_way_brought_up_the_other_lists_follows_and_ends(ground: &Ground) {
    let _image = ground.busybox();
    let file = ground.file(
        r#"
        swarm = "crossed"
        [defaults]
        container = { image = "busybox" }
        [agents.clock]
        command = ["sh", "-c", "echo one; trap 'echo over; exit 5' TERM; while :; do sleep 0.1; done"]
        [agents.brief]
        command = ["sh", "-c", "exit 7"]
        "#,
    );
    let swarm = ground.swarm(file);
    swarm.ok(&["up", "--detach"]);
    swarm.ok(&["wait", "brief"]);
    let other = swarm.by(ground.other_way());
    let theirs = other.agents();
    let ours = swarm.agents();
    for (ours, theirs) in ours.iter().zip(&theirs) {
        for key in [
            "agent_id",
            "name",
            "incarnation",
            "handle",
            "state",
            "exit",
            "started_at",
        ] {
            assert_eq!(ours[key], theirs[key], "{key}");
        }
    }
    assert_eq!(theirs[1]["exit"]["code"], 7);
    // It is followed until it ends, which the first way sees to.
    std::thread::scope(|scope| {
        let followed = scope.spawn(|| other.ok(&["logs", "--follow", "--no-prefix", "clock"]));
        swarm.ok(&["stop", "clock"]);
        assert_eq!(followed.join().unwrap(), "one\nover\n");
    });
    let ended = other.agents();
    assert_eq!(ended[0]["exit"]["code"], 5);
    assert_eq!(ended[0]["exit"]["cause"], "us");
    swarm.ok(&["up", "--detach", "clock"]);
    other.ok(&["down"]);
    assert!(swarm.agents().is_empty());
}

/// The engine can be reached; but of what it would make the agents nobody says.
pub(crate) fn auto_takes_no_engine_where_nobody_names_an_image(ground: &Ground) {
    let fleet = |image: &str| {
        format!(
            "swarm = \"chosen\"\n{image}\n[agents.brief]\ncommand = [\"sh\", \"-c\", \"exit 7\"]\n"
        )
    };
    for (image, taken) in [
        ("", "process"),
        (
            "[backends.docker-api]\nimage = \"alveary-test/busybox:1\"",
            "docker-api",
        ),
        (
            "[defaults]\ncontainer = { image = \"alveary-test/busybox:1\" }",
            "docker-api",
        ),
    ] {
        let file = ground.file(&fleet(image));
        let swarm = ground.swarm(file);
        let auto = swarm.by("auto");
        let ran = auto.run(&["up", "--detach"]);
        assert_eq!(ran.code(), Some(0), "{ran}");
        assert!(
            ran.stderr().contains(&format!("took {taken}")),
            "{image}: {ran}"
        );
        if taken == "process" {
            assert!(ran.stderr().contains("no image is named"), "{ran}");
        }
        auto.ok(&["down"]);
    }
}
