//! The table `[metrics]`: where numbers about a swarm are served.

use std::net::{Ipv4Addr, SocketAddr};

use serde::{Deserialize, Serialize};

use super::coordinator::address;

/// What a fleet file says of where numbers about the swarm are served. The library serves none: whoever restarts the swarm's
/// agents, as the `alveary` program does, reads this; what is served is [`SwarmMetrics`](crate::SwarmMetrics).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct MetricsTable {
    /// Where they are served, over HTTP and to everybody who reaches it: loopback, and a port that is free, unless said.
    #[cfg_attr(
        feature = "schema",
        schemars(
            with = "String",
            regex(pattern = r"^(\[[0-9A-Fa-f:.%]+\]|[0-9.]+):[0-9]{1,5}$")
        )
    )]
    #[serde(deserialize_with = "said")]
    pub listen: SocketAddr,
}

impl Default for MetricsTable {
    fn default() -> Self {
        Self::at((Ipv4Addr::LOCALHOST, 0).into())
    }
}

impl MetricsTable {
    /// Served there.
    pub fn at(listen: SocketAddr) -> Self {
        Self { listen }
    }
}

fn said<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<SocketAddr, D::Error> {
    let said = address(deserializer)?;
    Ok(said.unwrap_or_else(|| MetricsTable::default().listen))
}
