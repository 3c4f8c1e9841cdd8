//! `stop`: ends agents, which then stay ended.

use std::time::Duration;

use alveary::Signal;
use clap::Args;

use crate::args::Whom;
use crate::bulk;
use crate::context::Context;
use crate::failure::Failure;
use crate::outcome::Outcome;
use crate::values;
use alveary::StopOptions;

/// Stops agents: asks them to end, and ends them by force after their grace
///
/// Their whole trees of processes have ended when this returns. They are not restarted, and what they wrote and
/// how they ended can be read until `rm` or `down`. Of those named, whoever comes `after` another ends before it.
#[derive(Debug, Args)]
#[command(after_help = "Example: alveary stop -t 2s echo")]
pub(crate) struct Stop {
    /// How long they have between the asking and force, instead of their own `stop.grace`
    #[arg(short, long, alias = "timeout", value_name = "TIME", value_parser = values::duration)]
    time: Option<Duration>,

    /// The signal that asks, instead of their own `stop.signal`
    #[arg(short, long, value_name = "SIGNAL")]
    signal: Option<Signal>,

    #[command(flatten)]
    whom: Whom,
}

impl Stop {
    pub(crate) async fn run(&self, context: &Context) -> Result<Outcome, Failure> {
        let swarm = context.open().await?.swarm;
        let agents = bulk::meant(&swarm, &self.whom).await?;
        let mut options = StopOptions::default();
        options.grace = self.time;
        options.signal = self.signal;
        let outcome = bulk::each_wave(
            swarm.stop_waves(agents),
            "stopping",
            |agent| {
                let (swarm, options) = (&swarm, options.clone());
                async move { swarm.stop(agent.id(), options).await }
            },
            ToString::to_string,
        );
        Ok(outcome.await)
    }
}
