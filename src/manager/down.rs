//! Taking a swarm down: nothing of it stays, neither agents nor records.

use std::time::Duration;

use alveary_core::{
    AgentBackend, AgentInfo, ErrorKind, ListOptions, Operation, RemoveOptions, Result,
};
use tokio::time::Instant;

use super::SwarmManager;
use super::bulk::each;
use super::shutdown::{ShutdownOptions, StopOutcome};
use crate::state::{Change, Lease};

/// How often one looks whether anything appeared while the rest was removed.
const ROUNDS: usize = 5;
/// How long one waits for the restarter in another process to see that it has nothing left to do.
const SUPERVISOR: Duration = Duration::from_secs(2);
const LOOK: Duration = Duration::from_millis(100);

/// How to take a swarm down.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct DownOptions {
    /// How the agents are stopped before they are removed.
    pub shutdown: ShutdownOptions,
}

impl DownOptions {
    /// Sets how the agents are stopped.
    #[must_use]
    pub fn with_shutdown(mut self, shutdown: ShutdownOptions) -> Self {
        self.shutdown = shutdown;
        self
    }
}

/// What became of a swarm that was taken down.
#[derive(Debug)]
#[non_exhaustive]
pub struct DownReport {
    /// How those ended that still lived.
    pub stopped: Vec<StopOutcome>,
    /// How many agents were removed.
    pub removed: usize,
    /// Those that could not be removed, and why. They are still recorded: once more may do it.
    pub left: Vec<(AgentInfo, alveary_core::Error)>,
}

impl DownReport {
    /// Whether nothing is left.
    pub fn is_complete(&self) -> bool {
        self.left.is_empty()
    }
}

impl<B: AgentBackend + ?Sized> SwarmManager<B> {
    /// Stops every agent, those that others come after last, removes them all, and forgets the swarm's
    /// records; whoever restarts its agents in another process ends. What cannot be removed stays recorded.
    pub async fn down(&self, options: DownOptions) -> Result<DownReport> {
        let core = self.core();
        core.attach(Operation::List).await?;
        // From here on nothing is started by anybody who reads the records. On a full disk it cannot be
        // written, and going down is what helps.
        let recorded = core
            .store
            .commit(&core.table, |records| {
                let anything = records.len() > 0 || core.store.shared().is_some();
                Ok(anything.then_some(Change::Down).into_iter().collect())
            })
            .await;
        if let Err(error) = recorded {
            tracing::warn!(%error, "it could not be recorded that the swarm goes down");
        }
        let mut report = DownReport {
            stopped: self.shutdown(options.shutdown.clone()).await?,
            removed: 0,
            left: Vec::new(),
        };
        // From the engine itself, since a late start of somebody who had not read yet may come between.
        for _ in 0..ROUNDS {
            let there = core.backend.list(ListOptions::default()).await?;
            if there.is_empty() {
                report.left.clear();
                break;
            }
            let removed = each(there, core.options.concurrency, |info| async move {
                let removing = core.forget(&info.id, RemoveOptions::default().with_force(true));
                match removing.await {
                    Err(error) if error.kind() != ErrorKind::NotFound => Err((info, error)),
                    _ => Ok(()),
                }
            })
            .await;
            let all = removed.len();
            report.left = removed.into_iter().filter_map(Result::err).collect();
            report.removed += all - report.left.len();
            if report.left.len() == all {
                break;
            }
        }
        if report.is_complete() {
            core.store.clear(&core.table).await?;
            self.see_off_supervisor().await?;
        }
        Ok(report)
    }

    /// Waits until the swarm is being taken down, by this process or another. For who does nothing but
    /// restart its agents: there is nothing left to do then.
    ///
    /// Never ends where the swarm keeps its records in memory.
    pub async fn until_down(&self) -> Result<()> {
        let core = self.core();
        if core.store.shared().is_none() {
            return std::future::pending().await;
        }
        let mut life = core.store.life();
        let mut before = *life.borrow_and_update();
        loop {
            let now = *life.borrow_and_update();
            if now.going_down || before.id.is_some() && before.id != now.id {
                return Ok(());
            }
            before = now;
            // Agents that end bring the news, since the records are read then; of a swarm without any, only
            // the looking does.
            tokio::select! {
                _ = life.changed() => {}
                () = tokio::time::sleep(LOOK) => core.store.sync(&core.table)?,
            }
        }
    }

    async fn see_off_supervisor(&self) -> Result<()> {
        let core = self.core();
        let (Some(folder), false) = (core.store.folder(), core.leads()) else {
            return Ok(());
        };
        let until = Instant::now() + SUPERVISOR;
        let mut pause = Duration::from_millis(1);
        while Lease::holder(folder)?.is_some() && Instant::now() < until {
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LOOK);
        }
        Ok(())
    }
}
