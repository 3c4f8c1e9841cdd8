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
    let mut env = spec.environment(swarm, id, incarnation)?;
    let mut secrets = BTreeMap::new();
    for (key, secret) in &spec.secrets {
        if secret.delivery == SecretDelivery::File {
            secrets.insert(key.clone(), secret.read(key)?);
            env.insert(format!("{key}_FILE"), format!("memory:{key}"));
        }
    }
    Ok(Given {
        args: spec.command.iter().skip(1).cloned().collect(),
        env,
        secrets,
    })
}
