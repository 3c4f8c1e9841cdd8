//! `stats`: shows what agents use up.

use std::collections::HashMap;
use std::io::Write;
use std::time::Duration;

use alveary::{Agent, AgentId, ByteSize, Error, ErrorKind, Operation, SwarmManager, Usage};
use clap::Args;
use futures_util::future::join_all;
use serde::Serialize;

use crate::bulk;
use crate::context::Context;
use crate::failure::{Failure, tell_of};
use crate::outcome::Outcome;
use crate::output::{self, Canvas, Field, Form, Record, Table, about, form, rfc3339};
use crate::record::SCHEMA;
use crate::values;

/// Shows what agents use up: processor, memory, processes, disks, networks
///
/// Again and again until Ctrl-C. What the backend does not say is shown as `-`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLE, after_long_help = about::<Row>(EXAMPLE))]
pub(crate) struct Stats {
    /// Show those, too, that do not run and use up nothing
    #[arg(short, long)]
    all: bool,

    /// Show it once
    #[arg(long)]
    no_stream: bool,

    /// How much time is between two readings
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = values::duration)]
    every: Duration,

    /// How to print it: `table`, or a line for each agent and reading: `json`, or a template
    #[arg(long, value_name = "FORM", default_value = "table", value_parser = form::<Row>("table"))]
    format: Form,

    /// Agents, by name, by group, by id or by the beginning of an id; all that run, without
    #[arg(value_name = "NAME", add = crate::complete::agents())]
    names: Vec<String>,
}

const EXAMPLE: &str =
    "Example: alveary stats --no-stream --format '{{ name }} {{ memory | size }}'";

/// The pause before a second reading where one is shown alone: without two there is no share of a processor.
const BETWEEN: Duration = Duration::from_millis(500);

/// The readings of one moment, and those before them.
#[derive(Debug, Default)]
struct Readings(HashMap<AgentId, Usage>);

impl Stats {
    pub(crate) async fn run(&self, context: &Context) -> Result<Outcome, Failure> {
        let Some(opened) = context.open_to_show(&self.names).await? else {
            self.print(&[])?;
            return Ok(Outcome::Done);
        };
        let swarm = &opened.swarm;
        let mut readings = Readings::default();
        if self.no_stream {
            self.read(swarm, &mut readings).await?;
            tokio::time::sleep(BETWEEN).await;
            let rows = self.read(swarm, &mut readings).await?;
            self.print(&rows)?;
            return Ok(Outcome::Done);
        }
        let canvas = if self.format.is_plain() {
            Canvas::begin()?
        } else {
            None
        };
        let mut pace = tokio::time::interval(self.every.max(Duration::from_millis(100)));
        pace.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            pace.tick().await;
            let rows = self.read(swarm, &mut readings).await?;
            match &canvas {
                Some(canvas) => canvas.draw(&table(&rows).lines())?,
                None => self.print(&rows)?,
            }
        }
    }

    /// Whoever runs now, and what it uses.
    async fn read(
        &self,
        swarm: &SwarmManager,
        readings: &mut Readings,
    ) -> Result<Vec<Row>, Failure> {
        let facet = swarm.backend().stats().ok_or_else(|| {
            Error::unsupported(
                Operation::Stats,
                format!(
                    "{} does not say what its agents use up",
                    swarm.backend().kind()
                ),
                "use a backend that does",
            )
        })?;
        let mut agents = if self.names.is_empty() {
            swarm.list().await?
        } else {
            bulk::resolve(swarm, &self.names).await?
        };
        if !self.all {
            agents.retain(|agent| !agent.is_settled());
        }
        let read = agents.iter().map(|agent| facet.read(agent.id()));
        let mut rows = Vec::new();
        let mut now = HashMap::new();
        for (agent, usage) in agents.iter().zip(join_all(read).await) {
            match usage {
                Ok(usage) => {
                    let cpu = readings
                        .0
                        .get(agent.id())
                        .and_then(|before| usage.cpu_percent_since(before));
                    rows.push(Row::new(agent, &usage, cpu));
                    now.insert(agent.id().clone(), usage);
                }
                // It is not running any more, or not yet.
                Err(error) if matches!(error.kind(), ErrorKind::Conflict | ErrorKind::NotFound) => {
                    if self.all {
                        let nothing = Usage::new(agent.info.incarnation);
                        rows.push(Row::new(agent, &nothing, None));
                    }
                }
                Err(error) => tell_of(agent.name(), &error),
            }
        }
        readings.0 = now;
        Ok(rows)
    }

    fn print(&self, rows: &[Row]) -> Result<(), Failure> {
        let mut out = output::stdout();
        if self.format.is_plain() {
            table(rows).write(&mut out)?;
        }
        for row in rows {
            self.format.write(&mut out, row)?;
        }
        Ok(out.flush()?)
    }
}

