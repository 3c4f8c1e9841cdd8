//! How many of a kind there are.

use alveary_core::{AgentBackend, Error, ErrorKind, Operation, RemoveOptions, Result, StopOptions};

use super::SwarmManager;
use super::agent::Agent;
use super::bulk::each;
use super::up::{UpOptions, UpReport};
use crate::config::{Fleet, MAX_COUNT};

impl<B: AgentBackend + ?Sized> SwarmManager<B> {
    /// Brings a kind of agent to so many, whatever the file says: starts what is missing as the file has it,
    /// and then removes those of the highest numbers that are too many. One that somebody has stopped stays so. None at
    /// all is fine.
    ///
    /// `NotFound`: the file has no such kind. `InvalidSpec`: more than 10,000. `AlreadyExists`: one of another kind
    /// lives by the name of a member.
    pub async fn scale(
        &self,
        fleet: &Fleet,
        group: &str,
        count: u32,
        options: UpOptions,
    ) -> Result<UpReport> {
        if count > MAX_COUNT {
            return Err(Error::new(
                ErrorKind::InvalidSpec,
                Operation::Spawn,
                format!("`{group}` cannot be scaled to {count}: {MAX_COUNT} is the most"),
            )
            .with_cure("ask for fewer"));
        }
        let agent = fleet.find_agent(group)?;
        let count = match (agent.count, count) {
            // One of a kind that has no count bears the name itself.
            (None, 1) => None,
            (_, count) => Some(count),
        };
        let members = agent.members_for(count);
        let report = self.up_members(fleet, &members, &options).await?;
        let too_many = |agent: &Agent| members.iter().all(|m| m.name != agent.name());
        let surplus = self.group(group).await?.into_iter().filter(too_many);
        self.remove_all(surplus.collect()).await?;
        Ok(report)
    }

    /// Stops and removes these; the first failure is the answer, after all have been tried.
    async fn remove_all(&self, agents: Vec<Agent>) -> Result<()> {
        let core = self.core();
        let ids: Vec<_> = agents.iter().map(|agent| agent.id().clone()).collect();
        core.want_stopped(&ids).await?;
        let removed = each(ids, core.options.concurrency, |id| async move {
            match core.halt(&id, StopOptions::default()).await {
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
                _ => {}
            }
            core.forget(&id, RemoveOptions::default()).await
        })
        .await;
        removed.into_iter().collect()
    }
}
