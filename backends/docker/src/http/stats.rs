//! What the API tells of what a container uses.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;

use super::{Http, SMALL, query};
use crate::classify::Trouble;
use crate::engine::Ref;

/// What a container uses. What the engine does not say is `None`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Measured {
    pub(crate) cpu: Option<Duration>,
    pub(crate) memory: Option<u64>,
    pub(crate) pids: Option<u64>,
    pub(crate) io_read: Option<u64>,
    pub(crate) io_written: Option<u64>,
    pub(crate) received: Option<u64>,
    pub(crate) sent: Option<u64>,
}

/// `None` where the container does not run.
pub(crate) async fn measure(http: &Http, container: &Ref) -> Result<Option<Measured>, Trouble> {
    let path = format!(
        "/containers/{}/stats?{}",
        container.as_str(),
        query(&[("stream", "false"), ("one-shot", "true")])
    );
    let told: Told = http.get(&path, http.patience(), SMALL).await?;
    Ok(told.measured())
}

/// One reading. Engines tell of a container that has ended too: nothing but zeros.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Told {
    cpu_stats: Cpu,
    memory_stats: Memory,
    pids_stats: Pids,
    blkio_stats: Io,
    networks: Option<BTreeMap<String, Network>>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Cpu {
    cpu_usage: CpuUsage,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct CpuUsage {
    total_usage: u64,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Memory {
    usage: Option<u64>,
    stats: Option<BTreeMap<String, serde_json::Value>>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Pids {
    current: Option<u64>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Io {
    io_service_bytes_recursive: Option<Vec<IoEntry>>,
}

#[derive(Deserialize)]
struct IoEntry {
    op: String,
    value: u64,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Network {
    rx_bytes: u64,
    tx_bytes: u64,
}

impl Told {
    /// `None` for a container that does not run.
    fn measured(self) -> Option<Measured> {
        let cpu = self.cpu_stats.cpu_usage.total_usage;
        if cpu == 0 && self.memory_stats.usage.is_none() && self.pids_stats.current.is_none() {
            return None;
        }
        let io = self.blkio_stats.io_service_bytes_recursive;
        let io = |wanted: &str| {
            let of = |entry: &&IoEntry| entry.op.eq_ignore_ascii_case(wanted);
            let entries = io.as_ref().filter(|entries| !entries.is_empty())?;
            Some(entries.iter().filter(of).map(|entry| entry.value).sum())
        };
        let networks = self.networks;
        let network = |bytes: fn(&Network) -> u64| {
            let networks = networks.as_ref().filter(|networks| !networks.is_empty())?;
            Some(networks.values().map(bytes).sum())
        };
        Some(Measured {
            cpu: Some(Duration::from_nanos(cpu)),
            memory: self.memory_stats.held(),
            pids: self.pids_stats.current,
            io_read: io("read"),
            io_written: io("write"),
            received: network(|network| network.rx_bytes),
            sent: network(|network| network.tx_bytes),
        })
    }
}

impl Memory {
    /// Without what the kernel would give back unasked.
    fn held(&self) -> Option<u64> {
        let stat = |key: &str| self.stats.as_ref()?.get(key)?.as_u64();
        let unasked = stat("total_inactive_file").or_else(|| stat("inactive_file"));
        Some(self.usage?.saturating_sub(unasked.unwrap_or(0)))
    }
}
