//! What no single value shows to be wrong.

use std::collections::HashMap;

use alveary_core::{AgentId, AgentSpec, Escaped, check_name};

use super::agent::{FleetAgent, index_in};
use super::error::ConfigError;
use super::fleet::Fleet;
use super::near::{did_you_mean, list};
use super::place::Place;
use super::source::Source;

/// No two who are to run share a name, and no name means both a group and somebody.
pub(crate) fn names(source: &Source, agents: &[FleetAgent]) -> Result<(), ConfigError> {
    let counts: HashMap<&str, Option<u32>> = agents
        .iter()
        .map(|agent| (agent.name.as_str(), agent.count))
        .collect();
    for agent in agents {
        if let Some(count) = agent.count {
            let last = agent.numbered(count).name;
            check_name(&last).map_err(|why| {
                ConfigError::new(format!("`{last}` cannot be an agent's name: {why}"))
                    .with_cure("shorten the name")
                    .at(source, &agent.written.name)
            })?;
        }
        // `echo-1` is only in the way of a group that has a first: of `echo`, with a count.
        let clash = agent.name.rsplit_once('-').and_then(|(group, _)| {
            let count = (*counts.get(group)?)?;
            let index = index_in(group, &agent.name)?;
            (index <= count).then_some((group, index, count))
        });
        if let Some((group, index, count)) = clash {
            return Err(ConfigError::new(format!(
                "`{}` is also number {index} of the {count} that `{group}` stands for",
                agent.name
            ))
            .with_cure("rename one of the two")
            .at(source, &agent.written.name));
        }
    }
    Ok(())
}

/// For each agent, the numbers of those that it waits for.
pub(crate) fn after(
    source: &Source,
    agents: &[FleetAgent],
) -> Result<Vec<Vec<usize>>, ConfigError> {
    let at: HashMap<&str, usize> = agents
        .iter()
        .enumerate()
        .map(|(at, agent)| (agent.name.as_str(), at))
        .collect();
    let number = |agent: &FleetAgent, name: &String| {
        at.get(name.as_str()).copied().ok_or_else(|| {
            let others = || {
                let names = agents.iter().map(|agent| agent.name.as_str());
                names.filter(|other| *other != agent.name)
            };
            let group = others().find(|group| index_in(group, name).is_some());
            let cure = match group {
                Some(group) => format!("name the whole of `{group}`"),
                None => did_you_mean(name, others()).unwrap_or_else(|| match others().next() {
                    Some(_) => format!("the others are {}", list(others())),
                    None => "it is the only one: leave out `after`".to_owned(),
                }),
            };
            ConfigError::new(format!(
                "the agent `{}` is to start after `{}`, and there is no such agent",
                agent.name,
                Escaped(name)
            ))
            .with_cure(cure)
            .at(source, &agent.written.value("after"))
        })
    };
    agents
        .iter()
        .map(|agent| agent.after.iter().map(|name| number(agent, name)).collect())
        .collect()
}

/// Says who waits for whom, all the way round.
pub(crate) fn cycle(source: &Source, agents: &[FleetAgent], cycle: &[usize]) -> ConfigError {
    let around: Vec<_> = cycle
        .iter()
        .chain(cycle.first())
        .filter_map(|&at| agents.get(at))
        .collect();
    let names: Vec<_> = around.iter().map(|agent| agent.name.as_str()).collect();
    let error = ConfigError::new(format!(
        "each of these starts only after the next: {}",
        names.join(" -> ")
    ))
    .with_cure("take one of them out of another's `after`");
    match around.first() {
        Some(agent) => error.at(source, &agent.written.value("after")),
        None => error,
    }
}

/// Every spec can be right once its placeholders are filled in.
pub(crate) fn specs(fleet: &Fleet) -> Result<(), ConfigError> {
    // Only its length counts here, and every id that we draw has this one.
    let id = AgentId::random();
    let place = Place::host(std::env::current_exe().unwrap_or_default());
    for agent in fleet.agents() {
        // The last has the longest name and number.
        let Some(member) = agent.members_for(agent.count).pop() else {
            continue;
        };
        let spec = super::expand::spec(fleet, agent, &member, &id, &place);
        if let Err(error) = spec.validate() {
            let path = culprit(&spec);
            let path: Vec<_> = path.iter().map(String::as_str).collect();
            let sentence = format!("the agent `{}`: {}", agent.name, error.message());
            let mut refused = ConfigError::new(sentence);
            if let Some(cure) = error.cure() {
                refused = refused.with_cure(cure);
            }
            return Err(refused.at(fleet.source(), &agent.written.key(&path)));
        }
    }
    Ok(())
}

/// The key without which the spec would be right: the first that, added to those before it, makes it wrong.
fn culprit(spec: &AgentSpec) -> Vec<String> {
    type Add = fn(&mut AgentSpec, &AgentSpec);
    const KEYS: [(&str, Add); 12] = [
        ("container", |to, from| {
            to.container.clone_from(&from.container);
        }),
        ("command", |to, from| to.command.clone_from(&from.command)),
        ("inherit", |to, from| to.inherit.clone_from(&from.inherit)),
        ("secrets", |to, from| to.secrets.clone_from(&from.secrets)),
        ("capabilities", |to, from| {
            to.capabilities.clone_from(&from.capabilities);
        }),
        ("limits", |to, from| to.limits.clone_from(&from.limits)),
        ("cwd", |to, from| to.cwd.clone_from(&from.cwd)),
        ("stop", |to, from| to.stop.clone_from(&from.stop)),
        ("ready", |to, from| to.ready.clone_from(&from.ready)),
        ("restart", |to, from| to.restart.clone_from(&from.restart)),
        ("alive", |to, from| to.alive.clone_from(&from.alive)),
        ("user", |to, from| to.user = from.user),
    ];
    let mut probe = AgentSpec::new(&spec.name, ["true"]);
    for (key, add) in KEYS {
        add(&mut probe, spec);
        if probe.validate().is_err() {
            return vec![key.to_owned()];
        }
    }
    for (key, value) in &spec.env {
        probe.env.insert(key.clone(), value.clone());
        if probe.validate().is_err() {
            return vec!["env".to_owned(), key.clone()];
        }
    }
    Vec::new()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_that_makes_a_spec_wrong_is_found() {
        let spec = || AgentSpec::new("echo", ["true"]).env("A", "1");
        let found = |spec: AgentSpec| culprit(&spec).join(".");
        assert_eq!(found(spec()), "");
        assert_eq!(found(spec().env("B", "\0")), "env.B");
        assert_eq!(found(spec().capability("a,b")), "capabilities");
        assert_eq!(found(AgentSpec::new("echo", ["true", "\0"])), "command");
    }
}
