//! An agent as programs read it: one JSON object. What is here stays; keys may be added.

use std::net::Ipv4Addr;

use alveary::{Agent, AgentState, Exit, ExitStatus, PublishedPort};
use serde::Serialize;

use crate::failure::without_numbers;
use crate::output::{Field, Record, rfc3339};

/// The number that says which keys a reader may count on.
pub(crate) const SCHEMA: u32 = 1;

/// An agent as `ps --format json` and `inspect` print it.
#[derive(Debug, Serialize)]
pub(crate) struct AgentRecord<'a> {
    schema: u32,
    agent_id: &'a str,
    name: &'a str,
    group: &'a str,
    swarm: &'a str,
    backend: &'a str,
    state: &'static str,
    /// Why it is in this state, where that is known and the state alone does not say it.
    reason: Option<&'a str>,
    ready: bool,
    paused: bool,
    incarnation: String,
    handle: Option<&'a str>,
    pid: Option<u32>,
    image: Option<&'a str>,
    ports: Vec<PortRecord>,
    capabilities: &'a [String],
    spec_hash: String,
    restarts: u32,
    restarting: bool,
    created_at: String,
    started_at: Option<String>,
    exit: Option<ExitRecord<'a>>,
}

/// Where a port of an agent is reached.
#[derive(Debug, Serialize)]
pub(crate) struct PortRecord {
    container: u16,
    protocol: &'static str,
    /// Address and port, as other programs take them.
    host: String,
}

/// How an agent ended.
#[derive(Debug, Serialize)]
pub(crate) struct ExitRecord<'a> {
    code: Option<i32>,
    signal: Option<String>,
    oom: bool,
    /// Who ended it: `itself`, `us`, `us-by-force`, `engine`, `unknown`.
    cause: &'static str,
    /// Why neither code nor signal is known.
    unknown: Option<&'a str>,
    at: Option<String>,
    /// What would perhaps have helped.
    hint: Option<&'a str>,
}

impl Record for AgentRecord<'_> {
    const FIELDS: &'static [Field] = AGENT;
}

/// What a template may name of an agent.
const AGENT: &[Field] = &[
    ("agent_id", "its id, which it keeps"),
    ("backend", "what it runs on"),
    (
        "capabilities",
        "what it says it can do, a list: the filter `join` makes one text of it",
    ),
    ("created_at", "when this start of it was made"),
    ("exit.at", "when it ended"),
    (
        "exit.cause",
        "who ended it: itself, us, us-by-force, engine, unknown",
    ),
    ("exit.code", "what it ended with"),
    (
        "exit.hint",
        "what would perhaps have helped, or what it wrote last",
    ),
    ("exit.oom", "whether it ended for want of memory"),
    ("exit.signal", "the signal that ended it, as SIGTERM"),
    ("exit.unknown", "why neither code nor signal is known"),
    ("group", "its name in the file"),
    ("handle", "what the engine calls it"),
    ("image", "what its container is made of"),
    ("incarnation", "which start of it this is"),
    ("name", "its name in the swarm"),
    ("paused", "whether it is held still"),
    ("pid", "its main process"),
    ("ready", "whether it is ready"),
    (
        "ports",
        "its published ports; `{{ ports[0].host }}` is where the first is reached",
    ),
    (
        "reason",
        "why it is in this state, where the state alone does not say it",
    ),
    ("restarting", "whether it will be started again"),
    ("restarts", "how often it was started again"),
    ("schema", "the number of this form, 1"),
    (
        "spec_hash",
        "what it was started from; another one says that the file has changed it",
    ),
    ("started_at", "when it began to run"),
    (
        "state",
        "pending, starting, running, stopping, exited, failed or unknown",
    ),
    ("swarm", "the swarm that it is of"),
];

