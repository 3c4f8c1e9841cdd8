//! Finding agents: by id, name, kind, capability, or by whatever a person typed.

use alveary_core::{AgentBackend, AgentId, Error, ErrorKind, Escaped, Operation, Result};

use super::SwarmManager;
use super::agent::Agent;
use super::row::Row;
use crate::config::near::did_you_mean;

impl<B: AgentBackend + ?Sized> SwarmManager<B> {
    /// Everyone in the swarm, in order of kind and number: what runs, what has ended, what an earlier
    /// manager started, and what is recorded and not there.
    ///
    /// From memory, which is brought up to date first. An error where the engine was never heard; where it
    /// was, and cannot be heard now, the states are unknown.
    pub async fn list(&self) -> Result<Vec<Agent>> {
        self.these(|_| true).await
    }

    /// One agent. `NotFound` for an unknown id.
    pub async fn get(&self, id: &AgentId) -> Result<Agent> {
        self.up_to_date(Operation::List).await?;
        self.core()
            .table
            .agent(id)
            .ok_or_else(|| Error::agent_not_found(Operation::Inspect, id))
    }

    /// The agent of this name.
    pub async fn find(&self, name: &str) -> Result<Option<Agent>> {
        self.up_to_date(Operation::List).await?;
        let table = &self.core().table;
        Ok(table.named(name).and_then(|id| table.agent(&id)))
    }

    /// All agents of a kind, by number.
    pub async fn group(&self, name: &str) -> Result<Vec<Agent>> {
        self.these(|row| row.group() == Some(name)).await
    }

    /// All agents that say they can do this.
    pub async fn with_capability(&self, capability: &str) -> Result<Vec<Agent>> {
        let mut agents = self.list().await?;
        agents.retain(|agent| agent.info.capabilities.iter().any(|own| own == capability));
        Ok(agents)
    }

    /// Whom a person means by this: the agent of that name, all of a kind, or the one whose id begins so.
    ///
    /// `NotFound` guesses what was meant. `InvalidSpec`: several ids begin so, or several agents bear that name
    /// of which nobody recorded any, and it says which.
    pub async fn resolve(&self, text: &str) -> Result<Vec<Agent>> {
        let group = self.group(text).await?;
        if let Some(agent) = self.find(text).await? {
            let bearers = |agent: &&Agent| agent.name() == text;
            if agent.desired.is_none() && group.iter().filter(bearers).count() > 1 {
                return Err(ambiguous(
                    &format!("several agents are called `{}`", Escaped(text)),
                    &group,
                ));
            }
            return Ok(vec![agent]);
        }
        if !group.is_empty() {
            return Ok(group);
        }
        let mut begins: Vec<Agent> = self.list().await?;
        if let Some(exact) = begins.iter().find(|agent| agent.id().as_str() == text) {
            return Ok(vec![exact.clone()]);
        }
        let guess = {
            let names = begins
                .iter()
                .flat_map(|agent| [agent.name(), agent.group.as_str()]);
            did_you_mean(text, names)
        };
        begins.retain(|agent| !text.is_empty() && agent.id().as_str().starts_with(text));
        match begins.len() {
            1 => Ok(begins),
            0 => Err(Error::new(
                ErrorKind::NotFound,
                Operation::Find,
                format!(
                    "there is no agent or group `{}` in this swarm",
                    Escaped(text)
                ),
            )
            .with_cure(guess.unwrap_or_else(|| "`ps -a` shows those that there are".to_owned()))),
            _ => Err(ambiguous(
                &format!("the ids of several agents begin with `{}`", Escaped(text)),
                &begins,
            )),
        }
    }

    async fn these(&self, which: impl FnMut(&Row) -> bool) -> Result<Vec<Agent>> {
        self.up_to_date(Operation::List).await?;
        Ok(self.core().table.agents(which))
    }

    pub(super) async fn up_to_date(&self, operation: Operation) -> Result<()> {
        self.core().attach_if_ever_heard(operation).await?;
        self.core().up_to_date().await
    }
}

fn ambiguous(what: &str, candidates: &[Agent]) -> Error {
    const SHOWN: usize = 5;
    let mut names: Vec<_> = candidates
        .iter()
        .take(SHOWN)
        .map(|agent| format!("{} ({})", agent.id(), agent.name()))
        .collect();
    if candidates.len() > SHOWN {
        names.push(format!("{} more", candidates.len() - SHOWN));
    }
    Error::new(
        ErrorKind::InvalidSpec,
        Operation::Find,
        format!("{what}: {}", names.join(", ")),
    )
    .with_cure("give more of the id, or another name")
}
