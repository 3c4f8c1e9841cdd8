//! `task import`: gives the tasks of a file.

use std::cell::Cell;
use std::path::PathBuf;

use alveary_agent::TaskClient;
use clap::{Args, ValueHint};

use super::outcome;
use crate::coordinating::{give, task_file};
use crate::failure::Failure;
use crate::outcome::Outcome;
use crate::output::{Bar, Form, Screen, note};

/// Gives the tasks of a file, one JSON object a line; one that was given by it before is not given again
#[derive(Debug, Args)]
#[command(after_help = "Example: alveary task import --wait --format json examples/tasks.jsonl")]
pub(crate) struct Import {
    /// Under another key, the same tasks are others, and are given once more
    #[arg(
        long,
        value_name = "KEY",
        default_value = "",
        hide_default_value = true
    )]
    key: String,

    #[command(flatten)]
    until: outcome::Until,

    /// The file; `-` is the standard input
    #[arg(id = "tasks", value_name = "FILE", value_hint = ValueHint::FilePath)]
    file: PathBuf,
}

impl Import {
    pub(super) async fn run(&self, client: &TaskClient, format: &Form) -> Result<Outcome, Failure> {
        let given = task_file::read(&self.file, &self.key)?;
        let bar = Bar::on(&Screen::new(), "giving", given.len());
        let there = Cell::new(0);
        let tasks = give(client, &given, || {
            there.set(there.get() + 1);
            bar.advance();
        });
        let tasks = tasks.await;
        drop(bar);
        if tasks.is_err() && there.get() > 0 {
            note(format_args!(
                "{} of {} tasks are there; import the file again for the others, and none is given twice",
                there.get(),
                given.len()
            ));
        }
        let tasks = tasks?;
        match tasks.len() {
            0 => note("there is no task in it"),
            1 => note("the task is there"),
            many => note(format_args!("{many} tasks are there")),
        }
        self.until.told(client, format, tasks).await
    }
}
