//! The tasks that a fleet file brings along.

use std::io::Write;
use std::path::{Path, PathBuf};

use alveary::{Fleet, Opened};
use alveary_agent::protocol::{NewTask, TaskView};
use alveary_agent::{TaskClient, TokenFile};
use tokio::sync::mpsc::UnboundedSender;

use super::{Address, Names, Place, Waiting, give, table, task_file};
use crate::failure::Failure;
use crate::outcome::Outcome;
use crate::output;

/// The tasks of the file that `tasks` in `[coordinator]` names.
#[derive(Debug, Clone)]
pub(crate) struct Batch {
    tasks: Vec<NewTask>,
    state: PathBuf,
}

impl Batch {
    /// Reads them; `None` where the fleet file names none.
    pub(crate) fn read(opened: &Opened) -> Result<Option<Self>, Failure> {
        let (Some(file), Some(state)) = (tasks_of(&opened.fleet), opened.swarm.state_dir()) else {
            return Ok(None);
        };
        Ok(Some(Self {
            tasks: task_file::read(file, "")?,
            state: state.to_owned(),
        }))
    }

    /// Gives those that were not given before.
    pub(crate) async fn give(self) -> Result<(), Failure> {
        self.given().await.map(drop)
    }

    async fn given(self) -> Result<(TaskClient, Vec<TaskView>), Failure> {
        let client = client(&self.state)?;
        let tasks = give(&client, &self.tasks, || {}).await?;
        Ok((client, tasks))
    }

    /// Gives them, and waits until all are over; `told` hears of each.
    pub(crate) async fn work(self, told: UnboundedSender<String>) -> Result<Results, Failure> {
        let (client, tasks) = self.given().await?;
        let mut waiting = Waiting::of(tasks);
        let mut tell = |task: &str, what: &str| {
            // Whoever does not listen any more is about to end.
            let _ = told.send(format!("task {task} {what}"));
        };
        waiting.until_all_are_over(&client, &mut tell).await?;
        let names = Names::ask(&client).await?;
        let outcome = waiting.outcome();
        Ok(Results {
            tasks: waiting.into_tasks(),
            names,
            outcome,
        })
    }
}

/// The way to a swarm's own coordinator, for its admin.
pub(super) fn client(state: &Path) -> Result<TaskClient, Failure> {
    let none = || {
        Failure::input(
            "the swarm has no coordinator",
            "bring it up by `alveary up`, with a table `[coordinator]` in its file",
        )
    };
    let address = Address::read(state)?.ok_or_else(none)?;
    let client = TaskClient::new(&address.url()).map_err(|error| {
        Failure::input(
            format!("what is recorded of the swarm's coordinator cannot be right: {error}"),
            "bring the swarm up once more",
        )
    })?;
    Ok(client.with_token(TokenFile::new(Place::in_state(state, None).admin)))
}

fn tasks_of(fleet: &Fleet) -> Option<&Path> {
    fleet.coordinator.as_ref()?.tasks.as_deref()
}

/// What came of tasks.
#[derive(Debug)]
pub(crate) struct Results {
    tasks: Vec<TaskView>,
    names: Names,
    outcome: Outcome,
}

impl Results {
    /// What the shell is told: whether one has failed.
    pub(crate) fn outcome(&self) -> Outcome {
        self.outcome
    }

    /// Prints them as a table.
    pub(crate) fn print(&self) -> Result<(), Failure> {
        let mut out = output::stdout();
        writeln!(out)?;
        table(&self.tasks, &self.names).write(&mut out)?;
        out.flush()?;
        Ok(())
    }
}