fn table(rows: &[Row]) -> Table {
    let mut table = Table::new(&[
        "NAME",
        "CPU",
        "MEMORY",
        "LIMIT",
        "PIDS",
        "DISK IN / OUT",
        "NET IN / OUT",
    ]);
    for row in rows {
        table.row(row.cells());
    }
    table
}

/// What one agent uses, for programs: numbers of bytes, seconds and percent of one processor.
#[derive(Debug, Serialize)]
struct Row {
    schema: u32,
    name: String,
    agent_id: AgentId,
    at: String,
    cpu_percent: Option<f64>,
    cpu_seconds: Option<f64>,
    memory: Option<u64>,
    memory_limit: Option<u64>,
    pids: Option<u64>,
    io_read: Option<u64>,
    io_written: Option<u64>,
    network_received: Option<u64>,
    network_sent: Option<u64>,
}

impl Record for Row {
    const FIELDS: &'static [Field] = &[
        ("agent_id", "its id"),
        ("at", "when it was read"),
        ("cpu_percent", "of one processor, since the reading before"),
        ("cpu_seconds", "of processors, since it began"),
        ("io_read", "bytes that came from disks, since it began"),
        ("io_written", "bytes that went to disks, since it began"),
        ("memory", "bytes that it holds"),
        ("memory_limit", "bytes that it may hold"),
        ("name", "its name in the swarm"),
        ("network_received", "bytes that came, since it began"),
        ("network_sent", "bytes that went, since it began"),
        ("pids", "its processes and threads"),
        ("schema", "the number of this form, 1"),
    ];
}

impl Row {
    fn new(agent: &Agent, usage: &Usage, cpu_percent: Option<f64>) -> Self {
        let bytes = |size: Option<ByteSize>| size.map(|size| size.0);
        Self {
            schema: SCHEMA,
            name: agent.name().to_owned(),
            agent_id: agent.id().clone(),
            at: rfc3339(usage.at),
            cpu_percent,
            cpu_seconds: usage.cpu.map(|cpu| cpu.as_secs_f64()),
            memory: bytes(usage.memory),
            memory_limit: bytes(usage.memory_limit),
            pids: usage.pids,
            io_read: bytes(usage.io_read),
            io_written: bytes(usage.io_written),
            network_received: bytes(usage.network_received),
            network_sent: bytes(usage.network_sent),
        }
    }

    fn cells(&self) -> [String; 7] {
        let or_dash = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
        let size = |bytes: Option<u64>| or_dash(bytes.map(|bytes| ByteSize(bytes).to_string()));
        let both = |first, second| match (first, second) {
            (None, None) => "-".to_owned(),
            (first, second) => format!("{} / {}", size(first), size(second)),
        };
        [
            self.name.clone(),
            or_dash(self.cpu_percent.map(|percent| format!("{percent:.1} %"))),
            size(self.memory),
            size(self.memory_limit),
            or_dash(self.pids.map(|pids| pids.to_string())),
            both(self.io_read, self.io_written),
            both(self.network_received, self.network_sent),
        ]
    }
}
