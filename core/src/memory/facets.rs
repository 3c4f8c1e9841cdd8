//! What the memory backend can do besides: signals, usage, and holding agents still.

use async_trait::async_trait;
use futures_util::StreamExt;

use super::agent::Agent;
use super::{MemoryBackend, ensure_incarnation};
use crate::error::{Operation, Result};
use crate::facets::{Pause, PauseOptions, Signals, Stats, StatsOptions, Usage, UsageStream};
use crate::id::{AgentId, Incarnation};
use crate::signal::Signal;

#[async_trait]
impl Signals for MemoryBackend {
    async fn signal(
        &self,
        id: &AgentId,
        signal: Signal,
        incarnation: Option<Incarnation>,
    ) -> Result<()> {
        let agent = self.find(Operation::Signal, id)?;
        ensure_incarnation(&agent, incarnation, Operation::Signal)?;
        agent.ensure_runs(Operation::Signal)?;
        agent.deliver(signal);
        Ok(())
    }
}

/// The time for which the agent's closure was polled is its processor time. Nothing else is known.
#[async_trait]
impl Stats for MemoryBackend {
    async fn read(&self, id: &AgentId) -> Result<Usage> {
        let agent = self.find(Operation::Stats, id)?;
        agent.ensure_runs(Operation::Stats)?;
        Ok(usage_of(&agent))
    }

    async fn follow(&self, id: &AgentId, options: StatsOptions) -> Result<UsageStream> {
        let agent = self.find(Operation::Stats, id)?;
        ensure_incarnation(&agent, options.incarnation, Operation::Stats)?;
        agent.ensure_runs(Operation::Stats)?;
        let first = usage_of(&agent);
        let ended = agent.ended.clone();
        let read = move || {
            let usage = (!agent.has_ended()).then(|| usage_of(&agent));
            async move { Ok(usage) }
        };
        let readings = UsageStream::polled(options.every, first, read);
        Ok(UsageStream::new(
            readings.take_until(ended.cancelled_owned()),
        ))
    }
}

fn usage_of(agent: &Agent) -> Usage {
    let mut usage = Usage::new(agent.incarnation);
    usage.cpu = Some(agent.motion.used());
    usage
}

/// A closure that is held still is not polled. What it has handed to other tasks goes on.
#[async_trait]
impl Pause for MemoryBackend {
    async fn freeze(&self, id: &AgentId, options: PauseOptions) -> Result<()> {
        let agent = self.find(Operation::Pause, id)?;
        ensure_incarnation(&agent, options.incarnation, Operation::Pause)?;
        agent.pause().await
    }

    async fn thaw(&self, id: &AgentId, options: PauseOptions) -> Result<()> {
        let agent = self.find(Operation::Resume, id)?;
        ensure_incarnation(&agent, options.incarnation, Operation::Resume)?;
        agent.resume()
    }
}
