//! `ps`: shows the agents.

use std::io::{self, Write};

use alveary::{Agent, AgentState};
use clap::{Args, ValueEnum};

use crate::context::{Context, in_the_files_order, note_supervision};
use crate::failure::Failure;
use crate::filter::{self, Filter};
use crate::outcome::Outcome;
use crate::output::{self, Table, age};
use crate::record::{AgentRecord, reason};

/// Shows the agents of the swarm
///
/// Those that have not ended, unless --all is given. A swarm that never was has none.
#[derive(Debug, Args)]
#[command(
    after_help = "Example: alveary ps --all --filter state=exited --format json\n\
                  Filters: name, id, state, capability, ready; the same key twice means either, two keys mean both."
)]
pub(crate) struct Ps {
    /// Show what has ended too
    #[arg(short, long)]
    all: bool,

    /// Print nothing but ids
    #[arg(short, long, conflicts_with = "format")]
    quiet: bool,

    /// Leave long values as they are
    #[arg(long)]
    no_trunc: bool,

    /// Only agents of which this is true
    #[arg(short, long, value_name = "KEY=VALUE", value_parser = filter::parse)]
    filter: Vec<Filter>,

    /// How to print them: for people, or as one JSON object a line
    #[arg(long, value_name = "FORM", default_value = "table")]
    format: Format,
}

/// How agents are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    // Aligned, for people.
    Table,
    // One JSON object a line, for programs.
    Json,
}

/// How much of an id is shown where it need not be whole: as much as tells a few thousand apart.
const SHORT_ID: usize = 12;

impl Ps {
    pub(crate) async fn run(&self, context: &Context) -> Result<Outcome, Failure> {
        let Some(opened) = context.open_existing().await? else {
            self.print(&[], "", "")?;
            return Ok(Outcome::Done);
        };
        let swarm = &opened.swarm;
        let mut everyone = swarm.list().await?;
        in_the_files_order(&opened.fleet, &mut everyone);
        let mut agents = everyone.clone();
        agents.retain(|agent| {
            (self.all || !agent.is_settled())
                && filter::matches(&self.filter, &agent.info, Some(&agent.group), agent.ready)
        });
        let backend = swarm.backend().kind();
        self.print(&agents, opened.fleet.swarm.as_str(), backend.as_str())?;
        note_supervision(swarm, &everyone)?;
        Ok(Outcome::Done)
    }

    fn print(&self, agents: &[Agent], swarm: &str, backend: &str) -> io::Result<()> {
        let mut out = output::stdout();
        if self.quiet {
            for agent in agents {
                writeln!(out, "{}", agent.id())?;
            }
        } else if self.format == Format::Json {
            for agent in agents {
                output::write_line(&mut out, &AgentRecord::new(agent, swarm, backend))?;
            }
        } else {
            self.table(agents).write(&mut out)?;
        }
        out.flush()
    }

    fn table(&self, agents: &[Agent]) -> Table {
        let mut table = Table::new(&[
            "NAME",
            "ID",
            "STATE",
            "READY",
            "PID",
            "AGE",
            "CAPABILITIES",
            "STATUS",
        ])
        .whole_cells(self.no_trunc);
        for agent in agents {
            let info = &agent.info;
            let id = info.id.as_str();
            let id = if self.no_trunc {
                id
            } else {
                &id[..id.len().min(SHORT_ID)]
            };
            table.row([
                info.name.clone(),
                id.to_owned(),
                info.state.to_string(),
                if agent.ready { "yes" } else { "no" }.to_owned(),
                info.pid.map(|pid| pid.to_string()).unwrap_or_default(),
                age(info.started_at.unwrap_or(info.created_at)),
                info.capabilities.join(","),
                status(agent),
            ]);
        }
        table
    }
}

/// What the state's word alone does not say.
fn status(agent: &Agent) -> String {
    let mut parts = Vec::new();
    match (&agent.info.state, reason(&agent.info.state)) {
        (_, Some(reason)) => parts.push(reason.to_owned()),
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
