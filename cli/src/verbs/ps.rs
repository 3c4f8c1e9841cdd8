//! `ps`: shows the agents.

mod watch;

use std::io::Write;

use alveary::{Agent, Opened};
use clap::Args;

use crate::bulk;
use crate::context::{Context, in_the_files_order, note_if_unsupervised};
use crate::failure::Failure;
use crate::filter::{self, Filter};
use crate::outcome::Outcome;
use crate::output::{self, Form, Table, about, age, form};
use crate::record::{AgentRecord, in_short, ports_in_short};

/// Shows the agents of the swarm
///
/// Those that have not ended, and with --all, by name or by state those that have, too. A swarm that never was has none.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLE, after_long_help = about::<AgentRecord<'static>>(EXAMPLE))]
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
    #[arg(short, long, value_name = "KEY=VALUE", value_parser = filter::parse, add = crate::complete::filters())]
    filter: Vec<Filter>,

    /// How to print them: `table`, or a line each: `json`, or a template
    #[arg(long, value_name = "FORM", default_value = "table", value_parser = form::<AgentRecord<'static>>("table"))]
    format: Form,

    /// Go on, and show them anew whenever something changes, until Ctrl-C
    ///
    /// On a terminal one table is kept up to date; elsewhere a new one is printed for each change. As JSON or by a template
    /// those that have changed are printed.
    #[arg(short, long, conflicts_with = "quiet")]
    watch: bool,

    /// Agents, by name, by group, by id or by the beginning of an id; all without it
    #[arg(value_name = "NAME", add = crate::complete::agents())]
    names: Vec<String>,
}

const EXAMPLE: &str = "\
Example: alveary ps --filter state=exited --format '{{ name }} {{ exit.code }}'
Filters: name, id, state, capability, ready; the same key twice means either, two keys mean both.";

/// How much of an id is shown where it need not be whole: as much as tells a few thousand apart.
const SHORT_ID: usize = 12;

const HEADINGS: [&str; 9] = [
    "NAME",
    "ID",
    "STATE",
    "READY",
    "PID",
    "AGE",
    "CAPABILITIES",
    "PORTS",
    "STATUS",
];

impl Ps {
    pub(crate) async fn run(&self, context: &Context) -> Result<Outcome, Failure> {
        if self.watch {
            return watch::run(self, context).await;
        }
        let Some(opened) = context.open_to_show(&self.names).await? else {
            self.print(&[], "", "")?;
            return Ok(Outcome::Done);
        };
        let swarm = &opened.swarm;
        // Of a thousand agents each look takes its time: one is enough.
        let mut agents = swarm.list().await?;
        let somebody_lives = agents.iter().any(|agent| !agent.is_settled());
        if !self.names.is_empty() {
            agents = bulk::resolve(swarm, &self.names).await?;
        }
        let agents = self.meant(&opened, agents);
        let backend = swarm.backend().kind();
        self.print(&agents, opened.fleet.swarm.as_str(), backend.as_str())?;
        if somebody_lives {
            note_if_unsupervised(&opened)?;
        }
        Ok(Outcome::Done)
    }

    /// Those that are to be shown.
    fn meant(&self, opened: &Opened, mut agents: Vec<Agent>) -> Vec<Agent> {
        in_the_files_order(&opened.fleet, &mut agents);
        let ended_too = self.all || !self.names.is_empty() || filter::name_a_state(&self.filter);
        agents.retain(|agent| {
            (ended_too || !agent.is_settled())
                && filter::matches(&self.filter, &agent.info, Some(&agent.group), agent.ready)
        });
        agents
    }

    fn print(&self, agents: &[Agent], swarm: &str, backend: &str) -> Result<(), Failure> {
        let mut out = output::stdout();
        if self.quiet {
            for agent in agents {
                writeln!(out, "{}", agent.id())?;
            }
        } else if self.format.is_plain() {
            self.table(agents).write(&mut out)?;
        } else {
            for agent in agents {
                let record = AgentRecord::new(agent, swarm, backend);
                self.format.write(&mut out, &record)?;
            }
        }
        Ok(out.flush()?)
    }

    fn table(&self, agents: &[Agent]) -> Table {
        let mut table = Table::new(&HEADINGS)
            .hidden_where_empty("PORTS")
            .whole_cells(self.no_trunc);
        for agent in agents {
            let age = age(agent.info.started_at.unwrap_or(agent.info.created_at));
            table.row(self.row(agent, age));
        }
        table
    }

    fn row(&self, agent: &Agent, age: String) -> [String; 9] {
        let info = &agent.info;
        let id = info.id.as_str();
        let id = if self.no_trunc {
            id
        } else {
            &id[..id.len().min(SHORT_ID)]
        };
        [
            info.name.clone(),
            id.to_owned(),
            info.state.to_string(),
            if agent.ready { "yes" } else { "no" }.to_owned(),
            info.pid.map(|pid| pid.to_string()).unwrap_or_default(),
            age,
            info.capabilities.join(","),
            ports_in_short(&info.ports),
            in_short(agent),
        ]
    }
}
