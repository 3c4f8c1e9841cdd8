//! The variables that an agent is given.

use std::collections::BTreeMap;

use super::{AgentSpec, SecretDelivery};
use crate::error::Result;
use crate::id::{AgentId, Incarnation, SwarmUid};

pub(super) fn of(
    spec: &AgentSpec,
    swarm: SwarmUid,
    id: &AgentId,
    incarnation: Incarnation,
) -> Result<BTreeMap<String, String>> {
    let mut variables = BTreeMap::new();
    for key in &spec.inherit {
        if let Ok(value) = std::env::var(key) {
            variables.insert(key.clone(), value);
        }
    }
    variables.extend(spec.env.clone());
    for (key, secret) in &spec.secrets {
        if secret.delivery == SecretDelivery::Env {
            variables.insert(key.clone(), secret.read(key)?.expose().to_owned());
        }
    }
    for (key, value) in [
        ("ALVEARY_SWARM", swarm.to_string()),
        ("ALVEARY_AGENT_ID", id.to_string()),
        ("ALVEARY_INCARNATION", incarnation.to_string()),
    ] {
        variables.insert(key.to_owned(), value);
    }
    Ok(variables)
}
