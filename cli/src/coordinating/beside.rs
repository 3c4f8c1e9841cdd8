//! The coordinator beside a swarm: it runs in the process that restarts the swarm's agents.

use std::future::pending;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use alveary::{CoordinatorTable, Fleet, Opened, Supervision, SwarmManager};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use super::listening::{self, open};
use super::members;
use super::spawning::Around;
use crate::failure::Failure;
use crate::outcome::Outcome;

/// How long another may have its file open, or its port, who only looks.
const IN_THE_WAY: Duration = Duration::from_secs(1);

const LOOK: Duration = Duration::from_millis(50);

/// A coordinator that runs beside a swarm as soon as this process is the one that restarts its agents.
#[derive(Debug)]
pub(crate) struct Beside {
    running: Option<Running>,
}

#[derive(Debug)]
struct Running {
    cancel: CancellationToken,
    service: AbortOnDropHandle<Result<(), Failure>>,
}

impl Beside {
    /// Begins to wait for one's turn, where the file has a coordinator.
    pub(crate) fn begin(opened: &Opened) -> Self {
        let table = opened.fleet.coordinator.clone();
        let state = opened.swarm.state_dir().map(Path::to_owned);
        let running = table.zip(state).map(|(table, state)| {
            let cancel = CancellationToken::new();
            let service = Own {
                swarm: opened.swarm.clone(),
                fleet: opened.fleet.clone(),
                table,
                state,
            };
            let service = tokio::spawn(service.run(cancel.clone()));
            Running {
                cancel,
                service: AbortOnDropHandle::new(service),
            }
        });
        Self { running }
    }

    /// Waits until it has failed, which it may do when its turn comes.
    pub(crate) async fn failed(&mut self) -> Failure {
        let Some(running) = &mut self.running else {
            return pending().await;
        };
        let ended = (&mut running.service).await;
        self.running = None;
        match ended {
            Ok(Ok(())) => pending().await,
            Ok(Err(failure)) => failure,
            Err(error) => broken(&error),
        }
    }

    /// Answers what was asked before, and ends it.
    pub(crate) async fn end(mut self) -> Result<(), Failure> {
        let Some(running) = self.running.take() else {
            return Ok(());
        };
        running.cancel.cancel();
        running.service.await.map_err(|error| broken(&error))?
    }
}

fn broken(error: &tokio::task::JoinError) -> Failure {
    Failure::Coordinator {
        what: format!("the coordinator broke: {error}"),
        cure: Some("bring the swarm up once more: its tasks are kept; and report this".to_owned()),
        outcome: Outcome::Backend,
    }
}

/// What a swarm's own coordinator is made of.
struct Own {
    swarm: SwarmManager,
    fleet: Fleet,
    table: CoordinatorTable,
    state: PathBuf,
}

impl Own {
    async fn run(self, cancel: CancellationToken) -> Result<(), Failure> {
        let called_off = || cancel.cancelled();
        tokio::select! {
            biased;
            () = called_off() => return Ok(()),
            () = self.swarm.wait_supervising() => {}
        }
        let opened = tokio::select! {
            biased;
            () = called_off() => return Ok(()),
            opened = self.open() => opened?,
        };
        opened.address.write(&self.state)?;
        let coordinator = opened.service.coordinator().clone();
        let telling = members::tell(self.swarm.clone(), coordinator);
        let _telling = AbortOnDropHandle::new(tokio::spawn(telling));
        let around = Around {
            swarm: self.swarm,
            fleet: self.fleet,
        };
        opened
            .service
            .with_fleet(Arc::new(around))
            .serve(cancel)
            .await
    }
}

impl Own {
    /// Opens it. One who only looks whether it can be opened may be in the way for a moment.
    async fn open(&self) -> Result<listening::Opened, Failure> {
        let until = Instant::now() + IN_THE_WAY;
        loop {
            match open(&self.swarm, &self.fleet, &self.table, &self.state).await {
                Err(_) if Instant::now() < until => tokio::time::sleep(LOOK).await,
                opened => return opened,
            }
        }
    }
}

/// Whether the process that restarts the agents of the swarm is one that this program has left with it.
pub(super) fn is_a_supervisor(pid: u32) -> bool {
    let words = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let mut words = words.split(|byte| *byte == 0).skip(1);
    words.next() == Some(b"__supervise")
}

/// Who restarts the agents of the swarm, and with that runs its coordinator.
pub(super) fn who(swarm: &SwarmManager) -> Result<Option<u32>, Failure> {
    Ok(match swarm.supervision()? {
        Supervision::Us => Some(std::process::id()),
        Supervision::Other(holder) => Some(holder.pid),
        _ => None,
    })
}
