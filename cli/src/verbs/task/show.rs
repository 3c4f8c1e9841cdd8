//! `task show`: shows all that is known of a task.

use std::io::Write;

use alveary_agent::TaskClient;
use alveary_agent::protocol::{BidView, TaskView};
use clap::Args;
use serde::Serialize;

use super::{Format, named};
use crate::coordinating::Names;
use crate::failure::Failure;
use crate::outcome::Outcome;
use crate::output::{self, Table};

/// Shows all that is known of a task: who bid for it, who has it, what came of it
#[derive(Debug, Args)]
#[command(after_help = "Example: alveary task show --result 4f0c1d2e > chapter-one.txt")]
pub(crate) struct Show {
    /// Nothing but its result, as it was delivered
    #[arg(long, conflicts_with = "format")]
    result: bool,

    /// The task, by its id or by a beginning of its id that only it has
    #[arg(value_name = "TASK")]
    task: String,
}

/// A task and the bids for it, for programs.
#[derive(Serialize)]
struct Record<'a> {
    #[serde(flatten)]
    task: &'a TaskView,
    bids: &'a [BidView],
}

impl Show {
    pub(super) async fn run(
        &self,
        client: &TaskClient,
        format: Format,
    ) -> Result<Outcome, Failure> {
        let task = named::find(client, &self.task).await?;
        if self.result {
            output::print_harmless(task.result.as_deref().unwrap_or_default().as_bytes())?;
            return Ok(Outcome::Done);
        }
        let bids = client.bids(task.id).await?;
        let record = Record {
            task: &task,
            bids: &bids,
        };
        let mut out;
        if format == Format::Json {
            out = output::stdout();
            output::write_line(&mut out, &record)?;
        } else {
            let names = Names::ask(client).await?;
            out = output::stdout();
            facts(&record, &names).write(&mut out)?;
        }
        out.flush()?;
        Ok(Outcome::Done)
    }
}

fn facts(record: &Record<'_>, names: &Names) -> Table {
    let Record { task, bids } = record;
    let mut table = Table::new(&["WHAT", "IS"]).whole_cells(true);
    let mut row = |what: &str, is: String| table.row([what.to_owned(), is]);
    row("task", task.id.to_string());
    row("description", task.description.as_str().to_owned());
    row("capabilities", task.capabilities.to_string());
    row("status", task.status.to_string());
    row("given at", task.created_at.to_string());
    if let Some(at) = task.completed_at {
        row("over at", at.to_string());
    }
    row("auctions", task.auctions.to_string());
    row("attempts", task.attempts.to_string());
    for bid in *bids {
        let is = format!(
            "{} sats by {} in auction {}",
            bid.bid_sats,
            names.of(&bid.agent_id),
            bid.auction
        );
        row("bid", is);
    }
    if let Some(agent) = &task.assigned_agent {
        row("agent", names.of(agent));
    }
    if let Some(result) = &task.result {
        row("result", result.trim_end().to_owned());
    }
    table
}
