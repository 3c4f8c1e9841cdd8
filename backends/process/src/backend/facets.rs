//! What can be done with local processes besides.
//!
//! Their files are the host's, so there is no [`Files`](alveary_core::Files) here.

use alveary_core::{
    AgentId, AgentPlan, AgentSpec, ErrorKind, Incarnation, Operation, Pause, PauseOptions, Plans,
    Result, Signal, Signals, Stats, StatsOptions, Usage, UsageStream,
};
use async_trait::async_trait;

use super::{Keeping, ProcessBackend};
use crate::client::{Client, unexpected};
use crate::launch;
use crate::wire::{Answer, Request};

#[async_trait]
impl Signals for ProcessBackend {
    async fn signal(
        &self,
        id: &AgentId,
        signal: Signal,
        incarnation: Option<Incarnation>,
    ) -> Result<()> {
        match &self.0.keeping {
            Keeping::Here(here) => here.keep().await?.signal(id, signal, incarnation),
            Keeping::Apart(client) => {
                let send = || Request::Signal {
                    id: id.clone(),
                    signal,
                    incarnation,
                };
                done(client, Operation::Signal, id, send).await
            }
        }
    }
}

#[async_trait]
impl Pause for ProcessBackend {
    async fn freeze(&self, id: &AgentId, options: PauseOptions) -> Result<()> {
        let incarnation = options.incarnation;
        match &self.0.keeping {
            Keeping::Here(here) => here.keep().await?.freeze(id, incarnation).await,
            Keeping::Apart(client) => {
                let id = id.clone();
                let pause = || Request::Pause {
                    id: id.clone(),
                    incarnation,
                };
                done(client, Operation::Pause, &id, pause).await
            }
        }
    }

    async fn thaw(&self, id: &AgentId, options: PauseOptions) -> Result<()> {
        let incarnation = options.incarnation;
        match &self.0.keeping {
            Keeping::Here(here) => here.keep().await?.thaw(id, incarnation),
            Keeping::Apart(client) => {
                let resume = || Request::Resume {
                    id: id.clone(),
                    incarnation,
                };
                done(client, Operation::Resume, id, resume).await
            }
        }
    }
}

async fn done(
    client: &Client,
    operation: Operation,
    id: &AgentId,
    request: impl Fn() -> Request,
) -> Result<()> {
    let until = Client::time_limit();
    match client.ask(operation, Some(id), request, until).await? {
        Answer::Done => Ok(()),
        _ => Err(unexpected(operation)),
    }
}

impl ProcessBackend {
    async fn usage(&self, id: &AgentId, incarnation: Option<Incarnation>) -> Result<Usage> {
        let client = match &self.0.keeping {
            Keeping::Here(here) => return Ok(here.keep().await?.usage(id, incarnation)?.into()),
            Keeping::Apart(client) => client,
        };
        let usage = || Request::Usage {
            id: id.clone(),
            incarnation,
        };
        let until = Client::time_limit();
        match client.ask(Operation::Stats, Some(id), usage, until).await? {
            Answer::Usage(reading) => Ok(reading.into()),
            _ => Err(unexpected(Operation::Stats)),
        }
    }
}

#[async_trait]
impl Stats for ProcessBackend {
    async fn read(&self, id: &AgentId) -> Result<Usage> {
        self.usage(id, None).await
    }

    async fn follow(&self, id: &AgentId, options: StatsOptions) -> Result<UsageStream> {
        let first = self.usage(id, options.incarnation).await?;
        let (backend, id, start) = (self.clone(), id.clone(), first.incarnation);
        let read = move || {
            let (backend, id) = (backend.clone(), id.clone());
            async move {
                match backend.usage(&id, Some(start)).await {
                    Ok(usage) => Ok(Some(usage)),
                    // It has ended, was removed, or was started again.
                    Err(error)
                        if matches!(error.kind(), ErrorKind::Conflict | ErrorKind::NotFound) =>
                    {
                        Ok(None)
                    }
                    Err(error) => Err(error),
                }
            }
        };
        Ok(UsageStream::polled(options.every, first, read))
    }
}

impl Plans for ProcessBackend {
    fn plan(&self, id: &AgentId, spec: &AgentSpec) -> Result<AgentPlan> {
        launch::plan(id, spec)
    }
}
