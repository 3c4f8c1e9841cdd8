//! From an agent of the file to the spec of one member.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use alveary_core::{
    AgentId, AgentSpec, Error, ErrorKind, InvalidMount, Mount, Operation, Probe, Ready, ReadyCheck,
    Result,
};

use super::agent::{FleetAgent, Member};
use super::fleet::Fleet;
use super::place::Place;
use super::template::Placeholders;

/// Where this program is seen in a container.
const INSIDE: &str = "/opt/alveary/alveary";

pub(crate) fn spec(
    fleet: &Fleet,
    agent: &FleetAgent,
    member: &Member,
    id: &AgentId,
    place: &Place,
) -> AgentSpec {
    let exe = if place.container {
        INSIDE.into()
    } else {
        place.exe.to_string_lossy()
    };
    let placeholders = Placeholders {
        index: member.index,
        name: &member.name,
        agent_id: id.as_str(),
        swarm: fleet.swarm.as_str(),
        exe: &exe,
    };
    let mut spec = agent.template.clone();
    spec.name.clone_from(&member.name);
    for argument in &mut spec.command {
        *argument = placeholders.expand(argument);
    }
    spec.env = environment(agent, member, id, &placeholders);
    spec.cwd = cwd(fleet.folder(), spec.cwd.as_deref(), place, &placeholders);
    spec.ready = spec.ready.map(|ready| expand_ready(ready, &placeholders));
    if let Some(alive) = &mut spec.alive {
        expand_probe(&mut alive.probe, &placeholders);
    }
    spec
}

/// Puts this program into a container that is to find it there.
pub(crate) fn bring_us(spec: &mut AgentSpec, place: &Place) -> Result<()> {
    if place.container && speaks_of_us(spec) {
        spec.container.mounts.push(of_us(&place.exe)?);
    }
    Ok(())
}

/// How this program gets into a container.
fn of_us(exe: &Path) -> Result<Mount> {
    let mount = format!("{}:{INSIDE}:ro", exe.display());
    mount.parse().map_err(|error: InvalidMount| {
        Error::new(
            ErrorKind::InvalidSpec,
            Operation::Spawn,
            format!(
                "this program, which `{{exe}}` stands for, cannot be put into a container: {error}"
            ),
        )
        .with_cure("move it to a path without a `:`")
        .with_source(error)
    })
}

/// Whether the agent is to find this program in its container.
fn speaks_of_us(spec: &AgentSpec) -> bool {
    let mut texts = spec.command.iter().chain(spec.env.values());
    texts.any(|text| text.contains(INSIDE))
}

/// `env` over `env_file` over what every agent is told about itself.
fn environment(
    agent: &FleetAgent,
    member: &Member,
    id: &AgentId,
    placeholders: &Placeholders<'_>,
) -> BTreeMap<String, String> {
    let template = &agent.template;
    let told = [
        ("AGENT_ID", id.as_str().to_owned()),
        ("AGENT_NAME", member.name.clone()),
        ("AGENT_CAPABILITIES", template.capabilities.join(",")),
    ];
    let bid = agent.bid.iter().map(|bid| ("AGENT_BID", bid.clone()));
    let mut env: BTreeMap<String, String> = told
        .into_iter()
        .chain(bid)
        .filter(|(key, _)| !template.secrets.contains_key(*key))
        .map(|(key, value)| (key.to_owned(), value))
        .collect();
    env.extend(agent.file_env.clone());
    env.extend(
        template
            .env
            .iter()
            .map(|(key, value)| (key.clone(), placeholders.expand(value))),
    );
    env
}

/// An agent on this host works in the file's folder unless it says where; one in a container, where its
/// image says.
fn cwd(
    folder: &Path,
    cwd: Option<&Path>,
    place: &Place,
    placeholders: &Placeholders<'_>,
) -> Option<PathBuf> {
    match cwd {
        // A path that is not UTF-8 cannot come from a TOML file.
        Some(cwd) => Some(join(folder, &placeholders.expand(&cwd.to_string_lossy()))),
        None => place.in_folder.then(|| folder.to_owned()),
    }
}

/// The path, absolute and without `.` in it. `..` stays: only the file system knows where it leads.
pub(crate) fn join(folder: &Path, path: &str) -> PathBuf {
    folder.join(path).components().collect()
}

fn expand_ready(ready: Ready, placeholders: &Placeholders<'_>) -> Ready {
    let check = match ready.check {
        ReadyCheck::Log(text) => ReadyCheck::Log(placeholders.expand(&text)),
        ReadyCheck::Probe(mut probe) => {
            expand_probe(&mut probe, placeholders);
            ReadyCheck::Probe(probe)
        }
        other => other,
    };
    Ready::new(check).timeout(ready.timeout)
}

fn expand_probe(probe: &mut Probe, placeholders: &Placeholders<'_>) {
    match probe {
        Probe::Tcp(text) | Probe::Http(text) => *text = placeholders.expand(text),
        Probe::Command(command) => {
            for argument in command {
                *argument = placeholders.expand(argument);
            }
        }
        _ => {}
    }
}
