//! An outside look at what really runs, without asking the backend.

use std::path::Path;

use alveary_core::{AgentId, SwarmUid};
use async_trait::async_trait;

/// Sees what really runs, without asking the backend under test.
#[async_trait]
pub trait Witness: Send + Sync {
    /// Every living process (or task, where agents are that) of the swarm's agents.
    async fn living(&self, swarm: &SwarmUid) -> Vec<Witnessed>;
}

/// A living process of an agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Witnessed {
    /// Whose it is.
    pub id: AgentId,
    /// Its number, where it has one.
    pub pid: Option<u32>,
    /// Its arguments as any local user reads them, each with a NUL behind it.
    pub argv: Vec<u8>,
}

/// Reads `/proc`: every process whose environment carries the swarm's `ALVEARY_SWARM` belongs to the agent
/// of its `ALVEARY_AGENT_ID`. Serves every backend whose agents run on this host.
#[derive(Debug, Clone, Copy, Default)]
pub struct ProcWitness;

#[async_trait]
impl Witness for ProcWitness {
    async fn living(&self, swarm: &SwarmUid) -> Vec<Witnessed> {
        let swarm = format!("ALVEARY_SWARM={swarm}");
        let Ok(processes) = std::fs::read_dir("/proc") else {
            return Vec::new();
        };
        processes
            .flatten()
            .filter_map(|process| look_at(&process.path(), &swarm))
            .collect()
    }
}

/// A process that ends while it is looked at is not living; neither is a zombie, which has no environment.
fn look_at(process: &Path, swarm: &str) -> Option<Witnessed> {
    let pid = process.file_name()?.to_str()?.parse().ok()?;
    let environment = std::fs::read(process.join("environ")).ok()?;
    let mut variables = environment.split(|byte| *byte == 0);
    if !variables
        .clone()
        .any(|variable| variable == swarm.as_bytes())
    {
        return None;
    }
    let id = variables.find_map(|variable| variable.strip_prefix(b"ALVEARY_AGENT_ID="))?;
    Some(Witnessed {
        id: AgentId::new(std::str::from_utf8(id).ok()?).ok()?,
        pid: Some(pid),
        argv: std::fs::read(process.join("cmdline")).ok()?,
    })
}
