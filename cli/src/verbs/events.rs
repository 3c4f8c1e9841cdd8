//! `events`: tells what happens in the swarm, as it happens.

mod leaving;

use std::collections::HashMap;
use std::io::Write;
use std::time::SystemTime;

use alveary::{Agent, AgentId, AgentState, Escaped, FetchStage, SwarmEvent};
use clap::Args;
use futures_util::StreamExt;
use serde::Serialize;

use crate::context::Context;
use crate::failure::{Failure, without_numbers};
use crate::outcome::Outcome;
use crate::output::{self, Field, Form, Record, about, form, rfc3339};
use crate::record::{AgentRecord, SCHEMA, reason};
use crate::values;
use leaving::{Leaving, Left};

/// Tells what happens in the swarm, as it happens
///
/// One line each time an agent is made, changes or is removed, until Ctrl-C.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLE, after_long_help = about::<Happened<'static>>(EXAMPLE))]
pub(crate) struct Events {
    /// Tell first what has happened since: when each agent that is there was made, started last and ended last
    ///
    /// What was removed since, and starts between the first and the last, are kept nowhere.
    #[arg(long, value_name = "TIME", value_parser = values::moment)]
    since: Option<SystemTime>,

    /// With --since: tell that alone
    #[arg(long, requires = "since")]
    no_follow: bool,

    /// How to print them: `text` for people, `json` one object a line, or a line each by a template
    #[arg(long, value_name = "FORM", default_value = "text", value_parser = form::<Happened<'static>>("text"))]
    format: Form,

    /// Only of these agents or groups
    #[arg(value_name = "NAME", add = crate::complete::agents())]
    names: Vec<String>,
}

const EXAMPLE: &str = "Example: alveary events --since 10m --format json";

/// What happened.
#[derive(Debug, Serialize)]
struct Happened<'a> {
    schema: u32,
    at: String,
    /// `created`, `started`, `ended`, `changed`, `removed`, `fetched`, `lost`.
    event: &'static str,
    /// Whom or what it is about.
    name: &'a str,
    /// In words.
    what: String,
    /// The agent as it is now.
    agent: Option<AgentRecord<'a>>,
}

impl Record for Happened<'_> {
    const FIELDS: &'static [Field] = &[
        (
            "agent",
            "the agent as it is now, with the fields that `ps --help` tells: agent.state",
        ),
        ("at", "when"),
        (
            "event",
            "created, started, ended, changed, removed, fetched, lost",
        ),
        ("name", "whom or what it is about"),
        ("schema", "the number of this form, 1"),
        ("what", "in words"),
    ];
    const WITHIN: &'static [(&'static str, &'static [Field])] = &[("agent", AgentRecord::FIELDS)];
}

impl Events {
    pub(crate) async fn run(&self, context: &Context) -> Result<Outcome, Failure> {
        let opened = context.open().await?;
        let swarm = &opened.swarm;
        let names = (
            opened.fleet.swarm.to_string(),
            swarm.backend().kind().to_string(),
        );
        let mut teller = Teller {
            events: self,
            swarm: &names.0,
            backend: &names.1,
            known: HashMap::new(),
            leaving: Leaving::default(),
        };
        let mut events = swarm.subscribe().await;
        let mut is_first = true;
        loop {
            let event = tokio::select! {
                biased;
                event = events.next() => event,
                left = teller.leaving.stayed() => {
                    teller.left(&left)?;
                    continue;
                }
            };
            let Some(event) = event else { break };
            match event {
                SwarmEvent::Snapshot(agents) if is_first => {
                    is_first = false;
                    teller.past(&agents)?;
                    if self.no_follow {
                        break;
                    }
                }
                SwarmEvent::Snapshot(agents) => teller.again(&agents)?,
                SwarmEvent::Changed(agent) => teller.changed(&agent)?,
                SwarmEvent::Removed(id) => teller.removed(&id)?,
                SwarmEvent::Fetching(fetch) => {
                    let what = match fetch.stage {
                        FetchStage::Here => "is here",
                        FetchStage::GivenUp => "does not come",
                        // How far it is, is no news.
                        _ => continue,
                    };
                    teller.tell(
                        SystemTime::now(),
                        "fetched",
                        &fetch.what,
                        what.to_owned(),
                        None,
                    )?;
                }
                SwarmEvent::Lost { why } => {
                    let why = without_numbers(&why);
                    teller.tell(SystemTime::now(), "lost", teller.backend, why, None)?;
                }
                _ => {}
            }
        }
        Ok(Outcome::Done)
    }
}

/// Tells what is new about agents.
struct Teller<'a> {
    events: &'a Events,
    swarm: &'a str,
    backend: &'a str,
    /// Each agent as it was told last.
    known: HashMap<AgentId, Agent>,
    /// Of whom it is not told yet that the engine has them no more.
    leaving: Leaving,
}

