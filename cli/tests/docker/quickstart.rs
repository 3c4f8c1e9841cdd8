//! `examples/quickstart.toml`, the very file that runs as processes.

use std::path::Path;

use crate::ground::Ground;

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/quickstart.toml");

/// Asks a URL, by Python.
const ASK: &str =
    "import sys, urllib.request; urllib.request.urlopen(sys.argv[1], timeout=10).read()";

const NAMES: [&str; 5] = ["queen", "scout", "forager", "builder", "nurse"];

pub(crate) fn the_quickstart_runs_to_its_end_in_containers(ground: &Ground) {
    let _image = ground.busybox_that_runs_us();
    let swarm = ground.swarm(Path::new(FILE));
    let began = std::time::Instant::now();
    let ran = swarm.run(&["up"]);
    assert_eq!(ran.code(), Some(0), "{ran}");
    assert!(began.elapsed().as_secs() < 30, "{:?}", began.elapsed());
    let out = ran.stdout();
    let (_, tasks) = out.split_once("TASK ").unwrap();
    assert_eq!(tasks.matches("completed").count(), 10, "{ran}");
    for word in [
        "it is decided",
        "600 paces east",
        "it is in the comb",
        "<><><>",
        "fed, and asleep",
    ] {
        assert!(tasks.contains(word), "{word} is not in {tasks}");
    }
    let agents = swarm.agents();
    let names: Vec<&str> = agents.iter().map(|a| a["name"].as_str().unwrap()).collect();
    assert_eq!(names, NAMES);
    for agent in &agents {
        assert!(tasks.contains(agent["name"].as_str().unwrap()), "{tasks}");
        assert_eq!(agent["state"], "exited", "{agent}");
        assert_eq!(agent["exit"]["code"], 0, "{agent}");
        assert_eq!(agent["backend"], ground.way);
    }
    let token = ground.path().join("state/hive/coordinator/admin.token");
    assert!(token.exists());
    swarm.ok(&["down"]);
    assert!(swarm.agents().is_empty());
    assert!(!token.exists());
}

/// Beyond this host and the containers of the network there is nobody who reaches it.
pub(crate) fn a_coordinator_listens_where_its_containers_are_and_at_home(ground: &Ground) {
    let _image = ground.busybox_that_runs_us();
    let file = ground.file(
        r#"
        swarm = "listening"
        [coordinator]
        [networks.meadow]
        [defaults]
        container = { image = "busybox", networks = ["meadow"] }
        [agents.echo]
        capabilities = ["echo"]
        command = ["{exe}", "agent", "--exec", "cat"]
        "#,
    );
    let swarm = ground.swarm(file);
    swarm.ok(&["up", "--detach"]);
    let done = swarm.ok(&["task", "add", "--wait", "--capability", "echo", "say this"]);
    assert!(done.contains("completed"), "{done}");
    let address = ground
        .path()
        .join("state/listening/coordinator/address.json");
    let address: serde_json::Value =
        serde_json::from_slice(&std::fs::read(address).unwrap()).unwrap();
    let (host, port) = address["listen"]
        .as_str()
        .unwrap()
        .rsplit_once(':')
        .unwrap();
    assert_eq!(host, "127.0.0.1");
    let gateway = address["gateways"]["meadow"].as_str();
    let gateway = gateway.or_else(|| {
        let all = address["gateways"].as_object()?;
        all.values().next()?.as_str()
    });
    let mut expected = vec![
        format!("127.0.0.1:{port}"),
        format!("{}:{port}", gateway.unwrap()),
    ];
    expected.sort();
    let pid = address["pid"].to_string();
    let listed = std::process::Command::new("ss")
        .args(["-Hltnp"])
        .output()
        .unwrap();
    let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
    let mut listening: Vec<String> = listed
        .lines()
        .filter(|line| line.contains(&format!("pid={pid},")))
        .map(|line| line.split_whitespace().nth(3).unwrap().to_owned())
        .collect();
    listening.sort();
    assert_eq!(listening, expected);

    // A container of another network has a way to that address, and is not heard.
    let health = format!("http://{}:{port}/healthz", gateway.unwrap());
    let asked_from = |network: &str| {
        let network = format!("--network={network}");
        let ask = ["python3", "-c", ASK, &health];
        let args = ["run", "--rm", &network, "alveary-test/python:1"];
        ground.engine.try_client(&[&args[..], &ask].concat())
    };
    let [own] = &ground.ours("network", "listening")[..] else {
        panic!("the swarm has one network");
    };
    let heard = asked_from(own);
    assert!(heard.status.success(), "{heard:?}");
    ground.engine.client(&["network", "create", "elsewhere"]);
    let unheard = asked_from("elsewhere");
    ground.engine.client(&["network", "rm", "elsewhere"]);
    assert!(!unheard.status.success(), "{unheard:?}");
    // It came to where it listens, and no further.
    let said = String::from_utf8_lossy(&unheard.stderr);
    assert!(
        said.contains("Remote end closed connection") || said.contains("reset by peer"),
        "{said}"
    );
    swarm.ok(&["down"]);
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
