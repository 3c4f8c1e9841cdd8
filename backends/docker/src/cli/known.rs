//! What the program and its engine are: the two need not be of one kind.

use std::time::Duration;

use serde::Deserialize;

use super::child::{Call, Program};
use crate::classify::{Class, Trouble};
use crate::engine::{Answer, EngineFacts};

/// Whose flags and words the program has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Speaks {
    Docker,
    Podman,
}

/// What was learnt of both.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Known {
    pub(super) speaks: Speaks,
    /// Whether the engine is Podman.
    pub(super) podman: bool,
    pub(super) version: String,
    /// The newest version of the API that the engine serves.
    pub(super) api: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Told {
    client: Side,
    /// `None` where there is none: Podman's program can be its own engine.
    #[serde(default)]
    server: Option<Side>,
}

#[derive(Deserialize)]
struct Side {
    #[serde(rename = "Version")]
    version: String,
    /// Docker's way to write it.
    #[serde(rename = "ApiVersion", default)]
    api: Option<String>,
    /// Podman's way, with a version of its own API.
    #[serde(rename = "APIVersion", default)]
    podman_api: Option<String>,
    #[serde(rename = "Components", default)]
    components: Option<Vec<Component>>,
}

#[derive(Deserialize)]
struct Component {
    #[serde(rename = "Name")]
    name: String,
}

/// The version of Docker's API that every Podman serves.
const PODMANS_API: &str = "1.41";

impl Known {
    pub(super) fn facts(&self) -> EngineFacts {
        EngineFacts {
            version: self.version.clone(),
            api: self.api.clone(),
            podman: self.podman,
        }
    }

    pub(super) async fn ask(program: &Program, limit: Duration) -> Answer<Self> {
        let call = Call::new(["version", "--format={{json .}}"], limit);
        let said = program.run(call).await?;
        if !said.is_well() {
            // Printed or not: what the program knows of itself is no answer.
            return Err(said.trouble());
        }
        Self::read(said.json()?)
    }

    fn read(told: Told) -> Answer<Self> {
        if told.client.podman_api.is_some() {
            let version = told.server.unwrap_or(told.client).version;
            return Ok(Self {
                speaks: Speaks::Podman,
                podman: true,
                version: at_least(4, version)?,
                api: PODMANS_API.to_owned(),
            });
        }
        let Some(server) = told.server else {
            return Err(Trouble::new(
                Class::Unreachable,
                "the program tells of no engine",
            ));
        };
        let components = server.components.unwrap_or_default();
        let podman = components
            .iter()
            .any(|component| component.name.to_lowercase().contains("podman"));
        let oldest = if podman { 4 } else { 20 };
        Ok(Self {
            speaks: Speaks::Docker,
            podman,
            version: at_least(oldest, server.version)?,
            api: server.api.unwrap_or_default(),
        })
    }
}

/// A version whose first number is no number is one of somebody's own, who knows what he does.
fn at_least(oldest: u32, version: String) -> Answer<String> {
    let major = version
        .split('.')
        .next()
        .and_then(|major| major.parse().ok());
    if major.is_some_and(|major: u32| major < oldest) {
        return Err(Trouble::new(
            Class::Version,
            format!("it is of the version {version}"),
        ));
    }
    Ok(version)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(json: &str) -> Answer<Known> {
        Known::read(serde_json::from_str(json).unwrap())
    }

    #[test]
    fn docker_podman_and_one_that_speaks_to_the_other_are_told_apart() {
        let docker = known(r#"{"Client":{"Version":"20.10.24","ApiVersion":"1.41"},"Server":{"Components":[{"Name":"Engine"}],"Version":"20.10.24","ApiVersion":"1.41"}}"#).unwrap();
        assert_eq!((docker.speaks, docker.podman), (Speaks::Docker, false));
        let podman = known(r#"{"Client":{"APIVersion":"4.3.1","Version":"4.3.1"}}"#).unwrap();
        assert_eq!((podman.speaks, podman.podman), (Speaks::Podman, true));
        let both = known(r#"{"Client":{"Version":"28.5.2","ApiVersion":"1.41"},"Server":{"Components":[{"Name":"Podman Engine"}],"Version":"4.3.1","ApiVersion":"1.41"}}"#).unwrap();
        assert_eq!((both.speaks, both.podman), (Speaks::Docker, true));
    }

    #[test]
    fn an_engine_that_is_too_old_or_not_there_is_told() {
        let old = known(
            r#"{"Client":{"Version":"20.10.24"},"Server":{"Version":"18.09.1","ApiVersion":"1.39"}}"#,
        );
        assert_eq!(old.unwrap_err().class, Class::Version);
        let none = known(r#"{"Client":{"Version":"20.10.24"},"Server":null}"#);
        assert_eq!(none.unwrap_err().class, Class::Unreachable);
        let own = known(r#"{"Client":{"Version":"dev"},"Server":{"Version":"dev"}}"#);
        assert_eq!(own.unwrap().version, "dev");
    }
}
