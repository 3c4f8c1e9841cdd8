//! `wait`: waits for agents to end.

use std::convert::Infallible;
use std::io::Write;
use std::time::Duration;

use alveary::{Agent, Error, Opened, Supervision};
use clap::Args;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;

use crate::args::Names;
use crate::bulk;
use crate::context::{Context, note_no_supervisor};
use crate::failure::{Failure, tell};
use crate::outcome::Outcome;
use crate::output;
use crate::values;

/// How often one looks whether an agent that is to be restarted has anybody who does it.
const LOOK: Duration = Duration::from_secs(1);

/// Waits until agents have ended for good, and says how
///
/// An agent that is to be restarted has not ended.
#[derive(Debug, Args)]
#[command(after_help = "Example: alveary wait --exit-code build && alveary up deploy")]
pub(crate) struct Wait {
    /// End with 1 if any of them failed
    #[arg(long)]
    exit_code: bool,

    /// How long they may take; after that it ends with 1, and they go on
    #[arg(short, long, value_name = "TIME", value_parser = values::duration)]
    timeout: Option<Duration>,

    #[command(flatten)]
    names: Names,
}

impl Wait {
    pub(crate) async fn run(&self, context: &Context) -> Result<Outcome, Failure> {
        let opened = context.open().await?;
        let swarm = &opened.swarm;
        let agents = bulk::resolve(swarm, &self.names.names).await?;
        let all_ended = self.all_ended(&opened, &agents);
        let limit = self.timeout.unwrap_or(Duration::MAX);
        match tokio::time::timeout(limit, all_ended).await {
            Ok(outcome) => outcome,
            Err(_) => {
                let limit = humantime::format_duration(limit);
                tell(
                    &format!("not all have ended after {limit}"),
                    Some("see `alveary ps`; those that have not go on"),
                );
                Ok(Outcome::AgentFailed)
            }
        }
    }

    /// Says of each how it ended, when it has.
    async fn all_ended(&self, opened: &Opened, agents: &[Agent]) -> Result<Outcome, Failure> {
        let swarm = &opened.swarm;
        let mut ends: FuturesUnordered<_> = agents
            .iter()
            .map(|agent| async { (agent.name(), swarm.wait_settled(agent.id()).await) })
            .collect();
        let mut in_vain = std::pin::pin!(tell_if_in_vain(opened, agents));
        let mut outcome = Outcome::Done;
        loop {
            let next = tokio::select! {
                biased;
                next = ends.next() => next,
                told = &mut in_vain => match told? {},
            };
            let Some((name, exit)) = next else { break };
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

/// Says so, once, when one of these has ended, is to be started again, and nobody is there to do it: until
/// somebody is, waiting for its end is in vain.
async fn tell_if_in_vain(opened: &Opened, waited: &[Agent]) -> Result<Infallible, Error> {
    loop {
        let is_meant = |agent: &Agent| waited.iter().any(|waited| waited.id() == agent.id());
        let agents = opened.swarm.list().await?;
        let due = agents
            .iter()
            .any(|agent| agent.restarting && is_meant(agent));
        if due && opened.swarm.supervision()? == Supervision::Nobody {
            note_no_supervisor(opened);
            return std::future::pending().await;
        }
        tokio::time::sleep(LOOK).await;
    }
}
