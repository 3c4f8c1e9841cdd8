//! A service: what of it an agent is told, and what is left.

mod bounds;
mod health;

use toml::{Table, Value};

use super::parts::{array, modes_that_are_lost, mount, pairs, port, size, time, words};
use super::{DEFAULT_NETWORK, Yaml};
use crate::failure::Failure;
use crate::import::{Imported, name};

/// What says nothing to alveary, or what alveary does anyway.
const SILENT: [&str; 3] = ["expose", "cap_drop", "attach"];

/// What is left with a cure of its own.
const LEFT: [(&str, &str); 12] = [
    (
        "build",
        "build the image by `docker build`, and name it by `container.image`",
    ),
    ("container_name", "containers are called by the agent's id"),
    (
        "extends",
        "write here what it extends: none of that was read",
    ),
    ("labels", "labels are alveary's own"),
    (
        "links",
        "agents of one network find each other by their names: say the network",
    ),
    (
        "stdin_open",
        "an agent's input is empty: `alveary exec -i` has one",
    ),
    (
        "tty",
        "an agent has no terminal: `alveary exec -it` has one",
    ),
    (
        "develop",
        "`alveary up --watch` starts agents again whose mounted files change",
    ),
    (
        "logging",
        "say `log` in `[backends.docker-api]`, for all agents",
    ),
    ("profiles", "all agents of a fleet file are brought up"),
    ("configs", "mount the file by `container.mounts`"),
    (
        "platform",
        "the image is taken for the engine's own platform",
    ),
];

/// What stands for something in a fleet file's commands and variables.
const PLACEHOLDERS: [&str; 5] = ["{index}", "{name}", "{agent_id}", "{swarm}", "{exe}"];

struct Service<'a> {
    place: &'a str,
    agent: Table,
    container: Table,
    imported: &'a mut Imported,
}

/// The agents of a service, as the table of a fleet file.
pub(super) fn agent(
    place: &str,
    said: &Yaml,
    secrets: Option<&Yaml>,
    imported: &mut Imported,
) -> Result<Table, Failure> {
    let mut service = Service {
        place,
        agent: Table::new(),
        container: Table::new(),
        imported,
    };
    for (key, value) in said.map().unwrap_or_default() {
        if *value != Yaml::Null && !service.read(key, value, secrets)? && !key.starts_with("x-") {
            service.leave(key, "a fleet file has nothing like it");
        }
    }
    if said.get("networks").is_none() && said.get("network_mode").is_none() {
        let networks = &mut service.imported.networks;
        networks
            .entry(DEFAULT_NETWORK)
            .or_insert_with(|| Value::Table(Table::new()));
        service.container("networks", array(vec![DEFAULT_NETWORK.to_owned()]));
    }
    let Service {
        mut agent,
        container,
        ..
    } = service;
    if !container.is_empty() {
        agent.insert("container".to_owned(), Value::Table(container));
    }
    Ok(agent)
}

