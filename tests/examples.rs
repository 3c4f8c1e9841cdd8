//! The fleets in `examples/` are right, and what they need is there. That they run is seen by the command line's
//! tests.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on ends there")]

use std::path::{Path, PathBuf};

use alveary::{Fleet, LoadOptions, Place, Registry};

fn fleets() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let entries = std::fs::read_dir(folder).unwrap();
    let mut files: Vec<_> = entries
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "toml")
        })
        .collect();
    files.sort();
    files
}

fn load(file: &Path) -> Fleet {
    let nothing: [(&str, &str); 0] = [];
    let options = LoadOptions::default()
        .with_file(file)
        .with_environment(nothing);
    Fleet::load(&options).unwrap()
}

#[test]
fn every_fleet_is_right() {
    let files = fleets();
    assert!(files.len() >= 3, "{files:?}");
    for file in files {
        let fleet = load(&file);
        fleet
            .preflight(&fleet.members(), &Place::host("/bin/true"))
            .unwrap();
        if fleet.backend.as_str() == "process" && cfg!(feature = "process") {
            assert!(Registry::builtin().prepare(&fleet).is_ok());
        }
    }
}

#[test]
fn the_quickstart_is_five_agents_of_plain_shell() {
    let quickstart = load(&Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/quickstart.toml"));
    assert_eq!(quickstart.members().len(), 5);
    for agent in &quickstart.agents {
        assert_eq!(agent.template.command[..2], ["sh", "-c"]);
    }
}
