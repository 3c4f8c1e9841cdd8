//! Where a swarm's coordinator is, for everybody who looks for it.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use alveary::CoordinatorTable;
use serde::{Deserialize, Serialize};

use super::place::{FOLDER, write_for_owner};
use crate::failure::Failure;

/// Where a swarm's coordinator listens, or did when it last ran: its port is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Address {
    /// Where this host's processes reach it.
    pub(super) listen: SocketAddr,
    /// The process that runs it, or ran it last.
    pub(super) pid: u32,
    /// What the file said of it.
    pub(super) table: serde_json::Value,
    /// Where containers reach it, by the first of their networks. The engine's usual one has no name here.
    #[serde(default)]
    pub(super) gateways: BTreeMap<String, IpAddr>,
    /// By which networks it is not reached, and why.
    #[serde(default)]
    pub(super) unreachable: BTreeMap<String, String>,
}

impl Address {
    /// What a swarm's state folder says of its coordinator.
    pub(crate) fn read(state: &Path) -> Result<Option<Self>, Failure> {
        let file = file_in(state);
        let read = match std::fs::read(&file) {
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(unusable(&file, &error)),
        };
        serde_json::from_slice(&read)
            .map(Some)
            .map_err(|error| unusable(&file, &error.into()))
    }

    /// Writes it down for everybody who comes.
    pub(crate) fn write(&self, state: &Path) -> Result<(), Failure> {
        let file = file_in(state);
        let json = serde_json::to_vec(self).map_err(|error| unusable(&file, &error.into()))?;
        write_for_owner(&file, &json).map_err(|error| unusable(&file, &error))
    }

    /// What a file says of a coordinator, to be compared.
    pub(super) fn table_of(table: &CoordinatorTable) -> serde_json::Value {
        // Nothing in it cannot be written as JSON.
        serde_json::to_value(table).unwrap_or_default()
    }

    /// How long its auctions last.
    #[cfg(feature = "top")]
    pub(super) fn auction(&self) -> std::time::Duration {
        let table = CoordinatorTable::deserialize(&self.table).unwrap_or_default();
        let usual = || alveary_coordinator::Settings::default().auction;
        table.auction.unwrap_or_else(usual)
    }

    /// The URL for who is in a container in this network.
    pub(super) fn url_in(&self, network: &str) -> Option<String> {
        let gateway = *self.gateways.get(network)?;
        Some(format!(
            "http://{}",
            SocketAddr::new(gateway, self.listen.port())
        ))
    }

    /// The URL for who runs on this host.
    pub(crate) fn url(&self) -> String {
        // Whoever listens everywhere is at home, too.
        let mut at = self.listen;
        if at.ip().is_unspecified() {
            at.set_ip(Ipv4Addr::LOCALHOST.into());
        }
        format!("http://{at}")
    }
}

fn file_in(state: &Path) -> PathBuf {
    state.join(FOLDER).join("address.json")
}

fn unusable(file: &Path, error: &io::Error) -> Failure {
    Failure::input(
        format!("{} cannot be used: {error}", file.display()),
        "see to the file, or remove it: `alveary up` writes it anew",
    )
}
