//! `unpause`: lets agents go on that are held still.

use alveary::{Operation, PauseOptions};
use clap::Args;

use super::pause::facet;
use crate::args::Whom;
use crate::bulk;
use crate::context::Context;
use crate::failure::Failure;
use crate::outcome::Outcome;

/// Lets agents go on that `pause` holds still
///
/// One that is not held still goes on as it does.
#[derive(Debug, Args)]
#[command(after_help = "Example: alveary unpause echo-2")]
pub(crate) struct Unpause {
    #[command(flatten)]
    whom: Whom,
}

impl Unpause {
    pub(crate) async fn run(&self, context: &Context) -> Result<Outcome, Failure> {
        let swarm = context.open().await?.swarm;
        let agents = bulk::meant(&swarm, &self.whom).await?;
        let facet = facet(&swarm, Operation::Resume)?;
        let outcome = bulk::each(
            agents,
            "unpausing",
            |agent| async move { facet.thaw(agent.id(), PauseOptions::default()).await },
            |()| "goes on".to_owned(),
        );
        Ok(outcome.await)
    }
}
