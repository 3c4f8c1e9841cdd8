//! What is said, and refused, before anything is made.

use std::fs;

use crate::ground::{Ground, POLICY};
use crate::hive::finish;

const FLEET: &str = r#"
    swarm = "demo"
    [networks.net]
    [volumes.data]
    [agents.echo]
    command = ["agent", "{name}"]
    cwd = "/work"
    user = "1000:1000"
    env = { LEVEL = "hidden-7f3a" }
    secrets = { KEY = { file = "absent.txt" }, TOKEN = { env = "ABSENT", as = "env" } }
    limits = { memory = "64MiB", cpus = 0.5 }
    [agents.echo.container]
    image = "busybox"
    networks = ["net", "other"]
    mounts = ["data:/data", "/srv/../srv/in:/in:ro"]
    extra_hosts = ["db:10.0.0.7"]
    ports = ["127.0.0.1:8080:80"]
    cap_add = ["NET_BIND_SERVICE"]
    read_only = true
"#;

pub(crate) fn a_dry_run_says_what_each_container_would_be(ground: &Ground) {
    let said = ground.swarm(ground.file(FLEET)).ok(&["up", "--dry-run"]);
    let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let lines: Vec<String> = said.lines().map(words).collect();
    for line in [
        "create echo",
        "image busybox",
        "command agent",
        "command echo",
        "user 1000:1000",
        "directory /work",
        "secret KEY as a file, which KEY_FILE names",
        "secret TOKEN as a variable",
        "mount demo_data at /data, the swarm's own volume",
        "mount /srv/in at /in, read only",
        "network demo_net, the swarm's own, found by `echo`",
        "network other, found by `echo`",
        "host db:10.0.0.7",
        "port 8080 of 127.0.0.1 to 80/tcp",
        "limits.memory 64.0 MiB",
        "limits.cpus 0.5",
        "limits.nproc 4096",
        "capabilities NET_BIND_SERVICE",
        "new privileges no",
        "root read only",
    ] {
        assert!(
            lines.iter().any(|found| found == line),
            "{line} is not in {said}"
        );
    }
    assert!(said.contains("LEVEL") && !said.contains("7f3a"), "{said}");
    assert!(ground.ours("network", "demo_").is_empty());
}

pub(crate) fn what_a_policy_does_not_allow_is_refused_and_starts_nothing(ground: &Ground) {
    let open: Vec<&str> = (FLEET.lines())
        .filter(|line| !line.contains("secrets"))
        .collect();
    let swarm = ground.swarm(ground.file(&open.join("\n")));
    let policy = ground.path().join(POLICY);
    let write = |text: &str| fs::write(&policy, text).unwrap();
    write("[containers]\ncap_add = [\"NET_BIND_SERVICE\"]\nmounts = [\"/srv\"]");
    swarm.ok(&["up", "--dry-run"]);
    // The name that the engine would see is what is judged.
    write("[containers]\ncap_add = [\"NET_BIND_SERVICE\"]\nnetworks = [\"net\", \"other\"]");
    for args in [&["up", "--dry-run"][..], &["up", "--detach"]] {
        let ran = swarm.run(args);
        assert_ne!(ran.code(), Some(0), "{ran}");
        let said = format!("{}{}", ran.stdout(), ran.stderr());
        for part in [
            "the network `demo_net`",
            policy.to_str().unwrap(),
            "`networks`",
        ] {
            assert!(said.contains(part), "{part} is not in {said}");
        }
    }
    assert!(swarm.agents().is_empty());
    // Neither does a way back by `..` lead out of a folder, nor a placeholder, which means nothing in a mount.
    write("[containers]\ncap_add = [\"NET_BIND_SERVICE\"]\nmounts = [\"/srv\"]");
    let out = open
        .join("\n")
        .replace("/srv/../srv/in", "/srv/{name}/../../etc");
    // Nor does a volume that is made of one.
    let made = "[volumes.data]\noptions = { type = \"none\", o = \"bind\", device = \"/etc\" }";
    let bound = open.join("\n").replace("[volumes.data]", made);
    for file in [out, bound] {
        let ran = (ground.swarm(ground.file(&file))).run(&["up", "--detach"]);
        assert_ne!(ran.code(), Some(0), "{ran}");
        assert!(ran.stderr().contains("a mount of `/etc`"), "{ran}");
    }
    assert!(swarm.agents().is_empty());

    // What one allows the other may still refuse: one's own stands where one's settings are.
    write("[containers]\ncap_add = [\"NET_BIND_SERVICE\"]\nmounts = [\"/srv\"]");
    let swarm = ground.swarm(ground.file(&open.join("\n")));
    let own = ground.path().join("settings/alveary/policy.toml");
    fs::create_dir_all(own.parent().unwrap()).unwrap();
    fs::write(&own, "[containers]\ncap_add = []").unwrap();
    let mut up = swarm.command(&["up", "--detach"]);
    let ran = finish(up.env("XDG_CONFIG_HOME", ground.path().join("settings")));
    assert_ne!(ran.code(), Some(0), "{ran}");
    assert!(ran.stderr().contains(own.to_str().unwrap()), "{ran}");
    assert!(swarm.agents().is_empty());
}

pub(crate) fn a_broken_policy_is_told_in_one_sentence(ground: &Ground) {
    let swarm = ground.swarm(ground.file(FLEET));
    let policy = ground.path().join(POLICY);
    fs::write(&policy, "[containers]\nimagse = []").unwrap();
    let ran = swarm.run(&["up", "--dry-run"]);
    assert_ne!(ran.code(), Some(0), "{ran}");
    assert!(
        ran.stderr().contains("cannot be relied on: line 2"),
        "{ran}"
    );
    assert_eq!(ran.stdout(), "");
    fs::remove_file(policy).unwrap();
}
