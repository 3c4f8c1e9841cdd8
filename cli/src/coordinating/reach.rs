//! The way to a coordinator, for who gives tasks.

use std::path::PathBuf;
#[cfg(feature = "top")]
use std::time::Duration;

#[cfg(feature = "top")]
use alveary::SwarmManager;
use alveary::recorded_state_dir;
use alveary_agent::{InvalidUrl, TaskClient, TokenFile};
use clap::Args;

use super::{Address, batch};
use crate::context::Context;
use crate::failure::Failure;

/// Which coordinator is meant: the swarm's own, unless another is named.
#[derive(Debug, Clone, Args)]
pub(crate) struct Reach {
    /// The coordinator, where it is not that of the swarm
    #[arg(
        long,
        global = true,
        value_name = "URL",
        env = "COORDINATOR_URL",
        hide_env_values = true
    )]
    url: Option<String>,

    /// With --url: the file that holds the admin's token
    #[arg(
        long,
        global = true,
        value_name = "FILE",
        env = "COORDINATOR_TOKEN_FILE",
        hide_env_values = true
    )]
    token_file: Option<PathBuf>,
}

impl Reach {
    pub(crate) fn client(&self, context: &Context) -> Result<TaskClient, Failure> {
        let Some(url) = &self.url else {
            return of_the_swarm(context);
        };
        let cure = "give another by --url or COORDINATOR_URL, or none, for that of the swarm";
        let client = TaskClient::new(url).map_err(|error| no_url(&error, cure))?;
        Ok(match &self.token_file {
            Some(file) => client.with_token(TokenFile::new(file)),
            None => client,
        })
    }
}

/// The way to the coordinator that runs beside the swarm.
fn of_the_swarm(context: &Context) -> Result<TaskClient, Failure> {
    let fleet = context.fleet_or_recorded()?;
    let name = &fleet.swarm;
    let folder = recorded_state_dir(name, fleet.state_dir.as_deref())?;
    let has_one = match &folder {
        Some(folder) => Address::read(folder)?.is_some(),
        None => false,
    };
    match folder.filter(|_| has_one) {
        Some(folder) => batch::client(&folder),
        None => Err(Failure::input(
            format!("the swarm `{name}` has no coordinator"),
            "bring it up by `alveary up`, with a table `[coordinator]` in its file, or name another coordinator by --url",
        )),
    }
}

/// The way to the coordinator that runs beside this swarm, and how long its auctions last; none where none does.
#[cfg(feature = "top")]
pub(crate) fn beside(swarm: &SwarmManager) -> Result<Option<(TaskClient, Duration)>, Failure> {
    let Some(folder) = swarm.state_dir() else {
        return Ok(None);
    };
    let Some(address) = Address::read(folder)? else {
        return Ok(None);
    };
    let auction = address.auction();
    Ok(Some((batch::client(folder)?, auction)))
}

/// Why a coordinator's URL cannot be right. It is not repeated: somebody may have written a password into it.
pub(crate) fn no_url(error: &InvalidUrl, cure: &str) -> Failure {
    Failure::input(
        format!("the coordinator's URL cannot be right: {error}"),
        cure,
    )
}
