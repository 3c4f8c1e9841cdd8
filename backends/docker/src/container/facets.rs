//! What engines can do besides: signals, holding still and letting go on, telling what is used, running programs.

use alveary_core::{
    AgentId, ByteSize, Error, ErrorKind, Exec, ExecSpec, Execution, Incarnation, Operation, Pause,
    PauseOptions, Result, Retry, Signal, Signals, Stats, StatsOptions, Usage, UsageStream,
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
        sent.map_err(|trouble| trouble.error(Operation::Signal).agent(id))
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
                    .agent(id)
                    .cure("let it end"),
            );
        }
        if agent.container.phase == Phase::Paused {
            return Ok(());
        }
        match self.engine().pause(&agent.container.id).await {
            Err(trouble) if trouble.class == Class::AlreadyPaused => Ok(()),
            paused => paused.map_err(|trouble| trouble.error(Operation::Pause).agent(id)),
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
        thawed.map_err(|trouble| trouble.error(Operation::Resume).agent(id))
    }
}

impl<E: Engine> Containers<E> {
    /// `None` where it does not run any more.
    async fn usage(&self, agent: &Agent) -> Result<Option<Usage>> {
        let Some(measures) = self.engine().measures() else {
            return Err(Error::unsupported(
                Operation::Stats,
                "this way to the engine does not tell what is used",
                "use the backend `docker-api`",
            ));
        };
        let told = measures.measure(&agent.container.id).await;
        let measured = match told {
            Ok(measured) => measured,
            Err(trouble) if matches!(trouble.class, Class::NoContainer | Class::NotRunning) => None,
            Err(trouble) => return Err(trouble.error(Operation::Stats).agent(&agent.marks.id)),
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

fn does_not_run(operation: Operation, id: &AgentId) -> Error {
    Error::new(ErrorKind::Conflict, operation, "it does not run")
        .agent(id)
        .cure("start it first")
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

#[async_trait]
impl<E: Engine> Exec for Containers<E> {
    async fn run(&self, id: &AgentId, spec: &ExecSpec) -> Result<Execution> {
        spec.validate().map_err(|error| error.agent(id))?;
        let Some(executes) = self.engine().executes() else {
            return Err(Error::unsupported(
                Operation::Exec,
                "this way to the engine runs no programs",
                "use the backend `docker-api`",
            ));
        };
        let agent = self.running(id, spec.incarnation, Operation::Exec).await?;
        if agent.container.phase == Phase::Paused {
            return Err(
                Error::new(ErrorKind::Conflict, Operation::Exec, "it is paused")
                    .agent(id)
                    .cure("let it go on first"),
            );
        }
        let begun = executes.execute(&agent.container.id, spec).await;
        begun.map_err(|trouble| {
            // Two calls would be two programs.
            trouble
                .error(Operation::Exec)
                .agent(id)
                .retry_when(Retry::Never)
        })
    }

    fn ends_when_dropped(&self) -> bool {
        false
    }
}
