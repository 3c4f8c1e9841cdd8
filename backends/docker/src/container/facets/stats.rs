//! What agents use up.

use alveary_core::{AgentId, ByteSize, Operation, Result, Stats, StatsOptions, Usage, UsageStream};
use async_trait::async_trait;

use super::does_not_run;
use crate::classify::Class;
use crate::container::Containers;
use crate::container::agent::Agent;
use crate::engine::{Engine, Phase};
use crate::http::stats;

impl<E: Engine> Containers<E> {
    /// `None` where it does not run any more.
    async fn usage(&self, agent: &Agent) -> Result<Option<Usage>> {
        let told = stats::measure(self.engine().http(), &agent.container.id).await;
        let measured = match told {
            Ok(measured) => measured,
            Err(trouble) if matches!(trouble.class, Class::NoContainer | Class::NotRunning) => None,
            Err(trouble) => {
                return Err(trouble.error(Operation::Stats).with_agent(&agent.marks.id));
            }
        };
        Ok(measured.map(|measured| {
            let mut usage = Usage::new(agent.marks.incarnation);
            usage.cpu = measured.cpu;
            usage.memory = measured.memory.map(ByteSize);
            usage.memory_limit = agent.container.memory.map(ByteSize);
            usage.pids = measured.pids;
            usage.io_read = measured.io_read.map(ByteSize);
            usage.io_written = measured.io_written.map(ByteSize);
            usage.network_received = measured.received.map(ByteSize);
            usage.network_sent = measured.sent.map(ByteSize);
            usage
        }))
    }
}

#[async_trait]
impl<E: Engine> Stats for Containers<E> {
    async fn read(&self, id: &AgentId) -> Result<Usage> {
        let agent = self.running(id, None, Operation::Stats).await?;
        let usage = self.usage(&agent).await?;
        usage.ok_or_else(|| does_not_run(Operation::Stats, id))
    }

    async fn follow(&self, id: &AgentId, options: StatsOptions) -> Result<UsageStream> {
        let agent = self
            .running(id, options.incarnation, Operation::Stats)
            .await?;
        let first = self.usage(&agent).await?;
        let first = first.ok_or_else(|| does_not_run(Operation::Stats, id))?;
        let this = self.clone();
        Ok(UsageStream::polled(options.every, first, move || {
            let (this, agent) = (this.clone(), agent.clone());
            async move {
                let found = this.engine().inspect(&agent.container.id).await;
                let found = found.map_err(|trouble| trouble.error(Operation::Stats))?;
                let runs = |phase| matches!(phase, Phase::Running | Phase::Paused);
                match found {
                    Some(found) if runs(found.phase) => this.usage(&agent).await,
                    _ => Ok(None),
                }
            }
        }))
    }
}
