//! What an engine says of itself: its version, what it is, and what time it has.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ::http::{Method, header};
use serde::Deserialize;

use super::{Http, read_json, request, said_well, within};
use crate::classify::{Class, Trouble};

/// The versions of the API that are spoken here, as (major, minor).
const OLDEST: Version = Version(1, 41);
const NEWEST: Version = Version(1, 51);

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Version(u32, u32);

impl Version {
    fn parse(text: &str) -> Option<Self> {
        let (major, minor) = text.split_once('.')?;
        Some(Self(major.parse().ok()?, minor.parse().ok()?))
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.0, self.1)
    }
}

/// What an engine says of itself.
#[derive(Debug, Clone)]
pub(crate) struct Facts {
    pub(crate) version: String,
    pub(crate) podman: bool,
    pub(super) api: Version,
}

impl Facts {
    /// The version of the API that is spoken with it.
    pub(crate) fn api(&self) -> String {
        self.api.to_string()
    }
}

impl Http {
    /// What the engine is, asked once.
    pub(crate) async fn facts(&self) -> Result<Facts, Trouble> {
        let mut known = self.0.facts.lock().await;
        if let Some(facts) = &*known {
            return Ok(facts.clone());
        }
        let facts = self.ask_facts().await?;
        Ok(known.insert(facts).clone())
    }

    /// The same, asked of the engine whether or not they are known: it may be of another version by now.
    pub(crate) async fn facts_anew(&self) -> Result<Facts, Trouble> {
        let facts = self.ask_facts().await?;
        *self.0.facts.lock().await = Some(facts.clone());
        Ok(facts)
    }

    async fn ask_facts(&self) -> Result<Facts, Trouble> {
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Told {
            version: String,
            api_version: String,
            #[serde(rename = "MinAPIVersion", default)]
            min_api_version: String,
            #[serde(default)]
            components: Option<Vec<Component>>,
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Component {
            name: String,
        }
        let asked = async {
            let response = self.send(request(Method::GET, "/version", None)?).await?;
            read_json::<Told>(said_well(response).await?, 1 << 20).await
        };
        let told = within(self.0.patience, asked).await?;
        let api = Version::parse(&told.api_version);
        let oldest = Version::parse(&told.min_api_version).unwrap_or(Version(1, 0));
        let known = api.filter(|api| *api >= OLDEST && oldest <= NEWEST);
        let Some(api) = known else {
            return Err(Trouble::new(
                Class::Version,
                format!(
                    "it serves the versions {} to {}, and {OLDEST} to {NEWEST} are known here",
                    told.min_api_version, told.api_version
                ),
            ));
        };
        let podman = |component: &Component| component.name.to_lowercase().contains("podman");
        Ok(Facts {
            version: told.version,
            podman: told.components.unwrap_or_default().iter().any(podman),
            api: api.min(NEWEST),
        })
    }

    /// Whether a program's terminal can be given its size before the program runs.
    pub(crate) async fn sizes_terminals(&self) -> Result<bool, Trouble> {
        let facts = self.facts().await?;
        Ok(!facts.podman && facts.api >= Version(1, 42))
    }

    /// A moment of the engine's own clock, as it takes one: a little before now, where its host is this one
    /// to the nanosecond and else as exactly as its answers tell.
    pub(crate) async fn engine_time(&self) -> Result<String, Trouble> {
        let asked = async {
            let response = self.send(request(Method::GET, "/_ping", None)?).await?;
            let date = response.headers().get(header::DATE).cloned();
            said_well(response).await?;
            Ok(date)
        };
        let date = within(self.0.patience, asked).await?;
        let now = SystemTime::now();
        let told = date.filter(|_| !self.is_local()).and_then(|date| {
            let date = jiff::fmt::rfc2822::parse(date.to_str().ok()?).ok()?;
            Some(SystemTime::from(date.timestamp()) - Duration::from_secs(1))
        });
        let since = told
            .unwrap_or(now)
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        Ok(format!("{}.{:09}", since.as_secs(), since.subsec_nanos()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_numbers_and_no_texts() {
        assert!(Version::parse("1.9") < Version::parse("1.41"));
        assert_eq!(Version::parse("x"), None);
    }
}
