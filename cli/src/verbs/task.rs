//! `task`: gives tasks to a coordinator, and shows what becomes of them.

mod add;
mod import;
mod list;
mod named;
mod outcome;
mod show;
mod watch;

use std::io::Write;

use alveary_agent::TaskClient;
use alveary_agent::protocol::TaskView;
use clap::{Args, Subcommand, ValueEnum};

use crate::context::Context;
use crate::coordinating::{Names, Reach, table};
use crate::failure::Failure;
use crate::outcome::Outcome;
use crate::output;

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

    /// How they are printed: for people, or as one JSON object a line
    #[arg(long, global = true, value_name = "FORM", default_value = "table")]
    format: Format,

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

/// How tasks are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    // Aligned, for people.
    Table,
    // One JSON object a line, for programs.
    Json,
}

impl Task {
    pub(crate) async fn run(&self, context: &Context) -> Result<Outcome, Failure> {
        let client = self.reach.client(context)?;
        match &self.what {
            What::Add(add) => add.run(&client, self.format).await,
            What::List(list) => list.run(&client, self.format).await,
            What::Show(show) => show.run(&client, self.format).await,
            What::Watch(watch) => watch.run(&client, self.format).await,
            What::Import(import) => import.run(&client, self.format).await,
        }
    }
}

/// Prints tasks in the form that is asked for.
async fn print(client: &TaskClient, format: Format, tasks: &[TaskView]) -> Result<(), Failure> {
    let names = match format {
        Format::Table => Names::ask(client).await?,
        Format::Json => Names::default(),
    };
    let mut out = output::stdout();
    match format {
        Format::Table => table(tasks, &names).write(&mut out)?,
        Format::Json => {
            for task in tasks {
                output::write_line(&mut out, task)?;
            }
        }
    }
    out.flush()?;
    Ok(())
}
