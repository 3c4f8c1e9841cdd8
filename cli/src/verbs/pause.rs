//! `pause`: holds agents still.

use alveary::{Error, Operation, PauseOptions, SwarmManager};
use clap::Args;

use crate::args::Whom;
use crate::bulk;
use crate::context::Context;
use crate::failure::Failure;
use crate::outcome::Outcome;

/// Holds agents still, until `unpause` lets them go on
///
/// None of their processes does anything meanwhile; they keep their memory and their connections. One that is held still
/// already stays so. A `stop` works as ever.
#[derive(Debug, Args)]
#[command(after_help = "Example: alveary pause echo-2")]
pub(crate) struct Pause {
    #[command(flatten)]
    whom: Whom,
}

impl Pause {
    pub(crate) async fn run(&self, context: &Context) -> Result<Outcome, Failure> {
        let swarm = context.open().await?.swarm;
        let agents = bulk::meant(&swarm, &self.whom).await?;
        let facet = facet(&swarm, Operation::Pause)?;
        let outcome = bulk::each(
            agents,
            "pausing",
            |agent| async move { facet.freeze(agent.id(), PauseOptions::default()).await },
            |()| "is paused".to_owned(),
        );
        Ok(outcome.await)
    }
}

/// What holds the agents of this swarm still, and lets them go on. To be asked for when the backend has been heard, which
/// may not know before.
pub(super) fn facet(
    swarm: &SwarmManager,
    wanted: Operation,
) -> Result<&dyn alveary::Pause, Failure> {
    let facet = swarm.backend().pause().ok_or_else(|| {
        Error::unsupported(
            wanted,
            format!(
                "{} cannot hold its agents still here",
                swarm.backend().kind()
            ),
            "use a backend that can; `alveary doctor` says what it would need",
        )
    });
    Ok(facet?)
}
