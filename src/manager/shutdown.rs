//! Stopping the whole swarm in a bounded time: on request, on a token, or when a guard is dropped.

use std::collections::HashSet;
use std::fmt;
use std::time::Duration;

use alveary_core::{AgentBackend, AgentId, Error, ErrorKind, Exit, Operation, Result, StopOptions};
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

use super::SwarmManager;
use super::agent::Agent;
use super::bulk::each;
use super::row::Row;

/// How one agent's stop went.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct StopOutcome {
    /// Who.
    pub id: AgentId,
    /// Its name.
    pub name: String,
    /// How it ended, or why that is not known.
    pub result: Result<Exit>,
}

/// How to stop a whole swarm.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ShutdownOptions {
    /// How each agent is stopped.
    pub stop: StopOptions,
    /// After this time whoever still lives is ended by force.
    pub within: Duration,
}

impl Default for ShutdownOptions {
    fn default() -> Self {
        Self {
            stop: StopOptions::default(),
            within: Duration::from_mins(1),
        }
    }
}

impl ShutdownOptions {
    /// Sets how each agent is stopped.
    #[must_use]
    pub fn with_stop(mut self, stop: StopOptions) -> Self {
        self.stop = stop;
        self
    }

    /// Sets after which time force is used.
    #[must_use]
    pub fn with_within(mut self, within: Duration) -> Self {
        self.within = within;
        self
    }
}

/// How long force itself may take.
const FORCE: Duration = Duration::from_secs(15);

impl<B: AgentBackend + ?Sized> SwarmManager<B> {
    /// Stops every agent in the reverse of the order in which they were started, those that others come
    /// after last, and says how each ended. Nothing is removed. After
    /// [`within`](ShutdownOptions::within) force is used, so that it ends.
    pub async fn shutdown(&self, options: ShutdownOptions) -> Result<Vec<StopOutcome>> {
        let core = self.core();
        let mut agents = Vec::new();
        let mut outcomes = Vec::new();
        let in_time = tokio::time::timeout(options.within, async {
            agents = self.call_off(|_| true).await?;
            core.stop_these(agents.clone(), options.stop.clone(), &mut outcomes)
                .await;
            Ok(())
        })
        .await;
        if let Ok(stopped) = in_time {
            return stopped.map(|()| outcomes);
        }
        if agents.is_empty() {
            agents = core.table.agents(Row::may_live);
        }
        // How those ended that did in time is known; force is for the rest.
        outcomes.retain(|outcome| outcome.result.is_ok());
        let ended: HashSet<_> = outcomes.iter().map(|outcome| &outcome.id).collect();
        agents.retain(|agent| !ended.contains(agent.id()));
        outcomes.extend(self.force(agents).await);
        Ok(outcomes)
    }

    /// Ends these by force, all at once.
    async fn force(&self, agents: Vec<Agent>) -> Vec<StopOutcome> {
        let core = self.core();
        each(agents, usize::MAX, |agent: Agent| async move {
            let halt = core.halt(agent.id(), StopOptions::by_force());
            let result = match tokio::time::timeout(FORCE, halt).await {
                Ok(result) => result,
                Err(_) => Err(Error::new(
                    ErrorKind::StillRunning,
                    Operation::Stop,
                    "even force has not ended it in time",
                )
                .with_agent(agent.id())
                .with_cure("see what it does, and stop it again")),
            };
            StopOutcome {
                id: agent.info.id,
                name: agent.info.name,
                result,
            }
        })
        .await
    }

    /// Waits until the token is cancelled, then [shuts down](Self::shutdown).
    pub async fn shutdown_on(
        &self,
        token: &CancellationToken,
        options: ShutdownOptions,
    ) -> Result<Vec<StopOutcome>> {
        token.cancelled().await;
        self.shutdown(options).await
    }
}

impl<B: AgentBackend + ?Sized> SwarmManager<B> {
    /// Stops the swarm when it goes out of scope: agents that are meant to live no longer than this program.
    ///
    /// To be made inside the runtime. Waiting is impossible while dropping, so that a dropped guard begins
    /// the shutdown in the background of that runtime; where the program is about to end,
    /// [`ShutdownGuard::shutdown`] waits for it.
    pub fn guard(&self, options: ShutdownOptions) -> ShutdownGuard<B> {
        ShutdownGuard {
            armed: Some((self.clone(), options)),
            runtime: Handle::try_current().ok(),
        }
    }
}

/// Stops the swarm when it is dropped: see [`SwarmManager::guard`].
#[must_use = "a guard that is dropped at once stops the swarm at once"]
pub struct ShutdownGuard<B: AgentBackend + ?Sized = dyn AgentBackend> {
    armed: Option<(SwarmManager<B>, ShutdownOptions)>,
    runtime: Option<Handle>,
}

impl<B: AgentBackend + ?Sized> fmt::Debug for ShutdownGuard<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ShutdownGuard")
            .field("armed", &self.armed.is_some())
            .finish_non_exhaustive()
    }
}

impl<B: AgentBackend + ?Sized> ShutdownGuard<B> {
    /// Stops the swarm now, and waits for it.
    pub async fn shutdown(mut self) -> Result<Vec<StopOutcome>> {
        match self.armed.take() {
            Some((swarm, options)) => swarm.shutdown(options).await,
            None => Ok(Vec::new()),
        }
    }

    /// Lets the agents live on.
    pub fn disarm(mut self) {
        self.armed = None;
    }
}

impl<B: AgentBackend + ?Sized> Drop for ShutdownGuard<B> {
    fn drop(&mut self) {
        let Some((swarm, options)) = self.armed.take() else {
            return;
        };
        let runtime = self.runtime.clone().or_else(|| Handle::try_current().ok());
        let Some(runtime) = runtime else {
            tracing::warn!("the swarm is not stopped: its guard was dropped outside of a runtime");
            return;
        };
        runtime.spawn(async move {
            match swarm.shutdown(options).await {
                Ok(outcomes) => {
                    for outcome in outcomes {
                        if let Err(error) = outcome.result {
                            tracing::warn!(kind = %error.kind(), why = error.message(), "an agent was not stopped");
                        }
                    }
                }
                Err(error) => tracing::warn!(kind = %error.kind(), why = error.message(), "the swarm was not stopped"),
            }
        });
    }
}
