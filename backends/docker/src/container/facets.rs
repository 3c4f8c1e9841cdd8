//! What engines can do besides: signals, holding still and letting go on; and, each by itself, running programs,
//! telling what is used, and copying files.

mod ending;
mod exec;
mod files;
mod stats;

use alveary_core::{
    AgentId, Error, ErrorKind, Incarnation, Operation, Pause, PauseOptions, Result, Signal, Signals,
};
use async_trait::async_trait;

use super::Containers;
use super::agent::{Agent, another_start};
use crate::classify::Class;
use crate::engine::{Engine, Phase};

impl<E: Engine> Containers<E> {
    /// The agent, where it runs and is of the start that is meant.
    async fn running(
        &self,
        id: &AgentId,
        meant: Option<Incarnation>,
        operation: Operation,
    ) -> Result<Agent> {
        let agent = self.find(id, operation).await?;
        if meant.is_some_and(|meant| meant != agent.marks.incarnation) {
            return Err(another_start(operation, id));
        }
        if !matches!(agent.container.phase, Phase::Running | Phase::Paused) {
            return Err(does_not_run(operation, id));
        }
        Ok(agent)
    }
}

#[async_trait]
impl<E: Engine> Signals for Containers<E> {
    async fn signal(
        &self,
        id: &AgentId,
        signal: Signal,
        incarnation: Option<Incarnation>,
    ) -> Result<()> {
        let agent = self.running(id, incarnation, Operation::Signal).await?;
        let container = &agent.container.id;
        let sent = if agent.container.phase == Phase::Paused && signal != Signal::KILL {
            let mut ask = self.0.asks.get(container);
            ask.held.push(signal);
            self.note(container, &ask)
        } else {
            self.engine().kill(container, signal).await
        };
        sent.map_err(|trouble| trouble.error(Operation::Signal).with_agent(id))
    }
}

#[async_trait]
impl<E: Engine> Pause for Containers<E> {
    async fn freeze(&self, id: &AgentId, options: PauseOptions) -> Result<()> {
        let agent = self
            .running(id, options.incarnation, Operation::Pause)
            .await?;
        if self.0.asks.get(&agent.container.id).is_any() {
            return Err(
                Error::new(ErrorKind::Conflict, Operation::Pause, "it is being stopped")
                    .with_agent(id)
                    .with_cure("let it end"),
            );
        }
        if agent.container.phase == Phase::Paused {
            return Ok(());
        }
        match self.engine().pause(&agent.container.id).await {
            Err(trouble) if trouble.class == Class::AlreadyPaused => Ok(()),
            paused => paused.map_err(|trouble| trouble.error(Operation::Pause).with_agent(id)),
        }
    }

    async fn thaw(&self, id: &AgentId, options: PauseOptions) -> Result<()> {
        let agent = self
            .running(id, options.incarnation, Operation::Resume)
            .await?;
        if agent.container.phase == Phase::Running {
            return Ok(());
        }
        let thawed = match self.engine().unpause(&agent.container.id).await {
            Err(trouble) if trouble.class != Class::NotPaused => Err(trouble),
            _ => self.deliver(&agent.container.id).await,
        };
        thawed.map_err(|trouble| trouble.error(Operation::Resume).with_agent(id))
    }
}

fn does_not_run(operation: Operation, id: &AgentId) -> Error {
    Error::new(ErrorKind::Conflict, operation, "it does not run")
        .with_agent(id)
        .with_cure("start it again first")
}
