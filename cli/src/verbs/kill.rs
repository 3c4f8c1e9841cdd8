//! `kill`: sends agents a signal.

use alveary::Signal;
use clap::Args;

use crate::args::Whom;
use crate::bulk;
use crate::context::Context;
use crate::failure::Failure;
use crate::outcome::Outcome;

/// Ends agents by force, or sends them another signal
///
/// Without --signal their whole trees of processes are ended at once, as by `stop -t 0`. Another signal goes to
/// each one's main process, and what comes of it is the agent's own affair.
#[derive(Debug, Args)]
#[command(after_help = "Example: alveary kill -s HUP echo")]
pub(crate) struct Kill {
    /// The signal
    #[arg(short, long, value_name = "SIGNAL", default_value = "KILL")]
    signal: Signal,

    #[command(flatten)]
    whom: Whom,
}

impl Kill {
    pub(crate) async fn run(&self, context: &Context) -> Result<Outcome, Failure> {
        let swarm = context.open().await?.swarm;
        let agents = bulk::meant(&swarm, &self.whom).await?;
        let signal = self.signal;
        let outcome = bulk::each(
            agents,
            "killing",
            |agent| {
                let swarm = &swarm;
                async move {
                    if signal == Signal::KILL {
                        let exit = swarm.kill(agent.id()).await?;
                        return Ok(exit.to_string());
                    }
                    swarm.signal(agent.id(), signal).await?;
                    Ok(format!("was sent {signal}"))
                }
            },
            String::clone,
        );
        Ok(outcome.await)
    }
}
