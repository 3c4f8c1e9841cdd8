//! `cp` where agents have no files of their own, and what it refuses. Where they have, it is tried on engines.

use crate::hive::Hive;

#[test]
fn where_agents_have_no_files_of_their_own_it_says_what_does_it() {
    let hive = Hive::new("swarm = \"demo\"\n[agents.a]\ncommand = [\"sleep\", \"1000\"]");
    hive.ok(&["up", "-d"]);
    for args in [
        ["cp", "a:/etc/hostname", "x"],
        ["cp", "alveary.toml", "a:/tmp"],
    ] {
        let ran = hive.run(&args);
        assert_eq!(ran.code(), Some(2), "{ran}");
        assert!(ran.stderr().contains("this host's"), "{ran}");
        assert!(ran.stderr().contains("help: copy them by `cp`"), "{ran}");
    }
    assert!(!hive.path().join("x").exists());
}

#[test]
fn one_end_is_an_agent_and_the_other_is_not() {
    let hive = Hive::new("swarm = \"demo\"\n");
    for (args, words) in [
        (["cp", "a", "b"], "neither end is an agent"),
        (["cp", "a:/x", "b:/x"], "both ends are agents"),
        (["cp", "a:/../x", "b"], "`..`"),
    ] {
        let ran = hive.run(&args);
        assert_eq!(ran.code(), Some(2), "{args:?}: {ran}");
        assert!(ran.stderr().contains(words), "{args:?}: {ran}");
    }
}
