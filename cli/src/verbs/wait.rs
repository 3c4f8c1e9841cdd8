//! `wait`: waits for agents to end.

use clap::Args;

use crate::args::Names;
use crate::bulk;
use crate::context::Context;
use crate::failure::Failure;
use crate::outcome::Outcome;
use crate::output;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use std::io::Write;

/// Waits until agents have ended for good, and says how
///
/// An agent that is to be restarted has not ended.
#[derive(Debug, Args)]
#[command(after_help = "Example: alveary wait --exit-code build && alveary up deploy")]
pub(crate) struct Wait {
    /// End with 1 if any of them failed
    #[arg(long)]
    exit_code: bool,

    #[command(flatten)]
    names: Names,
}

impl Wait {
    pub(crate) async fn run(&self, context: &Context) -> Result<Outcome, Failure> {
        let swarm = context.open().await?.swarm;
        let agents = bulk::resolve(&swarm, &self.names.names).await?;
        let mut ends: FuturesUnordered<_> = agents
            .iter()
            .map(|agent| async { (agent.name(), swarm.wait_settled(agent.id()).await) })
            .collect();
        let mut outcome = Outcome::Done;
        while let Some((name, exit)) = ends.next().await {
            let exit = exit?;
            let mut out = output::stdout();
            writeln!(out, "{name} {exit}")?;
            out.flush()?;
            if self.exit_code && !exit.is_clean() {
                outcome = Outcome::AgentFailed;
            }
        }
        Ok(outcome)
    }
}
