//! `task list`: shows tasks.

use alveary::AgentId;
use alveary_agent::protocol::TaskStatus;
use alveary_agent::{TaskClient, TaskQuery};
use clap::Args;

use super::named::PAGE;
use super::record::TaskRecord;
use super::{print, print_lines};
use crate::coordinating::Names;
use crate::failure::Failure;
use crate::outcome::Outcome;
use crate::output::{Form, about};
use crate::values;

/// Shows tasks, in the order in which they were given
#[derive(Debug, Args)]
#[command(after_help = EXAMPLE, after_long_help = about::<TaskRecord<'static>>(EXAMPLE))]
pub(crate) struct List {
    /// Only those that stand so: pending, bidding, assigned, running, completed or failed
    #[arg(long, value_name = "STATUS")]
    status: Option<TaskStatus>,

    /// Only those that this agent has, or had last: by its name or its id
    #[arg(long, value_name = "AGENT")]
    agent: Option<String>,

    /// Those that were given last first
    #[arg(long)]
    newest: bool,

    /// At most so many
    #[arg(short = 'n', long, value_name = "TASKS", value_parser = values::whole)]
    limit: Option<u32>,
}

const EXAMPLE: &str = "\
Example: alveary task list --status failed --newest --limit 20 --format '{{ description }}: {{ result }}'";

impl List {
    pub(super) async fn run(&self, client: &TaskClient, format: &Form) -> Result<Outcome, Failure> {
        let mut query = TaskQuery::default().with_newest_first(self.newest);
        query.status = self.status;
        query.agent = self.agent_id(client).await?;
        let mut left = self.limit.unwrap_or(u32::MAX);
        let mut all = Vec::new();
        let names = if format.is_plain() {
            None
        } else {
            Some(Names::ask(client).await?)
        };
        while left > 0 {
            query.limit = Some(left.min(PAGE));
            let page = client.tasks(&query).await?;
            left = left.saturating_sub(u32::try_from(page.tasks.len()).unwrap_or(left));
            match &names {
                // As they come: there may be many.
                Some(names) => print_lines(format, &page.tasks, names)?,
                None => all.extend(page.tasks),
            }
            match page.next {
                Some(next) => query.after = Some(next),
                None => break,
            }
        }
        if format.is_plain() {
            print(client, format, &all).await?;
        }
        Ok(Outcome::Done)
    }

    /// The agent that is meant: a name that several have is none's.
    async fn agent_id(&self, client: &TaskClient) -> Result<Option<AgentId>, Failure> {
        let Some(named) = &self.agent else {
            return Ok(None);
        };
        let agents = client.agents().await?;
        if let Some(agent) = agents.iter().find(|agent| agent.id.as_str() == named) {
            return Ok(Some(agent.id.clone()));
        }
        let mut called = agents.into_iter().filter(|agent| agent.name == *named);
        match (called.next(), called.next()) {
            (Some(agent), None) => Ok(Some(agent.id)),
            (Some(_), Some(_)) => Err(Failure::input(
                format!("several agents are called `{named}`"),
                "give the id of the one that is meant",
            )),
            (None, _) => Err(Failure::input(
                format!("the coordinator has heard of no agent `{named}`"),
                "give the name or the id of one that it has heard of",
            )),
        }
    }
}