impl Service<'_> {
    fn leave(&mut self, key: &str, why: impl Into<String>) {
        let place = format!("{}.{key}", self.place);
        self.imported.leave(place, why);
    }

    fn agent(&mut self, key: &str, value: impl Into<Value>) {
        self.agent.insert(key.to_owned(), value.into());
    }

    fn container(&mut self, key: &str, value: impl Into<Value>) {
        self.container.insert(key.to_owned(), value.into());
    }

    /// A key of a table of the agent's.
    fn within(&mut self, table: &str, key: &str, value: impl Into<Value>) {
        let entry = self
            .agent
            .entry(table)
            .or_insert_with(|| Value::Table(Table::new()));
        if let Value::Table(table) = entry {
            table.insert(key.to_owned(), value.into());
        }
    }

    /// Whether the key was understood, be it that it is left.
    fn read(&mut self, key: &str, said: &Yaml, secrets: Option<&Yaml>) -> Result<bool, Failure> {
        let place = format!("{}.{key}", self.place);
        match key {
            "command" => {
                let words = words(&place, said)?;
                self.say_what_is_filled_in(key, &words);
                self.agent("command", array(words));
            }
            "entrypoint" => self.container("entrypoint", array(words(&place, said)?)),
            "image" | "user" | "runtime" | "gpus" => self.text(key, key, said),
            "working_dir" => self.text(key, "workdir", said),
            "init" | "read_only" | "privileged" if said.is_true() => self.container(key, true),
            "init" => self.container(key, false),
            "read_only" | "privileged" => {}
            "cap_add" | "devices" | "tmpfs" => {
                self.container(key, array(said.texts().unwrap_or_default()));
            }
            "shm_size" => match size(said) {
                Some(size) => self.container("shm", size),
                None => self.leave(key, "is no size"),
            },
            "environment" => self.environment(said),
            "env_file" => self.env_files(said),
            "volumes" => {
                self.each(key, "mounts", said, mount);
                self.say_modes_that_are_lost(said);
            }
            "ports" => self.each(key, "ports", said, port),
            "networks" => self.networks(said),
            "network_mode" => self.network_mode(said),
            "extra_hosts" => {
                let hosts = pairs(said, &[':', '=']).into_iter();
                let hosts = hosts.map(|(host, at)| format!("{host}:{}", at.unwrap_or_default()));
                self.container("extra_hosts", array(hosts.collect()));
            }
            "restart" => self.restart(said),
            "depends_on" => self.depends_on(said),
            "deploy" => self.deploy(said),
            "scale" => self.count(key, said),
            "mem_limit" => self.limit(key, "memory", size(said)),
            "cpus" => self.cpus(key, said),
            "pids_limit" => self.nproc(key, said),
            "ulimits" => self.ulimits(said),
            "stop_signal" => {
                if let Some(signal) = said.text() {
                    self.within("stop", "signal", signal);
                }
            }
            "stop_grace_period" => match time(said) {
                Some(grace) => self.within("stop", "grace", grace),
                None => self.leave(key, "is no length of time"),
            },
            "healthcheck" => self.health(said),
            "secrets" => self.secrets(said, secrets),
            "security_opt" => self.security(said),
            "pull_policy" => match said.text().as_deref() {
                Some(policy @ ("always" | "never" | "missing")) => self.container("pull", policy),
                Some("if_not_present") => self.container("pull", "missing"),
                _ => self.leave(key, "say `pull` as \"always\", \"missing\" or \"never\""),
            },
            key if SILENT.contains(&key) => {}
            key => match LEFT.iter().find(|(left, _)| *left == key) {
                Some((_, why)) => self.leave(key, *why),
                None => return Ok(false),
            },
        }
        Ok(true)
    }

    fn text(&mut self, key: &str, into: &str, said: &Yaml) {
        match said.text() {
            Some(text) => self.container(into, text),
            None => self.leave(key, "is no text"),
        }
    }

    fn each(
        &mut self,
        key: &str,
        into: &str,
        said: &Yaml,
        one: fn(&Yaml) -> Result<String, String>,
    ) {
        let mut all = Vec::new();
        for item in said.list().unwrap_or_default() {
            match one(item) {
                Ok(text) => all.push(text),
                Err(why) => {
                    let what = item.text().or_else(|| item.get("target")?.text());
                    let what = what.map(|what| format!("`{what}` ")).unwrap_or_default();
                    self.leave(key, format!("{what}{why}"));
                }
            }
        }
        if !all.is_empty() {
            self.container(into, array(all));
        }
    }

    fn say_modes_that_are_lost(&mut self, said: &Yaml) {
        for item in said.list().unwrap_or_default() {
            for lost in modes_that_are_lost(item) {
                self.leave("volumes", format!("`{lost}` says nothing here"));
            }
        }
    }

    fn environment(&mut self, said: &Yaml) {
        let mut inherited = Vec::new();
        let pairs = pairs(said, &['=']);
        self.say_what_is_filled_in(
            "environment",
            pairs.iter().filter_map(|(_, value)| value.as_ref()),
        );
        for (key, value) in pairs {
            match value {
                Some(value) => self.within("env", &key, value),
                None if inherited.contains(&key) => {}
                None => inherited.push(key),
            }
        }
        if !inherited.is_empty() {
            self.agent("inherit", array(inherited));
        }
    }

    fn env_files(&mut self, said: &Yaml) {
        let one = |item: &Yaml| {
            let path = item.text().or_else(|| item.get("path")?.text())?;
            if item.get("required") != Some(&Yaml::Bool(false)) {
                return Some(Value::from(path));
            }
            let mut file = Table::new();
            file.insert("path".to_owned(), path.into());
            file.insert("required".to_owned(), false.into());
            Some(Value::Table(file))
        };
        let files: Vec<Value> = match said {
            Yaml::List(items) => items.iter().filter_map(one).collect(),
            item => one(item).into_iter().collect(),
        };
        self.agent("env_file", Value::Array(files));
    }

    /// What would be filled in here, and was no placeholder there.
    fn say_what_is_filled_in<'t>(
        &mut self,
        key: &str,
        texts: impl IntoIterator<Item = &'t String>,
    ) {
        for text in texts {
            let found = PLACEHOLDERS.iter().find(|word| text.contains(**word));
            if let Some(word) = found {
                self.leave(
                    key,
                    format!("`{word}` in it is a placeholder here, and is filled in"),
                );
            }
        }
    }

    fn networks(&mut self, said: &Yaml) {
        let names = match said {
            Yaml::Map(entries) => {
                if entries
                    .iter()
                    .any(|(_, of)| of.map().is_some_and(|of| !of.is_empty()))
                {
                    self.leave(
                        "networks",
                        "aliases and addresses in a network are not there",
                    );
                }
                entries.iter().map(|(key, _)| name(key)).collect()
            }
            list => list
                .texts()
                .unwrap_or_default()
                .iter()
                .map(|key| name(key))
                .collect::<Vec<_>>(),
        };
        for network in &names {
            if network == DEFAULT_NETWORK {
                let networks = &mut self.imported.networks;
                networks
                    .entry(DEFAULT_NETWORK)
                    .or_insert_with(|| Value::Table(Table::new()));
            }
        }
        self.container("networks", array(names));
    }

    fn network_mode(&mut self, said: &Yaml) {
        match said.text().as_deref() {
            Some(mode @ ("host" | "none" | "bridge")) => {
                self.container("networks", array(vec![mode.to_owned()]));
            }
            _ => self.leave("network_mode", "an agent has no part in another's network"),
        }
    }

    fn depends_on(&mut self, said: &Yaml) {
        let names = match said {
            Yaml::Map(entries) => {
                for (of, how) in entries {
                    if how.get("restart").is_some_and(Yaml::is_true) {
                        self.leave(
                            "depends_on",
                            format!("that `{of}` is started again starts nobody else again"),
                        );
                    }
                    if how.get("required") == Some(&Yaml::Bool(false)) {
                        self.leave(
                            "depends_on",
                            format!("`{of}` has to be in the file, and to come up"),
                        );
                    }
                    match how.get("condition").and_then(Yaml::text).as_deref() {
                        None | Some("service_started") => {}
                        Some("service_healthy") => self.leave(
                            "depends_on",
                            format!("say by `ready` of `{of}` when it counts as up: its health is not waited for"),
                        ),
                        Some(_) => self.leave(
                            "depends_on",
                            format!("that `{of}` has come to its end is not waited for"),
                        ),
                    }
                }
                entries.iter().map(|(of, _)| name(of)).collect()
            }
            list => list
                .texts()
                .unwrap_or_default()
                .iter()
                .map(|of| name(of))
                .collect::<Vec<_>>(),
        };
        self.agent("after", array(names));
    }

    fn secrets(&mut self, said: &Yaml, declared: Option<&Yaml>) {
        for item in said.list().unwrap_or_default() {
            let Some(source) = item.text().or_else(|| item.get("source")?.text()) else {
                self.leave("secrets", "one of them has no name");
                continue;
            };
            let of = declared.and_then(|declared| declared.get(&source));
            let from = ["file", "environment"].into_iter().find_map(|kind| {
                let value = of?.get(kind)?.text()?;
                Some((if kind == "file" { "file" } else { "env" }, value))
            });
            let Some((kind, value)) = from else {
                self.leave(
                    "secrets",
                    format!("`{source}` is neither a file's nor a variable's"),
                );
                continue;
            };
            let variable = source
                .to_uppercase()
                .replace(|letter: char| !letter.is_ascii_alphanumeric(), "_");
            let mut secret = Table::new();
            secret.insert(kind.to_owned(), value.into());
            self.within("secrets", &variable, Value::Table(secret));
            self.leave(
                "secrets",
                format!("`{source}` is found at the path that {variable}_FILE holds, not at /run/secrets/{source}"),
            );
        }
    }

    fn security(&mut self, said: &Yaml) {
        for option in said.texts().unwrap_or_default() {
            let (key, value) = option.split_once([':', '=']).unwrap_or((&option, ""));
            match key {
                // Nobody gains any unless told so.
                "no-new-privileges" => {
                    if value == "false" {
                        self.container("new_privileges", true);
                    }
                }
                "seccomp" | "apparmor" => self.container(key, value),
                _ => self.leave("security_opt", format!("`{option}` is not there")),
            }
        }
    }
}