impl Teller<'_> {
    fn is_meant(&self, agent: &Agent) -> bool {
        let names = &self.events.names;
        let is = |name: &String| {
            *name == agent.info.name || *name == agent.group || name == agent.id().as_str()
        };
        names.is_empty() || names.iter().any(is)
    }

    /// What is there, and what of its past is asked for.
    fn past(&mut self, agents: &[Agent]) -> Result<(), Failure> {
        let mut past = Vec::new();
        for agent in agents.iter().filter(|agent| self.is_meant(agent)) {
            let info = &agent.info;
            past.push((info.created_at, "created", agent));
            past.extend(info.started_at.map(|at| (at, "started", agent)));
            if let AgentState::Exited(exit) = &info.state {
                past.extend(exit.at.map(|at| (at, "ended", agent)));
            }
        }
        past.sort_by_key(|(at, ..)| *at);
        for (at, event, agent) in past {
            if self.events.since.is_some_and(|since| at >= since) {
                let what = match (event, &agent.info.state) {
                    ("ended", AgentState::Exited(exit)) => exit.to_string(),
                    _ => String::new(),
                };
                self.tell(at, event, &agent.info.name, what, Some(agent))?;
            }
        }
        let known = agents
            .iter()
            .map(|agent| (agent.id().clone(), agent.clone()));
        self.known = known.collect();
        Ok(())
    }

    /// Something may have been missed: what differs is told.
    fn again(&mut self, agents: &[Agent]) -> Result<(), Failure> {
        let gone: Vec<_> = self
            .known
            .keys()
            .filter(|id| agents.iter().all(|agent| agent.id() != *id))
            .cloned()
            .collect();
        for id in gone {
            self.removed(&id)?;
        }
        agents.iter().try_for_each(|agent| self.changed(agent))
    }

    fn changed(&mut self, agent: &Agent) -> Result<(), Failure> {
        let before = self.known.insert(agent.id().clone(), agent.clone());
        let stands = how_it_stands(agent);
        let news = before.as_ref().map(how_it_stands) != Some(stands.clone());
        if !news || !self.is_meant(agent) {
            return Ok(());
        }
        if let Some(left) = self.leaving.take(agent.id()) {
            self.left(&left)?;
        }
        let event = match &before {
            None => "created",
            Some(before) if is_pending(agent) && !is_pending(before) => {
                self.leaving.add(agent.clone());
                return Ok(());
            }
            Some(_) => "changed",
        };
        let name = &agent.info.name;
        self.tell(SystemTime::now(), event, name, stands, Some(agent))
    }

    /// The engine has it no more, and nobody has removed it.
    fn left(&self, left: &Left) -> Result<(), Failure> {
        let agent = &left.agent;
        let stands = how_it_stands(agent);
        self.tell(left.at, "changed", &agent.info.name, stands, Some(agent))
    }

    fn removed(&mut self, id: &AgentId) -> Result<(), Failure> {
        drop(self.leaving.take(id));
        match self.known.remove(id) {
            Some(agent) if self.is_meant(&agent) => self.tell(
                SystemTime::now(),
                "removed",
                &agent.info.name,
                String::new(),
                Some(&agent),
            ),
            _ => Ok(()),
        }
    }

    fn tell(
        &self,
        at: SystemTime,
        event: &'static str,
        name: &str,
        what: String,
        agent: Option<&Agent>,
    ) -> Result<(), Failure> {
        let happened = Happened {
            schema: SCHEMA,
            at: rfc3339(at),
            event,
            name,
            what,
            agent: agent.map(|agent| AgentRecord::new(agent, self.swarm, self.backend)),
        };
        let mut out = output::stdout();
        if self.events.format.is_plain() {
            let Happened {
                at,
                event,
                name,
                what,
                ..
            } = &happened;
            let line = format!("{at} {event} {} {}", Escaped(name), Escaped(what));
            writeln!(out, "{}", line.trim_end())?;
        } else {
            self.events.format.write(&mut out, &happened)?;
        }
        // Whoever reads it along reads it now.
        Ok(out.flush()?)
    }
}

fn is_pending(agent: &Agent) -> bool {
    matches!(agent.info.state, AgentState::Pending)
}

/// What of an agent makes news when it changes.
fn how_it_stands(agent: &Agent) -> String {
    let state = &agent.info.state;
    let mut words = vec![state.as_str().to_owned()];
    match (state, reason(state)) {
        (AgentState::Exited(exit), _) => words.push(exit.to_string()),
        (_, Some(reason)) => words.push(without_numbers(reason)),
        _ => {}
    }
    if agent.ready && matches!(state, AgentState::Running) {
        words.push("ready".to_owned());
    }
    if agent.info.paused {
        words.push("paused".to_owned());
    }
    if agent.restarts > 0 {
        words.push(format!("restarts {}", agent.restarts));
    }
    words.join(", ")
}