impl<'a> AgentRecord<'a> {
    /// The record of an agent of this swarm.
    pub(crate) fn new(agent: &'a Agent, swarm: &'a str, backend: &'a str) -> Self {
        let info = &agent.info;
        Self {
            schema: SCHEMA,
            agent_id: info.id.as_str(),
            name: &info.name,
            group: &agent.group,
            swarm,
            backend,
            state: info.state.as_str(),
            reason: reason(&info.state),
            ready: agent.ready,
            paused: info.paused,
            incarnation: info.incarnation.to_string(),
            handle: info.handle.as_deref(),
            pid: info.pid,
            image: info.image.as_deref(),
            ports: info.ports.iter().map(PortRecord::new).collect(),
            capabilities: &info.capabilities,
            spec_hash: info.spec_hash.to_string(),
            restarts: agent.restarts,
            restarting: agent.restarting,
            created_at: rfc3339(info.created_at),
            started_at: info.started_at.map(rfc3339),
            exit: agent.exit.as_ref().map(ExitRecord::new),
        }
    }
}

impl PortRecord {
    fn new(port: &PublishedPort) -> Self {
        Self {
            container: port.container,
            protocol: port.protocol.as_str(),
            host: port.host.to_string(),
        }
    }
}

impl<'a> ExitRecord<'a> {
    /// The record of an exit.
    pub(crate) fn new(exit: &'a Exit) -> Self {
        Self {
            code: exit.code(),
            signal: exit.signal().map(|signal| signal.to_string()),
            oom: exit.oom,
            cause: exit.by.as_str(),
            unknown: match &exit.status {
                ExitStatus::Unknown { why } => Some(why),
                _ => None,
            },
            at: exit.at.map(rfc3339),
            hint: exit.hint.as_deref(),
        }
    }
}

/// Where its ports are reached. All addresses of both kinds are one place to people.
pub(crate) fn ports_in_short(ports: &[PublishedPort]) -> String {
    let is_said = |port: &&PublishedPort| {
        let mut plain = **port;
        plain.host.set_ip(Ipv4Addr::UNSPECIFIED.into());
        let everywhere = port.host.is_ipv6() && port.host.ip().is_unspecified();
        !(everywhere && ports.contains(&plain))
    };
    let said: Vec<String> = ports
        .iter()
        .filter(is_said)
        .map(ToString::to_string)
        .collect();
    said.join(", ")
}

/// Why an agent is in this state, where the state alone does not say it.
pub(crate) fn reason(state: &AgentState) -> Option<&str> {
    match state {
        AgentState::Starting { reason } => reason.as_deref(),
        AgentState::Failed { reason } => Some(reason),
        AgentState::Unknown { why } => Some(why),
        _ => None,
    }
}

/// What the state's word alone does not say.
pub(crate) fn in_short(agent: &Agent) -> String {
    let mut parts = Vec::new();
    match (&agent.info.state, reason(&agent.info.state)) {
        (_, Some(reason)) => parts.push(without_numbers(reason)),
        (AgentState::Exited(exit), None) => parts.push(exit.to_string()),
        _ => {}
    }
    if agent.info.paused {
        parts.push("paused".to_owned());
    }
    if agent.restarting {
        parts.push("to be started again".to_owned());
    }
    match agent.restarts {
        0 => {}
        1 => parts.push("restarted once".to_owned()),
        n => parts.push(format!("restarted {n} times")),
    }
    parts.join(", ")
}

#[cfg(test)]
mod tests {
    use alveary::PortProtocol;

    use super::*;

    #[test]
    fn all_addresses_of_both_kinds_are_one_place_where_the_port_is_one() {
        let shown = |hosts: &[&str]| {
            let port =
                |host: &&str| PublishedPort::new(80, PortProtocol::Tcp, host.parse().unwrap());
            ports_in_short(&hosts.iter().map(port).collect::<Vec<_>>())
        };
        assert_eq!(shown(&[]), "");
        assert_eq!(shown(&["127.0.0.1:8080"]), "127.0.0.1:8080->80/tcp");
        assert_eq!(
            shown(&["0.0.0.0:8080", "[::]:8080"]),
            "0.0.0.0:8080->80/tcp"
        );
        assert_eq!(shown(&["[::]:8080"]), "[::]:8080->80/tcp");
        assert_eq!(
            shown(&["0.0.0.0:49153", "[::]:49154"]),
            "0.0.0.0:49153->80/tcp, [::]:49154->80/tcp"
        );
        assert_eq!(
            shown(&["0.0.0.0:8080", "[::1]:8080"]),
            "0.0.0.0:8080->80/tcp, [::1]:8080->80/tcp"
        );
    }
}
