//! What agents are told of their coordinator.

use std::path::Path;

use alveary::{
    Error, ErrorKind, ManagerOptions, OpenOptions, Operation, Result, Secret, Start, Supplement,
    Supplements,
};

use super::listening::network_of;
use super::{Address, Place};
use crate::failure::Failure;

/// Has the agents of a swarm told of its coordinator at each of their starts, where it has one.
pub(crate) fn tell_agents(options: OpenOptions) -> OpenOptions {
    options.manager(ManagerOptions::default().with_supplements(OfCoordinator))
}

/// Where the coordinator is, and by which token it knows the agent. Read from the swarm's state folder at each start,
/// so that whoever starts an agent tells it the same.
#[derive(Debug)]
struct OfCoordinator;

impl Supplements for OfCoordinator {
    fn supplement(&self, start: &Start<'_>) -> Result<Supplement> {
        match start.state_dir {
            Some(state) => told(start, state),
            None => Ok(Supplement::default()),
        }
    }
}

fn told(start: &Start<'_>, state: &Path) -> Result<Supplement> {
    let Some(address) = Address::read(state).map_err(|failure| unreadable(&failure))? else {
        return Ok(Supplement::default());
    };
    // One that says itself where its coordinator is means another.
    if start.spec.says("COORDINATOR_URL") {
        return Ok(Supplement::default());
    }
    let url = if start.in_container {
        let network = network_of(&start.spec.container);
        address
            .url_in(&network)
            .ok_or_else(|| unreached(&address, &network))?
    } else {
        address.url()
    };
    let tokens = Place::in_state(state, None)
        .tokens()
        .map_err(|failure| unreadable(&failure))?;
    let token = tokens.agent(start.id);
    Ok(Supplement::default()
        .env("COORDINATOR_URL", url)
        .secret("COORDINATOR_TOKEN", Secret::new(token.expose())))
}

fn unreached(address: &Address, network: &str) -> Error {
    let why = address.unreachable.get(network);
    let why = why.map_or(
        "it was not in the file when the coordinator began",
        String::as_str,
    );
    let message = match network {
        "" => format!("it does not reach the swarm's coordinator by its network: {why}"),
        network => {
            format!("it does not reach the swarm's coordinator by its network `{network}`: {why}")
        }
    };
    Error::new(ErrorKind::Conflict, Operation::Spawn, message).with_cure(
        "give it a network of the driver `bridge` in `container.networks`, or an address of its own by `env = { COORDINATOR_URL = \"…\" }`; then bring the swarm up once more",
    )
}

fn unreadable(failure: &Failure) -> Error {
    let (what, cure) = failure.in_words();
    let error = Error::new(ErrorKind::Engine, Operation::State, what);
    match cure {
        Some(cure) => error.with_cure(cure),
        None => error,
    }
}
