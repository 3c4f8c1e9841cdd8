//! Where the coordinator of a swarm listens: where its agents look for it.

use std::collections::BTreeMap;
use std::fs::DirBuilder;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use alveary::{AgentSpec, ContainerSpec, CoordinatorTable, Fleet, HostAddress, SwarmManager};

use super::place::FOLDER;
use super::{Address, Place, Service};
use crate::failure::Failure;

/// By what its address is said.
const SAID: &str = "`listen` in `[coordinator]`";

/// A coordinator that is open, and what is to be written down of where it is.
pub(super) struct Opened {
    pub(super) service: Service,
    pub(super) address: Address,
}

/// Opens the coordinator of a swarm, and listens where its agents look for it.
pub(super) async fn open(
    swarm: &SwarmManager,
    fleet: &Fleet,
    table: &CoordinatorTable,
    state: &Path,
) -> Result<Opened, Failure> {
    make_folder(state)?;
    let place = Place::in_state(state, table.db.as_deref());
    let before = Address::read(state)?.map(|address| address.listen);
    let listen = listen(swarm, table, before).await?;
    let mut service = Service::open(table, &place, listen, SAID).await?;
    let at = service.addresses().first().copied().unwrap_or(listen);
    let mut gateways = BTreeMap::new();
    let mut unreachable = BTreeMap::new();
    for (network, found) in gateways_of(swarm, fleet).await {
        let reached = match found {
            Ok(host) if is_reached(host.address, at.ip()) => Ok(host.address),
            Ok(host) => {
                let address = SocketAddr::new(host.address, at.port());
                let listening = service.listen_too(address, host.members);
                listening
                    .map(|()| host.address)
                    .map_err(|error| error.to_string())
            }
            Err(why) => Err(why),
        };
        match reached {
            Ok(gateway) => {
                gateways.insert(network, gateway);
            }
            Err(why) => {
                unreachable.insert(network, why);
            }
        }
    }
    let address = Address {
        listen: at,
        pid: std::process::id(),
        table: Address::table_of(table),
        gateways,
        unreachable,
    };
    Ok(Opened { service, address })
}

/// Whether who listens here listens there already.
fn is_reached(gateway: IpAddr, at: IpAddr) -> bool {
    gateway == at || at.is_unspecified() || gateway.is_loopback()
}

/// The folder of the swarm's coordinator, made if need be.
pub(super) fn make_folder(state: &Path) -> Result<PathBuf, Failure> {
    let folder = state.join(FOLDER);
    let made = DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&folder);
    match made {
        Ok(()) => Ok(folder),
        Err(error) => Err(Failure::input(
            format!("the folder {} cannot be made: {error}", folder.display()),
            "make room there, or choose another folder for state by ALVEARY_STATE_DIR",
        )),
    }
}

/// Where it is to listen: where the file says, or where it did before. A port that a stranger has taken meanwhile is
/// given up only where no agent lives, which would look for the coordinator nowhere else.
async fn listen(
    swarm: &SwarmManager,
    table: &CoordinatorTable,
    before: Option<SocketAddr>,
) -> Result<SocketAddr, Failure> {
    let said = table.listen.unwrap_or((Ipv4Addr::LOCALHOST, 0).into());
    let kept = before.filter(|before| said.port() == 0 && before.ip() == said.ip());
    let Some(kept) = kept else {
        return Ok(said);
    };
    let anybody_lives = || async {
        let agents = swarm.list().await?;
        Ok::<_, Failure>(agents.iter().any(|agent| !agent.state().has_ended()))
    };
    if TcpListener::bind(kept).is_err() && !anybody_lives().await? {
        return Ok(said);
    }
    Ok(kept)
}

/// The host's address in each of the networks in which agents are put into containers, by the first that they name.
async fn gateways_of(
    swarm: &SwarmManager,
    fleet: &Fleet,
) -> BTreeMap<String, Result<HostAddress, String>> {
    let mut gateways = BTreeMap::new();
    let backend = swarm.backend();
    let Some(belongings) = backend
        .belongings()
        .filter(|_| backend.capabilities().container)
    else {
        return gateways;
    };
    for agent in fleet.agents() {
        let network = network_of(&agent.template.container);
        if gateways.contains_key(&network) {
            continue;
        }
        let mut spec = AgentSpec::new("coordinator", ["coordinator"]);
        spec.container = agent.template.container.clone();
        let found = belongings.host_address(&spec).await;
        gateways.insert(network, found.map_err(|error| error.to_string()));
    }
    gateways
}

/// By which of its networks a container is reached: the first, or the engine's usual one, which has no name here.
pub(super) fn network_of(container: &ContainerSpec) -> String {
    container.networks.first().cloned().unwrap_or_default()
}
