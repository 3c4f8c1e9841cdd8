//! One agent in the keeper's table.

use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use alveary_core::{
    AgentInfo, AgentState, Error, ErrorKind, Exit, Incarnation, Operation, Result, SwarmUid,
};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use tokio::time::Instant;

use super::journal::{Earlier, Entry, Intent};
use crate::logs::Output;
use crate::os::process::{Identity, Mark};

/// How many starts of an agent have output that is told apart; what is older is lost to them, not to the
/// whole log.
pub(super) const EARLIER_STARTS: usize = 16;

#[derive(Debug)]
pub(super) struct Agent {
    pub(super) intent: Intent,
    pub(super) process: Option<(Identity, SystemTime)>,
    pub(super) phase: Phase,
    /// A handle on its main process, while that has not been reaped.
    pub(super) pidfd: Option<Arc<OwnedFd>>,
    /// Whether it is our child: then its number is its own until we reap it, and its end can be read.
    pub(super) is_child: bool,
    pub(super) stop: Option<StopUnderWay>,
    /// Whether we have ended it by force.
    pub(super) forced: bool,
    /// Whether a later keeper found it ended: nobody has cleared up after it.
    pub(super) unseen: bool,
    /// Whether its processes are held still.
    pub(super) paused: bool,
    /// The most processor time that was told of it, where nobody keeps count.
    pub(super) cpu_told: Duration,
    /// The same of what was read from disks and written to them.
    pub(super) io_told: Option<(u64, u64)>,
    /// Woken at every change.
    pub(super) changed: watch::Sender<()>,
    /// How this start ended, for those who wait for it: it can be read when the agent is long forgotten.
    pub(super) ended: watch::Sender<Option<Exit>>,
    /// The incarnation before this one, should this one not come to be.
    pub(super) previous: Option<Box<Agent>>,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Phase {
    Pending,
    Running,
    Stopping,
    /// A process has its number and its start, and nothing proves that it is this agent.
    Doubtful,
    Exited(Exit),
}

/// Why an agent's state cannot be told.
const DOUBTFUL: &str =
    "a process has its number and its start, and nothing else that proves it to be this agent";

/// A stop that has begun. Those who come later can only bring its force forward.
#[derive(Debug)]
pub(super) struct StopUnderWay {
    pub(super) force_at: watch::Sender<Instant>,
}

/// What is known of an agent, and where its logs stood when it began.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Report {
    pub(crate) info: AgentInfo,
    #[serde(default)]
    life: Option<Incarnation>,
    logs_from: [u64; 2],
    #[serde(default)]
    earlier: Vec<Earlier>,
}

impl Report {
    /// What one start wrote; the latest unless another is meant. `None`: no such start is known.
    pub(crate) fn output_of(&self, start: Option<Incarnation>) -> Option<Output> {
        let latest = (self.info.incarnation, self.logs_from);
        let starts: Vec<_> = self
            .earlier
            .iter()
            .map(|earlier| (earlier.incarnation, earlier.logs_from))
            .chain([latest])
            .collect();
        let meant = start.unwrap_or(self.info.incarnation);
        let at = starts.iter().position(|(start, _)| *start == meant)?;
        Some(Output {
            life: self.life.unwrap_or(starts[0].0),
            start: meant,
            from: starts[at].1,
            to: starts.get(at + 1).map(|next| next.1),
        })
    }

    /// What is to be said of the end of a start that is not known any more: it ended with its log, if that was
    /// of an earlier life.
    pub(crate) fn is_gone(&self, start: Incarnation) -> Result<Option<[u64; 2]>> {
        if self.earlier.len() < EARLIER_STARTS {
            return Ok(None);
        }
        let what =
            format!("so many have come after its start {start} that its end is not known any more");
        Err(Error::new(ErrorKind::NotFound, Operation::Logs, what)
            .with_agent(&self.info.id)
            .with_cure("read what its later starts wrote"))
    }
}

