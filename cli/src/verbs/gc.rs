//! `gc`: finds what is left of swarms, and ends it.

mod find;
mod strays;

use std::io::Write;

use clap::Args;
use serde::Serialize;

use crate::context::Context;
use crate::failure::{Failure, tell, tell_of};
use crate::outcome::Outcome;
use crate::output::{self, Field, Form, Record, Table, about, form, note};
use crate::record::SCHEMA;
use find::{Found, Heap, What, Why};

/// Finds what is left of swarms, and ends it
///
/// Looks at every swarm in the state folder; with -p or --file, at that one. Says what it would end, and ends it with
/// --yes: agents of swarms whose file is gone, agents that nobody has recorded, what a bench that was killed has left, and processes that outlived their agent.
/// Each is looked at once more right before it is ended. What no record here says is alveary's is left alone.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLE, after_long_help = about::<Row>(EXAMPLE))]
pub(crate) struct Gc {
    /// End them, instead of saying which they are
    #[arg(short, long)]
    yes: bool,

    /// Agents, too, of swarms of which the file is there and nobody restarts agents any more
    #[arg(long)]
    unsupervised: bool,

    /// How to print them: `table`, or a line each: `json`, or a template
    #[arg(long, value_name = "FORM", default_value = "table", value_parser = form::<Row>("table"))]
    format: Form,
}

const EXAMPLE: &str = "Example: alveary gc, and then alveary gc --yes";

impl Gc {
    pub(crate) async fn run(&self, context: &Context) -> Result<Outcome, Failure> {
        let mut outcome = Outcome::Done;
        let mut found = Vec::new();
        let heaps = find::heaps(context)?;
        for heap in &heaps {
            match self.look(heap, context).await {
                Ok(of_it) => found.push((heap, of_it)),
                Err(failure) => {
                    note(format_args!("nothing of {} is judged", heap.record.name));
                    failure.tell();
                    outcome = outcome.or(failure.outcome());
                }
            }
        }
        if self.yes {
            for (heap, found) in &found {
                outcome = outcome.or(self.end(heap, found, context).await);
            }
            if found.iter().all(|(_, found)| found.is_empty()) {
                note("nothing is left over");
            }
            return Ok(outcome);
        }
        let rows: Vec<Row> = found
            .iter()
            .flat_map(|(heap, found)| found.iter().map(|found| Row::new(heap, found)))
            .collect();
        self.print(&rows)?;
        let all = if self.unsupervised {
            " --unsupervised"
        } else {
            ""
        };
        match rows.len() {
            0 => note("nothing is left over"),
            1 => note(format_args!(
                "1 would be ended; `alveary gc{all} --yes` ends it"
            )),
            n => note(format_args!(
                "{n} would be ended; `alveary gc{all} --yes` ends them"
            )),
        }
        Ok(outcome)
    }

    async fn look(&self, heap: &Heap, context: &Context) -> Result<Vec<Found>, Failure> {
        let Some(opened) = heap.open(context).await? else {
            return Ok(Vec::new());
        };
        heap.look(&opened, self.unsupervised).await
    }

    /// Ends each of these that is still what it was found to be.
    async fn end(&self, heap: &Heap, found: &[Found], context: &Context) -> Outcome {
        let mut outcome = Outcome::Done;
        for found in found {
            match heap.end(found, self.unsupervised, context).await {
                Ok(Some(done)) => note(format_args!("{} {done}", found.title(heap))),
                Ok(None) => note(format_args!(
                    "{} is left alone: it is not what it was",
                    found.title(heap)
                )),
                Err(Failure::Alveary(error)) => {
                    tell_of(&found.title(heap), &error);
                    outcome = outcome.or(Outcome::Backend);
                }
                Err(failure) => {
                    failure.tell();
                    outcome = outcome.or(failure.outcome());
                }
            }
        }
        if let Err(failure) = heap.see_off(context).await {
            tell(
                &format!("what watched over {} goes on", heap.record.name),
                Some("run `alveary gc` once more"),
            );
            failure.tell();
            outcome = outcome.or(failure.outcome());
        }
        outcome
    }

    fn print(&self, rows: &[Row]) -> Result<(), Failure> {
        let mut out = output::stdout();
        if !self.format.is_plain() {
            for row in rows {
                self.format.write(&mut out, row)?;
            }
        } else if !rows.is_empty() {
            let mut table = Table::new(&["SWARM", "WHAT", "NAME", "STATE", "PID", "WHY"]);
            for row in rows {
                table.row([
                    row.swarm.clone(),
                    row.what.to_owned(),
                    row.name.clone(),
                    row.state.unwrap_or_default().to_owned(),
                    row.pid.map(|pid| pid.to_string()).unwrap_or_default(),
                    row.why.clone(),
                ]);
            }
            table.write(&mut out)?;
        }
        Ok(out.flush()?)
    }
}

/// One thing that would be ended, for programs.
#[derive(Debug, Serialize)]
struct Row {
    schema: u32,
    swarm: String,
    what: &'static str,
    name: String,
    agent_id: String,
    state: Option<&'static str>,
    pid: Option<u32>,
    reason: &'static str,
    why: String,
}

impl Record for Row {
    const FIELDS: &'static [Field] = &[
        (
            "agent_id",
            "the agent's id; of a process, that of the agent that it was of",
        ),
        ("name", "the agent's name; of a process, its program"),
        ("pid", "its process"),
        (
            "reason",
            "file-gone, unrecorded, outlived, bench-over or unsupervised",
        ),
        ("schema", "the number of this form, 1"),
        ("state", "how the agent stands"),
        ("swarm", "the swarm that it is of"),
        ("what", "agent or process"),
        ("why", "the reason in words"),
    ];
}

impl Row {
    fn new(heap: &Heap, found: &Found) -> Self {
        let reason = match &found.why {
            Why::FileGone(_) => "file-gone",
            Why::Unrecorded => "unrecorded",
            Why::Outlived => "outlived",
            Why::Benched => "bench-over",
            Why::Unsupervised => "unsupervised",
        };
        let (what, name, agent_id, state, pid) = match &found.what {
            What::Agent(agent) => (
                "agent",
                agent.name().to_owned(),
                agent.id().to_string(),
                Some(agent.state().as_str()),
                agent.info.pid,
            ),
            What::Process(stray) => (
                "process",
                stray.program.clone(),
                stray.agent.clone(),
                None,
                Some(stray.pid),
            ),
        };
        Self {
            schema: SCHEMA,
            swarm: heap.record.name.to_string(),
            what,
            name,
            agent_id,
            state,
            pid,
            reason,
            why: found.why.to_string(),
        }
    }
}
