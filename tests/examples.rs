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
fn the_quickstart_is_five_agents_of_plain_shell_and_ten_tasks_that_one_of_them_can_do() {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let quickstart = load(&examples.join("quickstart.toml"));
    assert_eq!(quickstart.members().len(), 5);
    for agent in quickstart.agents() {
        assert_eq!(agent.template.command[..2], ["{exe}", "agent"]);
        let exec = agent.template.command.last().unwrap();
        assert!(exec.starts_with("sh -c "), "{exec}");
    }
    let tasks = quickstart
        .coordinator
        .as_ref()
        .unwrap()
        .tasks
        .clone()
        .unwrap();
    assert_eq!(tasks, examples.join("tasks.jsonl"));
    let tasks = std::fs::read_to_string(tasks).unwrap();
    assert_eq!(tasks.lines().count(), 10);
    for line in tasks.lines() {
        let able = |agent: &&alveary::FleetAgent| {
            let mut capabilities = agent.template.capabilities.iter();
            capabilities.any(|able| line.contains(&format!("[\"{able}\"]")))
        };
        assert_eq!(quickstart.agents().iter().filter(able).count(), 1, "{line}");
    }
}

fn page() -> String {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/configuration.md");
    std::fs::read_to_string(page).unwrap()
}

fn parse(text: &str) -> Result<Fleet, alveary::ConfigError> {
    let nothing: [(&str, &str); 0] = [];
    let options = LoadOptions::default().with_environment(nothing);
    Fleet::parse(text, "/srv/demo/alveary.toml", &options)
}

#[test]
fn every_file_on_the_page_about_configuration_is_right() {
    let page = page();
    let blocks: Vec<_> = page.split("```toml\n").skip(1).collect();
    assert!(blocks.len() >= 3);
    for block in blocks {
        let (file, _) = block.split_once("```").unwrap();
        parse(file).unwrap();
    }
}

#[test]
fn every_key_and_variable_is_on_the_page_about_configuration() {
    let page = page();
    // An error about a key that resembles none lists those that there are.
    for table in [
        "",
        "[agents.a]",
        "[agents.a.stop]",
        "[agents.a.restart]",
        "[agents.a.ready]",
        "[agents.a.limits]",
        "[agents.a.container]",
        "[agents.a.secrets.KEY]",
        "[coordinator]",
        "[calls.at_once]",
        "[calls.timeout]",
        "[calls.retry]",
    ] {
        let error = parse(&format!("{table}\nxyzzy = 1")).unwrap_err();
        let cure = error.cure().unwrap().to_owned();
        let keys: Vec<_> = cure.split('`').skip(1).step_by(2).collect();
        assert!(keys.len() >= 2, "{error}");
        for key in keys {
            // `given` is how another process's secrets are recorded, and not for people to write.
            let row = [
                format!("| `{key}` |"),
                format!("| `[{key}"),
                format!(".{key}` |"),
            ];
            assert!(
                key == "given" || row.iter().any(|row| page.contains(row)),
                "`{key}` of {table:?} is missing"
            );
        }
    }
    for variable in alveary::VARIABLES {
        assert!(page.contains(variable.name), "{}", variable.name);
    }
}