impl Agent {
    pub(super) fn new(intent: Intent) -> Self {
        Self {
            intent,
            process: None,
            phase: Phase::Pending,
            pidfd: None,
            is_child: false,
            stop: None,
            forced: false,
            unseen: false,
            paused: false,
            cpu_told: Duration::ZERO,
            io_told: None,
            changed: watch::Sender::new(()),
            ended: watch::Sender::new(None),
            previous: None,
        }
    }

    /// What its processes carry.
    pub(super) fn mark(&self, swarm: SwarmUid) -> Mark {
        Mark {
            swarm,
            incarnation: self.intent.incarnation,
        }
    }

    /// The first start since its id was free.
    pub(super) fn life(&self) -> Incarnation {
        self.intent.life.unwrap_or(self.intent.incarnation)
    }

    /// Its main process, which is there and is it. `Conflict` where there is none.
    pub(super) fn running(&self, operation: Operation) -> Result<Identity> {
        if self.phase == Phase::Doubtful {
            return Err(super::doubtful(self, operation));
        }
        match (&self.pidfd, self.process) {
            (Some(_), Some((main, _))) if !self.has_ended() => Ok(main),
            _ => Err(
                Error::new(ErrorKind::Conflict, operation, "it does not run")
                    .with_agent(&self.intent.id)
                    .with_cure("start it again first"),
            ),
        }
    }

    pub(super) fn has_ended(&self) -> bool {
        matches!(self.phase, Phase::Exited(_))
    }

    pub(super) fn enter(&mut self, phase: Phase) {
        if let Phase::Exited(exit) = &phase {
            self.ended.send_replace(Some(exit.clone()));
        }
        self.paused &= phase == Phase::Running;
        self.phase = phase;
        self.changed.send_replace(());
    }

    pub(super) fn report(&self) -> Report {
        let state = match &self.phase {
            Phase::Pending => AgentState::Pending,
            Phase::Running => AgentState::Running,
            Phase::Stopping => AgentState::Stopping,
            Phase::Doubtful => AgentState::Unknown {
                why: DOUBTFUL.to_owned(),
            },
            Phase::Exited(exit) => AgentState::Exited(exit.clone()),
        };
        let intent = &self.intent;
        let mut info = AgentInfo::new(
            intent.id.clone(),
            intent.incarnation,
            intent.name.clone(),
            state,
        );
        info.paused = self.paused;
        info.capabilities.clone_from(&intent.capabilities);
        info.spec_hash = intent.spec_hash;
        info.created_at = intent.at;
        if let Some((process, at)) = &self.process {
            info.handle = Some(process.pid.to_string());
            info.pid = Some(process.pid).filter(|_| !self.has_ended());
            info.started_at = Some(*at);
        }
        Report {
            info,
            life: intent.life,
            logs_from: intent.logs_from,
            earlier: intent.earlier.clone(),
        }
    }

    /// The lines of a journal that come to this agent, and to the start before it while that may yet count.
    pub(super) fn entries(&self) -> Vec<Entry> {
        let mut entries = self
            .previous
            .as_ref()
            .map(|previous| previous.entries())
            .unwrap_or_default();
        let (id, incarnation) = (self.intent.id.clone(), self.intent.incarnation);
        entries.push(Entry::Intent(self.intent.clone()));
        if let Some((process, at)) = self.process {
            let id = id.clone();
            entries.push(Entry::Started {
                id,
                incarnation,
                process,
                at,
            });
        }
        if self.forced {
            let id = id.clone();
            entries.push(Entry::Forced { id, incarnation });
        }
        match &self.phase {
            Phase::Pending | Phase::Running | Phase::Doubtful => {}
            Phase::Stopping => entries.push(Entry::Stopping { id, incarnation }),
            Phase::Exited(exit) => entries.push(Entry::Exited {
                id,
                incarnation,
                exit: exit.clone(),
            }),
        }
        entries
    }
}
