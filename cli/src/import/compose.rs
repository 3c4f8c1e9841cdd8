//! A compose file: each service is a group of agents in containers.

mod declared;
mod parts;
mod service;
mod variables;

use toml::Value;

use super::yaml::Yaml;
use super::{Imported, Source, name};
use crate::failure::Failure;

/// What stands at the top and is read, or says nothing here.
const TOP: [&str; 6] = [
    "version", "name", "services", "networks", "volumes", "secrets",
];

/// The network that services join which name none.
const DEFAULT_NETWORK: &str = "default";

pub(super) fn read(source: &Source<'_>) -> Result<Imported, Failure> {
    // `on` and `y` are words here, as they are to compose.
    let options = serde_saphyr::options! { strict_booleans: true };
    let mut file: Yaml =
        serde_saphyr::from_str_with_options(source.text, options).map_err(|error| {
            Failure::input(
                format!(
                    "the compose file cannot be read: {}",
                    first_line(&error.to_string())
                ),
                "mend the place that it names",
            )
        })?;
    let said = file.get("name").and_then(Yaml::text);
    let mut imported = Imported::new("docker-api", said.as_deref());
    variables::fill_in(&mut file, source.variable, &mut imported)?;
    let services = file.get("services").and_then(Yaml::map).unwrap_or_default();
    if services.is_empty() {
        return Err(Failure::input(
            "the compose file has no `services`",
            "name the file that has them",
        ));
    }
    for (key, _) in file.map().unwrap_or_default() {
        if !TOP.contains(&key.as_str()) && !key.starts_with("x-") {
            imported.leave(key, "a fleet file has nothing like it");
        }
    }
    imported.networks = declared::read(&file, "networks", &mut imported.left);
    imported.volumes = declared::read(&file, "volumes", &mut imported.left);
    for (service, said) in services {
        let place = format!("services.{service}");
        let agent = name(service);
        if agent != *service {
            imported.leave(&place, format!("the agent is called `{agent}`"));
        }
        let table = service::agent(&place, said, file.get("secrets"), &mut imported)?;
        if table.contains_key("count") {
            imported.leave(
                &place,
                format!("its agents are found by their own names, `{agent}-1` and so on, and by `{agent}` none is"),
            );
        }
        if imported
            .agents
            .insert(agent.clone(), Value::Table(table))
            .is_some()
        {
            return Err(Failure::input(
                format!("two services would be the agent `{agent}`"),
                format!("give `{service}` another name in the compose file"),
            ));
        }
    }
    say_what_is_different_for_all(&mut imported);
    Ok(imported)
}

/// What the parser says, without its own heading and its picture of the place.
fn first_line(error: &str) -> &str {
    let line = error.lines().next().unwrap_or_default();
    line.strip_prefix("error: ").unwrap_or(line)
}

fn say_what_is_different_for_all(imported: &mut Imported) {
    imported.leave(
        "services",
        "agents have no kernel capabilities unless `container.cap_add` gives some back: an image that changes owners or users as root wants CHOWN, SETUID or SETGID",
    );
    if imported
        .volumes
        .values()
        .any(|volume| volume.get("external").is_none())
    {
        imported.leave(
            "volumes",
            "are made anew as the swarm's own: to go on with the data of those that compose has made, say `external = true` and their `name`",
        );
    }
}
