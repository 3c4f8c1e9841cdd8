//! `task`: gives tasks to a coordinator, and shows what becomes of them.

mod add;
mod import;
mod list;
mod named;
mod outcome;
mod record;
mod show;
mod watch;

use std::io::Write;

use alveary_agent::TaskClient;
use alveary_agent::protocol::{Event, TaskView};
use clap::{Args, Subcommand};

use crate::context::Context;
use crate::coordinating::{Names, Reach, table};
use crate::failure::Failure;
use crate::outcome::Outcome;
use crate::output::{self, Form};
use record::{Shown, TaskRecord};

/// Gives tasks to the swarm's coordinator, and shows what becomes of them
///
/// That of another is found by --url and --token-file.
#[derive(Debug, Args)]
#[command(
    subcommand_value_name = "WHAT",
    subcommand_help_heading = "What",
    disable_help_subcommand = true,
    after_help = "Example: alveary task import --wait tasks.jsonl"
)]
pub(crate) struct Task {
    #[command(flatten)]
    reach: Reach,

    /// How to print them: `table`, or a line each: `json`, or a template
    #[arg(long, global = true, value_name = "FORM", default_value = "table")]
    format: String,

    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    Add(add::Add),
    #[command(visible_alias = "ls")]
    List(list::List),
    Show(show::Show),
    Watch(watch::Watch),
    Import(import::Import),
}

impl Task {
    pub(crate) async fn run(&self, context: &Context) -> Result<Outcome, Failure> {
        // What was typed wrong is told before anybody is asked.
        let text = &self.format;
        let format = match &self.what {
            What::Add(_) | What::List(_) | What::Import(_) => record::read::<TaskRecord<'_>>(text)?,
            What::Show(_) => record::read::<Shown<'_>>(text)?,
            What::Watch(_) => record::read::<Event>(text)?,
        };
        let client = self.reach.client(context)?;
        match &self.what {
            What::Add(add) => add.run(&client, &format).await,
            What::List(list) => list.run(&client, &format).await,
            What::Show(show) => show.run(&client, &format).await,
            What::Watch(watch) => watch.run(&client, &format).await,
            What::Import(import) => import.run(&client, &format).await,
        }
    }
}

/// Prints tasks in the form it was asked for.
async fn print(client: &TaskClient, format: &Form, tasks: &[TaskView]) -> Result<(), Failure> {
    let names = Names::ask(client).await?;
    if format.is_plain() {
        let mut out = output::stdout();
        table(tasks, &names).write(&mut out)?;
        return Ok(out.flush()?);
    }
    print_lines(format, tasks, &names)
}

/// Prints tasks for programs, a line each.
fn print_lines(format: &Form, tasks: &[TaskView], names: &Names) -> Result<(), Failure> {
    let mut out = output::stdout();
    for task in tasks {
        format.write(&mut out, &TaskRecord::new(task, names))?;
    }
    Ok(out.flush()?)
}
