//! What a spec gives to the program.

use std::collections::BTreeMap;

use super::context::Given;
use crate::error::Result;
use crate::id::{AgentId, Incarnation, SwarmUid};
use crate::spec::{AgentSpec, SecretDelivery};

/// Everything that the program is given; secrets are read here and now.
pub(super) fn to_program(
    swarm: SwarmUid,
    id: &AgentId,
    incarnation: Incarnation,
    spec: &AgentSpec,
) -> Result<Given> {
    let mut env = BTreeMap::new();
    for key in &spec.inherit {
        if let Ok(value) = std::env::var(key) {
            env.insert(key.clone(), value);
        }
    }
    env.extend(spec.env.clone());
    let mut secrets = BTreeMap::new();
    for (key, secret) in &spec.secrets {
        let value = secret.read(key)?;
        match secret.delivery {
            SecretDelivery::Env => {
                env.insert(key.clone(), value.expose().to_owned());
            }
            SecretDelivery::File => {
                env.insert(format!("{key}_FILE"), format!("memory:{key}"));
                secrets.insert(key.clone(), value);
            }
        }
    }
    for (key, value) in [
        ("ALVEARY_SWARM", swarm.to_string()),
        ("ALVEARY_AGENT_ID", id.to_string()),
        ("ALVEARY_INCARNATION", incarnation.to_string()),
    ] {
        env.insert(key.to_owned(), value);
    }
    Ok(Given {
        args: spec.command.iter().skip(1).cloned().collect(),
        env,
        secrets,
    })
}
