//! `rm`: forgets agents that have ended.

use clap::Args;

use crate::bulk;
use crate::context::Context;
use crate::failure::Failure;
use crate::outcome::Outcome;
use alveary::RemoveOptions;

/// Removes agents that have ended, with what they wrote and how they ended
#[derive(Debug, Args)]
#[command(after_help = "Example: alveary rm -f echo-3")]
pub(crate) struct Rm {
    /// End those by force that have not ended
    #[arg(short, long)]
    force: bool,

    /// Every agent of the swarm that has ended; with --force every agent
    #[arg(short, long, conflicts_with = "names")]
    all: bool,

    /// Agents, by name, by group, by id or by the beginning of an id
    #[arg(value_name = "NAME", required_unless_present = "all", add = crate::complete::agents())]
    names: Vec<String>,
}

impl Rm {
    pub(crate) async fn run(&self, context: &Context) -> Result<Outcome, Failure> {
        let swarm = context.open().await?.swarm;
        let agents = if self.all {
            let mut everyone = swarm.list().await?;
            everyone.retain(|agent| self.force || agent.is_settled());
            everyone
        } else {
            bulk::resolve(&swarm, &self.names).await?
        };
        let options = RemoveOptions::default().with_force(self.force);
        let outcome = bulk::each(
            agents,
            "removing",
            |agent| {
                let (swarm, options) = (&swarm, options.clone());
                async move { swarm.remove(agent.id(), options).await }
            },
            |()| "removed".to_owned(),
        );
        Ok(outcome.await)
    }
}
