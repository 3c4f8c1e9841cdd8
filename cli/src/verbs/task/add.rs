//! `task add`: gives tasks.

use alveary_agent::TaskClient;
use alveary_agent::protocol::{Capabilities, Capability, Description, IdempotencyKey, NewTask};
use clap::Args;

use super::outcome;
use crate::failure::Failure;
use crate::outcome::Outcome;
use crate::output::Form;

/// Gives tasks, each to the agent that asks least for it
#[derive(Debug, Args)]
#[command(after_help = "Example: alveary task add --capability summarise --wait \"chapter one\"")]
pub(crate) struct Add {
    /// What an agent must be able to do
    #[arg(long = "capability", value_name = "NAME")]
    capabilities: Vec<Capabilities>,

    /// Give them only if none were given under this key before
    #[arg(long, value_name = "KEY")]
    key: Option<IdempotencyKey>,

    #[command(flatten)]
    until: outcome::Until,

    /// What is to be done; several are several tasks
    #[arg(value_name = "DESCRIPTION", required = true)]
    descriptions: Vec<Description>,
}

impl Add {
    pub(super) async fn run(&self, client: &TaskClient, format: &Form) -> Result<Outcome, Failure> {
        let each = self.capabilities.iter().flatten().cloned();
        let capabilities = Capabilities::new(each.collect::<Vec<Capability>>())
            .map_err(|error| Failure::input(error.to_string(), "ask for fewer"))?;
        let new: Vec<NewTask> = (self.descriptions.iter().cloned())
            .map(|description| {
                let mut task = NewTask::new(description);
                task.capabilities.clone_from(&capabilities);
                task
            })
            .collect();
        let tasks = client.add(&new, self.key.as_ref()).await?;
        self.until.told(client, format, tasks).await
    }
}
