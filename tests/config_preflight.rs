//! What agents need of this host is looked at before the first of them is started.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on ends there")]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use alveary::{ConfigError, Fleet, LoadOptions, Place};

fn preflight(folder: &Path, agent: &str, place: &Place) -> Result<(), ConfigError> {
    let nothing: [(&str, &str); 0] = [];
    let options = LoadOptions::default().with_environment(nothing);
    let file = format!("[agents.good]\ncommand = ['true']\n[agents.echo]\n{agent}");
    let fleet = Fleet::parse(&file, folder.join("alveary.toml"), &options).unwrap();
    fleet.preflight(&fleet.members(), place)
}

/// Asserts that it is refused on its third line or behind, by these words.
fn assert_refused(folder: &Path, agent: &str, line: usize, words: &str) {
    let error = preflight(folder, agent, &Place::host("/bin/alveary")).unwrap_err();
    let sentence = error.to_string();
    assert_eq!(error.position().unwrap().0, line, "{sentence}");
    assert!(sentence.contains("the agent `echo`"), "{sentence}");
    assert!(sentence.contains(words), "{sentence}");
    assert!(error.cure().is_some(), "{sentence}");
}

#[test]
fn what_is_not_there_is_told_with_its_key() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    fs::write(here.join("script"), "#!/bin/sh\n").unwrap();
    fs::set_permissions(here.join("script"), fs::Permissions::from_mode(0o644)).unwrap();
    for (agent, line, words) in [
        (
            "command = ['no-such-program']",
            4,
            "no program `no-such-program` in PATH",
        ),
        (
            "command = ['true']\nenv = { PATH = '/nowhere' }",
            4,
            "in PATH",
        ),
        (
            "command = ['./no-such-script']",
            4,
            "no program `./no-such-script`",
        ),
        ("command = ['./script']", 4, "may not be run"),
        ("command = ['/']", 4, "no program `/`"),
        (
            "command = ['true']\ncwd = 'nowhere'",
            5,
            "working directory",
        ),
        ("command = ['true']\ncwd = 'script'", 5, "is not a folder"),
        (
            "command = ['true']\nsecrets = { KEY = { file = 'no-key' } }",
            5,
            "cannot be read",
        ),
        (
            "command = ['true']\nsecrets = { KEY = { env = 'ALVEARY_TEST_NO_SUCH' } }",
            5,
            "not set",
        ),
        ("container = { image = 'x' }", 3, "no command"),
    ] {
        assert_refused(here, agent, line, words);
    }
}

#[test]
fn what_is_there_passes_and_each_member_is_looked_at() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let script = here.join("script");
    fs::write(&script, "#!/bin/sh\n").unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    fs::create_dir(here.join("echo-1")).unwrap();
    let agent = "count = 2\ncommand = ['../script']\ncwd = '{name}'";
    let host = Place::host("/bin/alveary");
    let error = preflight(here, agent, &host).unwrap_err().to_string();
    assert!(
        error.contains("`echo-2`") && !error.contains("`echo-1`"),
        "{error}"
    );
    fs::create_dir(here.join("echo-2")).unwrap();
    preflight(here, agent, &host).unwrap();
}

#[test]
fn what_is_in_a_container_is_not_looked_for_here() {
    let folder = tempfile::tempdir().unwrap();
    let agent = "command = ['no-such-program']\ncwd = '/nowhere'\ncontainer = { image = 'x' }";
    preflight(folder.path(), agent, &Place::container("/bin/alveary")).unwrap();
}
