//! What agents use up.

use std::time::Duration;

use alveary_core::{AgentId, ByteSize, Incarnation, Operation, Result, Usage};
use serde::{Deserialize, Serialize};

use super::{Keep, living};
use crate::os::usage;

/// A reading as it crosses the wire: whoever takes it says when.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Reading {
    incarnation: Incarnation,
    cpu_us: u64,
    #[serde(default)]
    memory: Option<u64>,
    #[serde(default)]
    memory_limit: Option<u64>,
    #[serde(default)]
    threads: Option<u64>,
    #[serde(default)]
    io: Option<(u64, u64)>,
}

impl From<Reading> for Usage {
    fn from(reading: Reading) -> Self {
        let mut usage = Self::new(reading.incarnation);
        usage.cpu = Some(Duration::from_micros(reading.cpu_us));
        usage.memory = reading.memory.map(ByteSize);
        usage.memory_limit = reading.memory_limit.map(ByteSize);
        usage.pids = reading.threads;
        if let Some((read, written)) = reading.io {
            usage.io_read = Some(ByteSize(read));
            usage.io_written = Some(ByteSize(written));
        }
        usage
    }
}

impl Keep {
    /// What the agent has used up, and uses now.
    ///
    /// Its control group knows. Without one, and of what that group does not count, its processes are asked, and what
    /// those used that ended unseen is not counted.
    pub(crate) fn usage(&self, id: &AgentId, incarnation: Option<Incarnation>) -> Result<Reading> {
        let (incarnation, cgroup, main) = {
            let table = self.table();
            let agent = living(&table, id, incarnation, Operation::Stats)?;
            let main = agent.running(Operation::Stats)?;
            (agent.intent.incarnation, agent.intent.cgroup.clone(), main)
        };
        let tree = || usage::tree(main.pid);
        let Some(cgroup) = cgroup else {
            let tree = tree();
            return Ok(Reading {
                incarnation,
                cpu_us: micros(self.at_least_as_before(id, incarnation, tree.cpu)),
                memory: some(usage::memory(&usage::descendants(main.pid))),
                memory_limit: None,
                threads: some(tree.threads),
                io: self.no_less_io(id, incarnation, usage::io(&usage::descendants(main.pid))),
            });
        };
        let io = cgroup
            .io()
            .or_else(|| self.no_less_io(id, incarnation, usage::io(&cgroup.processes())));
        Ok(Reading {
            incarnation,
            cpu_us: micros(cgroup.cpu().unwrap_or_else(|| tree().cpu)),
            memory: cgroup
                .memory()
                .or_else(|| some(usage::memory(&cgroup.processes()))),
            memory_limit: cgroup.memory_limit(),
            threads: some(cgroup.threads()),
            io,
        })
    }

    /// What ended unseen is forgotten by the kernel; what was told once is not taken back.
    fn at_least_as_before(
        &self,
        id: &AgentId,
        incarnation: Incarnation,
        cpu: Duration,
    ) -> Duration {
        let mut table = self.table();
        match table.agents.get_mut(id) {
            Some(agent) if agent.intent.incarnation == incarnation => {
                agent.cpu_told = agent.cpu_told.max(cpu);
                agent.cpu_told
            }
            _ => cpu,
        }
    }

    /// The same of what was read from disks and written to them.
    fn no_less_io(
        &self,
        id: &AgentId,
        incarnation: Incarnation,
        io: Option<(u64, u64)>,
    ) -> Option<(u64, u64)> {
        let mut table = self.table();
        match table.agents.get_mut(id) {
            Some(agent) if agent.intent.incarnation == incarnation => {
                let (read, written) = agent.io_told.unwrap_or_default();
                let more = io.map(|io| (io.0.max(read), io.1.max(written)));
                agent.io_told = more.or(agent.io_told);
                more
            }
            _ => io,
        }
    }
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

/// What cannot be nothing is not known, for an agent that is just about to end.
fn some(value: u64) -> Option<u64> {
    Some(value).filter(|value| *value > 0)
}
