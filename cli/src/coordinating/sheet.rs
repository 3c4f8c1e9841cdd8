//! Tasks as they are printed for people.

use std::collections::HashMap;

use alveary::AgentId;
use alveary_agent::protocol::{TaskId, TaskView};
use alveary_agent::{Result, TaskClient};

use crate::output::Table;

/// How much of an id is shown: as much as tells a few thousand apart.
const SHORT: usize = 8;

/// The beginning of a task's id.
pub(crate) fn short(id: TaskId) -> String {
    let mut id = id.to_string();
    id.truncate(SHORT);
    id
}

/// What people call the agents that a coordinator has heard of.
#[derive(Debug, Default)]
pub(crate) struct Names(HashMap<AgentId, String>);

impl Names {
    pub(crate) async fn ask(client: &TaskClient) -> Result<Self> {
        let agents = client.agents().await?.into_iter();
        Ok(Self(agents.map(|agent| (agent.id, agent.name)).collect()))
    }

    /// What this one is called; its id, where it was never heard of.
    pub(crate) fn of(&self, agent: &AgentId) -> String {
        self.0
            .get(agent)
            .map_or_else(|| agent.to_string(), Clone::clone)
    }
}

/// A row for each task.
pub(crate) fn table(tasks: &[TaskView], names: &Names) -> Table {
    let mut table = Table::new(&["TASK", "DESCRIPTION", "STATUS", "AGENT", "SATS", "RESULT"]);
    for task in tasks {
        let agent = task.assigned_agent.as_ref();
        table.row([
            short(task.id),
            task.description.as_str().to_owned(),
            task.status.to_string(),
            agent.map(|agent| names.of(agent)).unwrap_or_default(),
            task.winning_bid
                .map(|bid| bid.to_string())
                .unwrap_or_default(),
            task.result.as_deref().map(first_line).unwrap_or_default(),
        ]);
    }
    table
}

/// A result may be long; the whole of it is for `task show`.
fn first_line(result: &str) -> String {
    match result.trim_end().split_once('\n') {
        None => result.trim_end().to_owned(),
        Some((first, _)) => format!("{first} …"),
    }
}
