//! The table `[coordinator]`: where a swarm's tasks go in, are auctioned, and come out done.

use std::fmt;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use serde::de::{Deserializer, Error, Unexpected, Visitor};
use serde::{Deserialize, Serialize};

/// What a fleet file says of the swarm's coordinator. The library starts none: whoever runs one beside the swarm,
/// as the `alveary` program does, reads this.
///
/// What is not said is for the coordinator to know.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct CoordinatorTable {
    /// Where it listens; loopback, and a port that is kept once it was found, unless said.
    #[cfg_attr(
        feature = "schema",
        schemars(
            with = "String",
            regex(pattern = r"^(\[[0-9A-Fa-f:.%]+\]|[0-9.]+):[0-9]{1,5}$")
        )
    )]
    #[serde(deserialize_with = "address", skip_serializing_if = "Option::is_none")]
    pub listen: Option<SocketAddr>,
    /// The file of its tasks: absolute once read. In the swarm's state folder unless said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub db: Option<PathBuf>,
    /// Who may speak to it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auth: Option<CoordinatorAuth>,
    /// How long an auction lasts.
    #[cfg_attr(
        feature = "schema",
        schemars(with = "Option<alveary_core::schema::TimeAboveZero>")
    )]
    #[serde(with = "length", skip_serializing_if = "Option::is_none")]
    pub auction: Option<Duration>,
    /// What becomes of a task for which nobody has bid.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub no_bids: Option<NoBids>,
    /// How often a task is given to somebody at the most.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attempts: Option<NonZeroU32>,
    /// How long an agent may give no sign of life before its work is given to another.
    #[cfg_attr(
        feature = "schema",
        schemars(with = "Option<alveary_core::schema::TimeAboveZero>")
    )]
    #[serde(with = "length", skip_serializing_if = "Option::is_none")]
    pub heartbeat: Option<Duration>,
    /// How long an agent that knows no heartbeats may have a task.
    #[cfg_attr(
        feature = "schema",
        schemars(with = "Option<alveary_core::schema::TimeAboveZero>")
    )]
    #[serde(with = "length", skip_serializing_if = "Option::is_none")]
    pub unclaimed: Option<Duration>,
    /// What becomes at its start of what an earlier one left unfinished.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recovery: Option<Recovery>,
    /// Host names by which it may be called besides those of loopback and of where it listens.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub hosts: Vec<String>,
    /// Whether it may be without `auth` where others than this machine's own reach it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub insecure_no_auth: bool,
    /// A file of tasks, one JSON object a line, that are added when the swarm is brought up: absolute once read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tasks: Option<PathBuf>,
}

/// Who may speak to a coordinator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum CoordinatorAuth {
    /// Who has a token: each agent one of its own.
    Token,
    /// By the original's routes, anybody who reaches it.
    None,
}

/// What becomes of a task for which nobody has bid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum NoBids {
    /// It has failed.
    Fail,
    /// It is auctioned again, so many times at the most.
    Retry(u32),
}

/// What becomes, when a coordinator starts, of the tasks that an earlier one left unfinished.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Recovery {
    /// Their auctions begin anew, and who works on one may finish it.
    Reauction,
    /// They have failed.
    Fail,
}

impl CoordinatorTable {
    /// Whether anybody could speak to it from another machine, and nobody has said that this is meant.
    pub(crate) fn is_open_to_all(&self) -> bool {
        self.auth == Some(CoordinatorAuth::None)
            && !self.insecure_no_auth
            && self.listen.is_some_and(|listen| !listen.ip().is_loopback())
    }
}

/// An address with its port. A name would have to be looked up, and might be another's tomorrow.
pub(super) fn address<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<SocketAddr>, D::Error> {
    struct Address;
    impl Visitor<'_> for Address {
        type Value = SocketAddr;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an address and a port, such as \"127.0.0.1:8000\"")
        }

        fn visit_str<E: Error>(self, text: &str) -> Result<SocketAddr, E> {
            text.parse()
                .map_err(|_| E::invalid_value(Unexpected::Str(text), &self))
        }
    }
    deserializer.deserialize_str(Address).map(Some)
}

/// A length of time that is not nothing.
mod length {
    use std::time::Duration;

    use serde::de::{Deserializer, Error};
    use serde::ser::Serializer;

    #[expect(
        clippy::ref_option,
        reason = "serde hands over a reference to the field"
    )]
    pub(super) fn serialize<S: Serializer>(
        time: &Option<Duration>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        humantime_serde::option::serialize(time, serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Duration>, D::Error> {
        let time: Duration = humantime_serde::deserialize(deserializer)?;
        if time.is_zero() {
            return Err(D::Error::custom("no time at all is too short"));
        }
        Ok(Some(time))
    }
}
