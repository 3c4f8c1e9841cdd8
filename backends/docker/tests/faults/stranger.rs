//! Somebody else's container, in the midst of a swarm.

use alveary_core::SwarmUid;
use serde_json::{Value, json};

use crate::common::IMAGE;
use crate::ground::{ask, ask_with};

/// A container that looks as like one of the swarm's as a stranger's can: it has our labels and a name that begins as
/// theirs do, and is another swarm's. Whatever goes wrong, it stays as it is.
pub(crate) struct Stranger {
    id: String,
}

impl Stranger {
    pub(crate) fn beside(engine: &str, swarm: SwarmUid) -> Self {
        let body = json!({
            "Image": IMAGE,
            "Cmd": ["true"],
            "Labels": {
                "alveary.swarm": SwarmUid::random().to_string(),
                "alveary.agent-id": "stranger",
                "alveary.name": "stranger",
            },
        });
        let path = format!("/v1.41/containers/create?name=faults-{swarm}-stranger");
        let made = ask_with(engine, "POST", &path, &body.to_string());
        let made: Value = serde_json::from_slice(&made).unwrap();
        let id = made["Id"].as_str();
        Self {
            id: id.unwrap_or_else(|| panic!("{made}")).to_owned(),
        }
    }

    /// What has been done to it.
    pub(crate) fn harm(&self, engine: &str) -> Option<String> {
        let said = ask(
            engine,
            "GET",
            &format!("/v1.41/containers/{}/json", self.id),
        );
        let shown: Value = serde_json::from_slice(&said).unwrap_or_default();
        (shown["State"]["Status"] != "created").then(|| String::from_utf8_lossy(&said).into_owned())
    }

    pub(crate) fn goes(&self, engine: &str) {
        let path = format!("/v1.41/containers/{}?force=true", self.id);
        ask(engine, "DELETE", &path);
    }
}
