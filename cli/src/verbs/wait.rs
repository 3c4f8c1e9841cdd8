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
use crate::together::whom;
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

    /// How long they may take from when it is known how they stand; after that it ends with 124, and they go on
    ///
    /// With 0 it asks whether they have ended.
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
        self.all_ended(&opened, &agents).await
    }

    /// Says of each how it ended, when it has.
    async fn all_ended(&self, opened: &Opened, agents: &[Agent]) -> Result<Outcome, Failure> {
        let swarm = &opened.swarm;
        let mut left: Vec<&Agent> = agents.iter().collect();
        let mut ends: FuturesUnordered<_> = agents
            .iter()
            .map(|agent| async move { (agent, swarm.wait_settled(agent.id()).await) })
            .collect();
        let mut in_vain = std::pin::pin!(tell_if_in_vain(opened, agents));
        let limit = self.timeout.unwrap_or(Duration::MAX);
        let mut too_late = std::pin::pin!(tokio::time::sleep(limit));
        let mut outcome = Outcome::Done;
        loop {
            let next = tokio::select! {
                // Who has ended is asked first, however short the time is.
                biased;
                next = ends.next() => next,
                told = &mut in_vain => match told? {},
                () = &mut too_late => {
                    tell_who_has_not(&left, limit);
                    return Ok(Outcome::TimedOut);
                }
            };
            let Some((agent, exit)) = next else { break };
            let exit = exit?;
            let mut out = output::stdout();
            writeln!(out, "{} {exit}", agent.name())?;
            out.flush()?;
            left.retain(|left| left.id() != agent.id());
            if self.exit_code && !exit.is_clean() {
                outcome = Outcome::AgentFailed;
            }
        }
        Ok(outcome)
    }
}

fn tell_who_has_not(left: &[&Agent], limit: Duration) {
    let names: Vec<&str> = left.iter().map(|agent| agent.name()).collect();
    let have = if names.len() == 1 { "has" } else { "have" };
    let limit = humantime::format_duration(limit);
    tell(
        &format!("{} {have} not ended after {limit}", whom(&names)),
        Some("see `alveary ps`; those that have not go on"),
    );
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
