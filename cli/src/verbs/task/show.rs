//! `task show`: shows all that is known of a task.

use std::io::Write;

use alveary_agent::TaskClient;
use alveary_agent::protocol::{BidView, TaskView};
use clap::Args;

use super::named;
use super::record::{Shown, TaskRecord};
use crate::coordinating::Names;
use crate::failure::Failure;
use crate::outcome::Outcome;
use crate::output::{self, Form, Table, about};

/// Shows all that is known of a task: who bid for it, who has it, what came of it
#[derive(Debug, Args)]
#[command(after_help = EXAMPLE, after_long_help = about::<Shown<'static>>(EXAMPLE))]
pub(crate) struct Show {
    /// Nothing but its result, as it was delivered
    #[arg(long, conflicts_with = "format")]
    result: bool,

    /// The task, by its id or by a beginning of its id that only it has
    #[arg(value_name = "TASK")]
    task: String,
}

const EXAMPLE: &str = "Example: alveary task show --result 4f0c1d2e > chapter-one.txt";

impl Show {
    pub(super) async fn run(&self, client: &TaskClient, format: &Form) -> Result<Outcome, Failure> {
        let task = named::find(client, &self.task).await?;
        if self.result {
            output::print_harmless(task.result.as_deref().unwrap_or_default().as_bytes())?;
            return Ok(Outcome::Done);
        }
        let bids = client.bids(task.id).await?;
        let names = Names::ask(client).await?;
        let mut out = output::stdout();
        if format.is_plain() {
            facts(&task, &bids, &names).write(&mut out)?;
        } else {
            let record = Shown {
                task: TaskRecord::new(&task, &names),
                bids: &bids,
            };
            format.write(&mut out, &record)?;
        }
        out.flush()?;
        Ok(Outcome::Done)
    }
}

fn facts(task: &TaskView, bids: &[BidView], names: &Names) -> Table {
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
    for bid in bids {
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
