//! Waiting for what becomes of tasks.

use std::collections::HashMap;
use std::time::Duration;

use alveary_agent::protocol::{Happening, TaskId, TaskStatus, TaskView};
use alveary_agent::{Error, ErrorKind, News, TaskClient};
use futures_util::StreamExt;

use super::sheet::{Names, short};
use crate::failure::without_numbers;
use crate::outcome::Outcome;
use crate::output::note;

/// How long to leave a coordinator alone that was lost.
const PAUSE: Duration = Duration::from_millis(500);

/// Tasks that are waited for, as they stood when they were last seen.
#[derive(Debug)]
pub(crate) struct Waiting {
    order: Vec<TaskId>,
    tasks: HashMap<TaskId, TaskView>,
    names: Names,
}

impl Waiting {
    pub(crate) fn of(tasks: Vec<TaskView>) -> Self {
        Self {
            order: tasks.iter().map(|task| task.id).collect(),
            tasks: tasks.into_iter().map(|task| (task.id, task)).collect(),
            names: Names::default(),
        }
    }

    fn open(&self) -> Vec<TaskId> {
        let open = |id: &&TaskId| {
            self.tasks
                .get(id)
                .is_some_and(|task| !task.status.is_over())
        };
        self.order.iter().filter(open).copied().collect()
    }

    /// Looks at each, and then listens; once more when the coordinator was lost. `told` hears which is over, and how,
    /// of each once.
    pub(crate) async fn until_all_are_over(
        &mut self,
        client: &TaskClient,
        told: &mut (dyn FnMut(&str, &str) + Send),
    ) -> Result<(), Error> {
        for task in self.order.iter().filter_map(|id| self.tasks.get(id)) {
            if task.status.is_over() {
                told(&short(task.id), "is over already");
            }
        }
        let mut lost = false;
        while !self.open().is_empty() {
            match self.listen(client, told).await {
                Ok(()) => {}
                Err(error) if error.kind().passes() => {
                    if !std::mem::replace(&mut lost, true) {
                        let error = without_numbers(&error.to_string());
                        note(format_args!("waiting for the coordinator: {error}"));
                    }
                    tokio::time::sleep(error.after().unwrap_or(PAUSE)).await;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Comes back when all are over, or nothing more is told.
    async fn listen(
        &mut self,
        client: &TaskClient,
        told: &mut (dyn FnMut(&str, &str) + Send),
    ) -> Result<(), Error> {
        let mut news = client.events(None).await?;
        self.names = Names::ask(client).await?;
        // What is over by now happened before the first of the news.
        for id in self.open() {
            self.look(client, id, told).await?;
        }
        while !self.open().is_empty() {
            let Some(next) = news.next().await else {
                let ended = Error::new(ErrorKind::Unavailable, "the coordinator tells no more");
                return Err(ended.with_cure("see by `alveary task list` how the tasks stand"));
            };
            let event = match next? {
                News::Event(event) => event,
                News::Missed => return Ok(()),
            };
            match event.what {
                Happening::Completed { task, .. } | Happening::Failed { task, .. }
                    if self.tasks.contains_key(&task) =>
                {
                    self.look(client, task, told).await?;
                }
                Happening::AgentRegistered { .. } => self.names = Names::ask(client).await?,
                _ => {}
            }
        }
        Ok(())
    }

    async fn look(
        &mut self,
        client: &TaskClient,
        id: TaskId,
        told: &mut (dyn FnMut(&str, &str) + Send),
    ) -> Result<(), Error> {
        let now = client.task(id).await?;
        let was_over = self
            .tasks
            .get(&id)
            .is_some_and(|task| task.status.is_over());
        if now.status.is_over() && !was_over {
            let agent = now.assigned_agent.as_ref();
            let by = agent.map(|agent| format!(" by {}", self.names.of(agent)));
            told(
                &short(id),
                &format!("{}{}", now.status, by.unwrap_or_default()),
            );
        }
        self.tasks.insert(id, now);
        Ok(())
    }

    /// What the shell is told: whether one has failed.
    pub(crate) fn outcome(&self) -> Outcome {
        let failed = |task: &TaskView| task.status == TaskStatus::Failed;
        if self.tasks.values().any(failed) {
            Outcome::AgentFailed
        } else {
            Outcome::Done
        }
    }

    /// The tasks in the order in which they were given, as they stood last.
    pub(crate) fn into_tasks(mut self) -> Vec<TaskView> {
        let order = std::mem::take(&mut self.order);
        order
            .into_iter()
            .filter_map(|id| self.tasks.remove(&id))
            .collect()
    }
}
