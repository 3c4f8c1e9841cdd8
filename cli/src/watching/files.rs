//! Which files agents are made of.

use std::collections::{BTreeSet, HashMap};
use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use alveary::{AgentId, AgentSpec, Fleet, Place};

/// Who uses a file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Uses {
    /// Whether the fleet is another when it changes.
    pub(super) fleet: bool,
    /// The agents that are to be started again.
    pub(super) agents: BTreeSet<String>,
}

/// The files that the members of these names and groups are made of, and the fleet's own.
///
/// Each by its path, and, where that is a link, by that of the file itself too.
pub(super) fn files(fleet: &Fleet, names: &[String], place: &Place) -> HashMap<PathBuf, Uses> {
    let mut files: HashMap<PathBuf, Uses> = HashMap::new();
    let mut uses = |path: &Path, agent: Option<&str>| {
        let target = path.canonicalize().ok().filter(|target| target != path);
        for path in [Some(path.to_owned()), target].into_iter().flatten() {
            let uses = files.entry(path).or_default();
            match agent {
                Some(agent) => _ = uses.agents.insert(agent.to_owned()),
                None => uses.fleet = true,
            }
        }
    };
    uses(&fleet.file, None);
    // Variables are part of what an agent is: it is started anew where they have become others.
    for file in fleet.agents().iter().flat_map(|agent| &agent.env_file) {
        uses(file, None);
    }
    let id = AgentId::random();
    let before = before(fleet, names);
    for member in fleet.members() {
        let is_named = names.contains(&member.name) || names.contains(&member.group);
        if !names.is_empty() && !is_named && !before.contains(&*member.group) {
            continue;
        }
        // What is wrong with it is told when it is started.
        let Ok(spec) = fleet.spec(&member, &id, place) else {
            continue;
        };
        for file in of_agent(&spec, place) {
            uses(&file, Some(&member.name));
        }
    }
    files
}

/// The groups that must be ready before those of these names, and before those.
fn before<'a>(fleet: &'a Fleet, names: &[String]) -> BTreeSet<&'a str> {
    let mut before = BTreeSet::new();
    // From the last to the first: whoever is found is before those whose turn it is later.
    for agent in fleet.start_order().rev() {
        let mut own = agent.members().into_iter().map(|member| member.name);
        let is_meant = before.contains(&*agent.name)
            || names.contains(&agent.name)
            || own.any(|name| names.contains(&name));
        if is_meant {
            before.extend(agent.after.iter().map(|name| &**name));
        }
    }
    before
}

/// Its program, the files among its arguments, and those that are mounted.
fn of_agent(spec: &AgentSpec, place: &Place) -> Vec<PathBuf> {
    let mounts = spec.container.mounts.iter();
    let mounts = mounts.map(|mount| PathBuf::from(&mount.source));
    let mounts = mounts.filter(|source| source.is_absolute() && source.is_file());
    if place.container {
        // What its command names lies in its image.
        return mounts.collect();
    }
    let cwd = spec.cwd.as_deref().unwrap_or(Path::new("/"));
    let arguments = spec.command.iter().skip(1);
    let arguments = arguments.map(|argument| cwd.join(argument));
    let arguments = arguments.filter(|path| path.is_file());
    program(spec, cwd).into_iter().chain(arguments).collect()
}

/// A name with a `/` is seen from the working directory; any other is looked for in the agent's `PATH`.
fn program(spec: &AgentSpec, cwd: &Path) -> Option<PathBuf> {
    let name = spec.command.first()?;
    if name.contains('/') {
        return Some(cwd.join(name));
    }
    let path = spec.env.get("PATH").map(OsString::from);
    let folders = path.or_else(|| env::var_os("PATH"))?;
    env::split_paths(&folders)
        .map(|folder| folder.join(name))
        .find(|candidate| candidate.is_file())
}

#[cfg(test)]
mod tests {
    use alveary::LoadOptions;

    use super::*;

    fn watched(text: &str, files_there: &[&str], names: &[&str]) -> Vec<(String, bool, String)> {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        for file in files_there {
            std::fs::write(root.join(file), "A=1\n").unwrap();
        }
        let file = root.join("alveary.toml");
        std::fs::write(&file, text).unwrap();
        let fleet = Fleet::load(&LoadOptions::default().with_file(&file)).unwrap();
        let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
        let mut seen: Vec<_> = files(&fleet, &names, &Place::host("/bin/alveary"))
            .into_iter()
            .filter_map(|(path, uses)| {
                let path = path.strip_prefix(&root).ok()?.display().to_string();
                let agents: Vec<String> = uses.agents.into_iter().collect();
                Some((path, uses.fleet, agents.join(" ")))
            })
            .collect();
        seen.sort();
        seen
    }

    const TEXT: &str = r#"
        [agents.snake]
        count = 2
        command = ["sh", "agent.py", "--verbose", "no-such-file"]
        env_file = [".env"]
        [agents.bee]
        command = ["./bee"]
    "#;

    #[test]
    fn programs_arguments_that_are_files_and_what_the_fleet_reads_are_watched_for_who_uses_them() {
        let all = watched(TEXT, &["agent.py", "bee", ".env"], &[]);
        let expected = [
            (".env", true, ""),
            ("agent.py", false, "snake-1 snake-2"),
            ("alveary.toml", true, ""),
            ("bee", false, "bee"),
        ];
        let expected = expected.map(|(path, fleet, who)| (path.to_owned(), fleet, who.to_owned()));
        assert_eq!(all, expected);
    }

    #[test]
    fn of_those_who_are_not_brought_up_nothing_is_watched_and_a_program_that_is_not_there_yet_is() {
        let some = watched(TEXT, &["agent.py", ".env"], &["bee", "snake-2"]);
        assert!(some.contains(&("agent.py".to_owned(), false, "snake-2".to_owned())));
        assert!(some.contains(&("bee".to_owned(), false, "bee".to_owned())));
    }
}
