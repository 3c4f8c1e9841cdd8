//! An outside look at what really runs, without asking the backend.

use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

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
    let environment = ProcWitness::environment(pid).ok()?;
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

/// Who takes longer to become another program is taken for one without an environment.
const LONGEST_EXEC: Duration = Duration::from_secs(1);

impl ProcWitness {
    /// The variables of a process, each with a NUL behind it. Waits while it becomes another program: the kernel shows
    /// none then.
    ///
    /// # Errors
    ///
    /// Where there is no such process, or its variables are not ours to read.
    pub fn environment(pid: u32) -> io::Result<Vec<u8>> {
        let process = Path::new("/proc").join(pid.to_string());
        let begun = Instant::now();
        let mut before = None;
        loop {
            let environment = std::fs::read(process.join("environ"))?;
            if environment.ends_with(b"\0") {
                return Ok(environment);
            }
            // None, or half of the last one's; but whoever writes over its own need not end it, and one may have none.
            let end = environment_end(&std::fs::read(process.join("stat"))?);
            let is_moving = end == b"0"
                // A thread of the kernel's never has a place for one, and one that has ended no more.
                && process.join("exe").read_link().is_ok()
                && begun.elapsed() < LONGEST_EXEC;
            let now = (environment, end);
            if !is_moving && (before.as_ref() == Some(&now) || begun.elapsed() > LONGEST_EXEC) {
                return Ok(now.0);
            }
            before = Some(now);
            std::thread::sleep(Duration::from_micros(100));
        }
    }
}

/// Where in its memory its environment ends, by `/proc/PID/stat`; 0 where it has none. The 51st field.
fn environment_end(stat: &[u8]) -> Vec<u8> {
    // Names are in parentheses and may hold parentheses and spaces. Behind the last one is the third field.
    let behind = stat.rsplit(|byte| *byte == b')').next().unwrap_or_default();
    let mut fields = behind.trim_ascii().split(|byte| *byte == b' ');
    fields.nth(51 - 3).unwrap_or(b"0").to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_becomes_another_program_is_seen_with_its_variables() {
        for _ in 0..100 {
            let mut child = std::process::Command::new("sh")
                .args(["-c", "exec sleep 1000"])
                .env("ALVEARY_HERE", "yes")
                .spawn()
                .unwrap();
            let seen = [(); 50].map(|()| {
                let environment = ProcWitness::environment(child.id()).unwrap();
                let mut variables = environment.split(|byte| *byte == 0);
                variables.any(|one| one == b"ALVEARY_HERE=yes")
            });
            child.kill().unwrap();
            child.wait().unwrap();
            assert_eq!(seen, [true; 50]);
        }
    }
}
