//! Which specs the memory backend takes, and what it gives to the program.

use std::collections::BTreeMap;

use super::context::Given;
use crate::error::{Error, Operation, Result};
use crate::id::{AgentId, Incarnation, SwarmUid};
use crate::spec::{AgentSpec, Limits, SecretDelivery};

/// Refuses what cannot be right, and what a closure in this process cannot be given.
pub(super) fn check(spec: &AgentSpec) -> Result<()> {
    spec.validate()?;
    let Limits {
        memory,
        cpus,
        cpu_time,
        nofile,
        nproc,
    } = &spec.limits;
    let asked_for = [
        ("limits.memory", memory.is_some()),
        ("limits.cpus", cpus.is_some()),
        ("limits.cpu_time", cpu_time.is_some()),
        ("limits.nofile", nofile.is_some()),
        ("limits.nproc", nproc.is_some()),
        ("user", spec.user.is_some()),
        ("cwd", spec.cwd.is_some()),
    ];
    match asked_for.into_iter().find(|(_, asked_for)| *asked_for) {
        None => Ok(()),
        Some((what, _)) => Err(Error::unsupported(
            Operation::Spawn,
            format!("agents in memory share this process and can have no `{what}` of their own"),
            "leave it out, or choose a backend that runs processes or containers",
        )),
    }
}

/// Everything that the program is given; secrets are read here and now.
pub(super) fn given(
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
