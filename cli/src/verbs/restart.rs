//! `restart`: stops agents and starts them again.

use std::time::Duration;

use clap::Args;

use crate::args::Names;
use crate::bulk;
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
    #[arg(short, long, value_name = "TIME", value_parser = values::duration)]
    time: Option<Duration>,

    #[command(flatten)]
    names: Names,
}

impl Restart {
    pub(crate) async fn run(&self, context: &Context) -> Result<Outcome, Failure> {
        let swarm = context.open().await?.swarm;
        let agents = bulk::resolve(&swarm, &self.names.names).await?;
        let mut options = StopOptions::default();
        options.grace = self.time;
        let outcome = bulk::each(
            agents,
            "restarting",
            |agent| {
                let (swarm, options) = (&swarm, options.clone());
                async move { swarm.restart(agent.id(), options).await }
            },
            |info| format!("is {}", info.state),
        );
        let outcome = outcome.await;
        note_supervision(&swarm, &swarm.list().await?)?;
        Ok(outcome)
    }
}
