//! `restart`: stops agents and starts them again.

use std::collections::HashSet;
use std::time::Duration;

use clap::Args;

use crate::args::Whom;
use crate::bulk;
use crate::coming;
use crate::context::{Context, note_supervision};
use crate::failure::Failure;
use crate::outcome::Outcome;
use crate::values;
use alveary::StopOptions;

/// Stops agents and starts them again, as they were started last
#[derive(Debug, Args)]
#[command(after_help = "Example: alveary restart echo-2")]
pub(crate) struct Restart {
    /// How long they have between the signal that asks and force, instead of their own `stop.grace`
    #[arg(short, long, alias = "timeout", value_name = "TIME", value_parser = values::duration)]
    time: Option<Duration>,

    #[command(flatten)]
    whom: Whom,
}

impl Restart {
    pub(crate) async fn run(&self, context: &Context) -> Result<Outcome, Failure> {
        let opened = context.open().await?;
        let swarm = &opened.swarm;
        let agents = bulk::meant(swarm, &self.whom).await?;
        let meant: HashSet<_> = agents.iter().map(|agent| agent.id().clone()).collect();
        let mut options = StopOptions::default();
        options.grace = self.time;
        let outcome = bulk::each(
            agents,
            "restarting",
            |agent| {
                let options = options.clone();
                async move { swarm.restart(agent.id(), options).await }
            },
            |info| format!("is {}", info.state),
        );
        let outcome = outcome.await;
        let agents = swarm.list().await?;
        let started = agents.iter().filter(|agent| meant.contains(agent.id()));
        let started = started.map(|agent| (agent.id().clone(), agent.state().clone()));
        let outcome = outcome.or(coming::arrived(swarm, started).await);
        note_supervision(&opened, &agents)?;
        Ok(outcome)
    }
}
