//! Taking a swarm down: nothing of it stays, neither agents nor records.

use std::time::Duration;

use alveary_core::{
    AgentBackend, AgentId, AgentInfo, DiscardOptions, Discarded, Error, ErrorKind, ListOptions,
    Operation, RemoveOptions, Result,
};
use tokio::time::Instant;

use super::SwarmManager;
use super::bulk::each;
use super::core::Core;
use super::shutdown::{ShutdownOptions, StopOutcome};
use crate::state::{Change, Lease, LeftSecrets};

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
    /// Whether the swarm's own volumes go, too, with all that its agents have written there.
    pub volumes: bool,
}

impl DownOptions {
    /// Sets how the agents are stopped.
    #[must_use]
    pub fn with_shutdown(mut self, shutdown: ShutdownOptions) -> Self {
        self.shutdown = shutdown;
        self
    }

    /// Sets whether the swarm's own volumes go, too.
    #[must_use]
    pub fn with_volumes(mut self, volumes: bool) -> Self {
        self.volumes = volumes;
        self
    }
}

/// What became of a swarm that was taken down.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct DownReport {
    /// How those ended that still lived.
    pub stopped: Vec<StopOutcome>,
    /// How many agents were removed.
    pub removed: usize,
    /// Those that could not be removed, and why. They are still recorded: once more may do it.
    pub left: Vec<(AgentInfo, Error)>,
    /// What became of the networks and volumes that are the swarm's own.
    pub belongings: Discarded,
}

impl DownReport {
    /// Whether nothing is left.
    pub fn is_complete(&self) -> bool {
        self.left.is_empty() && self.belongings.left.is_empty()
    }
}

impl<B: AgentBackend + ?Sized> SwarmManager<B> {
    /// Stops every agent, those that others come after last, removes them all with the networks that are the
    /// swarm's own, and forgets the swarm's records; whoever restarts its agents in another process ends. What cannot be removed stays recorded.
    ///
    /// `Conflict`: all that there was is removed, and somebody has begun to start agents meanwhile.
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
        if let Err(error) = &recorded {
            tracing::warn!(kind = %error.kind(), why = error.message(), "it could not be recorded that the swarm goes down");
        }
        let mut report = DownReport {
            stopped: self.shutdown(options.shutdown.clone()).await?,
            removed: 0,
            left: Vec::new(),
            belongings: Discarded::default(),
        };
        let mut removed = Vec::new();
        // From the engine itself, since a late start of somebody who had not read yet may come between.
        for round in 0..=ROUNDS {
            let there = core.backend.list(ListOptions::default()).await?;
            if there.is_empty() {
                report.left.clear();
                break;
            }
            if round == ROUNDS {
                report.left = there.into_iter().map(came_late).collect();
                break;
            }
            let outcomes = each(there, core.options.concurrency, |info| async move {
                match core.end_and_remove(&info.id).await {
                    Err(error) if error.kind() != ErrorKind::NotFound => Err((info, error)),
                    _ => Ok(info.id),
                }
            })
            .await;
            report.left.clear();
            let before = removed.len();
            for outcome in outcomes {
                match outcome {
                    Ok(id) => removed.push(id),
                    Err(left) => report.left.push(left),
                }
            }
            if removed.len() == before {
                break;
            }
        }
        report.removed = removed.len();
        if report.left.is_empty() {
            report.belongings = core.discard(options.volumes).await?;
        }
        if report.is_complete() {
            let marked = recorded.is_ok();
            // Looked at before: those of a start that somebody begins after this are not among them, and one that was begun
            // before is in the records.
            let shared = core.store.shared();
            let secrets = shared.and_then(|shared| shared.secrets.as_deref());
            let secrets = secrets.map(LeftSecrets::in_folder);
            core.store
                .clear(&core.table, |records| {
                    if marked && records.len() > 0 && !records.is_going_down() {
                        return Err(lives_again());
                    }
                    Ok(())
                })
                .await?;
            if let Some(secrets) = secrets.filter(|_| marked) {
                secrets.delete();
            }
            self.see_off_supervisor().await?;
            core.forget_the_engines().await?;
        } else if let Err(error) = core.forget_recorded(&removed).await {
            tracing::warn!(kind = %error.kind(), why = error.message(), "agents that were removed could not be forgotten");
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
                // What cannot be read now, as for want of descriptors, is read at the next look.
                () = tokio::time::sleep(LOOK) => core.sync(),
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

impl<B: AgentBackend + ?Sized> Core<B> {
    /// Takes away what is the swarm's own beside its agents, once they are gone.
    async fn discard(&self, volumes: bool) -> Result<Discarded> {
        match self.backend.belongings() {
            Some(belongings) => {
                let options = DiscardOptions::default().with_volumes(volumes);
                belongings.discard(options).await
            }
            None => Ok(Discarded::default()),
        }
    }

    /// Removes an agent though it may live. Its record goes with everybody else's.
    async fn end_and_remove(&self, id: &AgentId) -> Result<()> {
        let _turn = self.turn(id, false).await?;
        self.remove_from_engine(id, RemoveOptions::default().with_force(true))
            .await
    }
}

fn came_late(info: AgentInfo) -> (AgentInfo, Error) {
    let error = Error::new(
        ErrorKind::Conflict,
        Operation::Remove,
        "it was started while the swarm was taken down",
    )
    .with_agent(&info.id)
    .with_cure("see who starts it, and take the swarm down once more");
    (info, error)
}

fn lives_again() -> Error {
    Error::new(
        ErrorKind::Conflict,
        Operation::Remove,
        "somebody has begun to start agents while the swarm was taken down",
    )
    .with_cure("take it down once more if they are to go, too")
}
