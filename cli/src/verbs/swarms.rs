//! `swarms`: shows the swarms, where `ps` shows the agents of one.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;

use alveary::{
    Agent, AgentState, Error, Escaped, SwarmRecord, recorded_supervisor, recorded_swarms,
};
use clap::Args;
use futures_util::future::join_all;
use serde::Serialize;

use crate::context::Context;
use crate::failure::{Failure, without_numbers};
use crate::outcome::Outcome;
use crate::output::{self, Field, Form, Record, Table, about, form};
use crate::record::SCHEMA;

/// Shows the swarms of this user, and how many of their agents stand how
///
/// Those that have agents which have not ended, or that somebody watches over, unless --all is given. Of a swarm whose
/// backend does not answer it is said why, and it is shown.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLE, after_long_help = about::<Row>(EXAMPLE))]
pub(crate) struct Swarms {
    /// Show those, too, that have nobody alive
    #[arg(short, long)]
    all: bool,

    /// Print nothing but names
    #[arg(short, long, conflicts_with = "format")]
    quiet: bool,

    /// How to print them: `table`, or a line each: `json`, or a template
    #[arg(long, value_name = "FORM", default_value = "table", value_parser = form::<Row>("table"))]
    format: Form,
}

const EXAMPLE: &str = "Example: alveary swarms, and then alveary -p demo ps";

impl Swarms {
    pub(crate) async fn run(&self, context: &Context) -> Result<Outcome, Failure> {
        let mut outcome = Outcome::Done;
        let mut records = Vec::new();
        for record in recorded_swarms(None)? {
            match record {
                Ok(record) => records.push(record),
                Err(error) => {
                    let failure = Failure::from(error);
                    failure.tell();
                    outcome = outcome.or(failure.outcome());
                }
            }
        }
        records.retain(|record| {
            let asked = context.global.swarm.as_ref();
            asked.is_none_or(|name| *name == record.name)
        });
        records.sort_by(|one, other| one.name.cmp(&other.name));
        // Beside each other: an engine that hangs holds nobody up.
        let looked = records.into_iter().map(async |record| {
            let agents = agents_of(context, &record).await;
            Row::new(record, agents)
        });
        let mut rows = join_all(looked).await;
        rows.retain(|row| self.all || row.counts());
        self.print(&rows)?;
        Ok(outcome)
    }

    fn print(&self, rows: &[Row]) -> Result<(), Failure> {
        let mut out = output::stdout();
        if self.quiet {
            for row in rows {
                writeln!(out, "{}", row.name)?;
            }
        } else if self.format.is_plain() {
            let mut table = Table::new(&["SWARM", "BACKEND", "AGENTS", "SUPERVISOR", "FILE"]);
            for row in rows {
                table.row([
                    row.name.clone(),
                    row.backend.clone().unwrap_or_default(),
                    row.in_short(),
                    row.supervisor
                        .map_or_else(|| "none".to_owned(), |pid| pid.to_string()),
                    row.file
                        .as_ref()
                        .map(|file| Escaped(&file.display().to_string()).to_string())
                        .unwrap_or_default(),
                ]);
            }
            table.write(&mut out)?;
        } else {
            for row in rows {
                self.format.write(&mut out, row)?;
            }
        }
        Ok(out.flush()?)
    }
}

async fn agents_of(context: &Context, record: &SwarmRecord) -> Result<Vec<Agent>, Error> {
    let fleet = context.fleet_of(record, None)?;
    context.open_recorded(fleet).await?.swarm.list().await
}

/// A swarm, for programs.
#[derive(Debug, Serialize)]
struct Row {
    schema: u32,
    name: String,
    uid: String,
    backend: Option<String>,
    file: Option<PathBuf>,
    supervisor: Option<u32>,
    /// How many agents are in which state.
    agents: BTreeMap<&'static str, usize>,
    living: usize,
    error: Option<String>,
}

impl Record for Row {
    const WITHIN: &'static [(&'static str, &'static [Field])] = &[("agents", STATES)];
    const FIELDS: &'static [Field] = &[
        (
            "agents",
            "how many are in each state that any is in, as `agents.running`",
        ),
        ("backend", "what its agents run on"),
        ("error", "why its agents are not known"),
        (
            "file",
            "the file that it was brought up from; none if there was none",
        ),
        ("living", "how many agents have not ended"),
        ("name", "its name, which -p takes"),
        ("schema", "the number of this form, 1"),
        ("supervisor", "the process that restarts its agents"),
        ("uid", "its identity, which the marks of its agents bear"),
    ];
}

/// The states that agents are counted by.
const STATES: &[Field] = &[
    ("pending", "not made yet"),
    ("starting", "made, and not running yet"),
    ("running", "running"),
    ("stopping", "asked to end"),
    ("exited", "ended"),
    ("failed", "not to be started, or given up"),
    ("unknown", "not to be seen"),
];

impl Row {
    fn new(record: SwarmRecord, agents: Result<Vec<Agent>, Error>) -> Self {
        // Who restarts them is known here, whatever their engine says, or does not.
        let (supervisor, why) = match recorded_supervisor(&record.name, None) {
            Ok(holder) => (holder.map(|holder| holder.pid), None),
            Err(error) => (None, Some(error)),
        };
        let mut row = Self {
            schema: SCHEMA,
            name: record.name.to_string(),
            uid: record.uid.to_string(),
            backend: record.backend,
            file: record.file.filter(|_| record.file_was_there != Some(false)),
            supervisor,
            agents: BTreeMap::new(),
            living: 0,
            error: None,
        };
        match why.map_or(agents, Err) {
            Ok(agents) => {
                for agent in agents {
                    row.living += usize::from(!agent.is_settled());
                    if let AgentState::Unknown { why } = agent.state() {
                        row.error = Some(without_numbers(why));
                    }
                    *row.agents.entry(agent.state().as_str()).or_default() += 1;
                }
            }
            Err(error) => row.error = Some(without_numbers(&error.to_string())),
        }
        row
    }

    /// Whether it is shown without being asked for.
    fn counts(&self) -> bool {
        self.living > 0 || self.supervisor.is_some() || self.error.is_some()
    }

    /// What the table says of its agents.
    fn in_short(&self) -> String {
        if let Some(why) = &self.error {
            return Escaped(why).to_string();
        }
        let counted = self.agents.iter().map(|(state, n)| format!("{n} {state}"));
        let counted = counted.collect::<Vec<_>>().join(", ");
        if counted.is_empty() {
            "none".to_owned()
        } else {
            counted
        }
    }
}
