//! Seeing an agent end, clearing up after it, and writing down how it ended.

use std::collections::HashSet;
use std::io;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::agent::{Agent, Phase};
use super::journal::Entry;
use super::survey::Among;
use super::{Keep, Table, tree};
use crate::os::ended::until_ended;
use crate::os::process;
use alveary_core::{AgentEvent, AgentId, EndedBy, Exit, ExitStatus, Incarnation, Signal};

/// The first and the longest pause between two looks at a tree that has been killed.
const FIRST_LOOK: Duration = Duration::from_micros(200);
const LATER_LOOKS: Duration = Duration::from_millis(100);

/// How long it takes until it is tried again to watch a process.
const WATCH_AGAIN: Duration = Duration::from_millis(500);

/// Why the end of a process that was not our child cannot be told.
const NOT_OUR_CHILD: &str =
    "the keeper that started it had died, and a process tells only its parent how it ended";

impl Keep {
    /// Waits for the end of an agent's main process, in a task of its own.
    pub(super) fn watch_end(&self, id: &AgentId, incarnation: Incarnation) {
        let (keep, id) = (self.clone(), id.clone());
        self.0.tasks.spawn(async move {
            let pidfd = {
                let table = keep.table();
                table.agents.get(&id).and_then(|agent| agent.pidfd.clone())
            };
            let Some(pidfd) = pidfd else { return };
            while let Err(error) = until_ended(Arc::clone(&pidfd)).await {
                // The system has no room for one more watch, and may have some later.
                tracing::error!(agent = %id, %error, "its end cannot be waited for yet");
                tokio::time::sleep(WATCH_AGAIN).await;
            }
            keep.clear_up(&id, incarnation).await;
        });
    }

    /// Nothing of the agent is left when its end is told.
    async fn clear_up(&self, id: &AgentId, incarnation: Incarnation) {
        let Some(exit) = self.take_exit(id, incarnation) else {
            return;
        };
        self.until_cleared(id, incarnation).await;
        self.ended(id, incarnation, exit);
    }

    /// Reaps the main process. Its group dies first: until it is reaped, the group's number is its own.
    ///
    /// By whom it ended is decided here: who asks for its end while the rest of it is cleared up comes late.
    fn take_exit(&self, id: &AgentId, incarnation: Incarnation) -> Option<Exit> {
        let mut table = self.table();
        let agent = table
            .agents
            .get_mut(id)
            .filter(|agent| agent.intent.incarnation == incarnation)?;
        if agent.is_child
            && let Some((main, _)) = agent.process
            && let Err(error) = process::send_to_group(main.pid, Signal::KILL)
        {
            tracing::warn!(agent = %id, %error, "the rest of its process group could not be ended");
        }
        let unknown = || {
            let why = if agent.is_child {
                "another part of this program took its end"
            } else {
                NOT_OUR_CHILD
            };
            ExitStatus::Unknown {
                why: why.to_owned(),
            }
        };
        let status = agent
            .pidfd
            .as_ref()
            .and_then(process::take_end)
            .unwrap_or_else(unknown);
        agent.pidfd = None;
        Some(agent.exit(status))
    }

    /// Whether anything of the agent is left. What is, is ended.
    async fn rest_lives(&self, id: &AgentId, incarnation: Incarnation) -> bool {
        let (mark, among) = {
            let table = self.table();
            let Some(agent) = table
                .agents
                .get(id)
                .filter(|agent| agent.intent.incarnation == incarnation)
            else {
                return false;
            };
            if let Some(cgroup) = &agent.intent.cgroup {
                return is_left(id, self.0.reserve.act(|| tree::kill_rest_of(cgroup)));
            }
            // Whoever has lost its parent is our child now, where we keep alone and started it.
            let among = if self.0.options.own_process && agent.is_child {
                Among::Orphans
            } else {
                Among::All
            };
            (agent.mark(self.swarm()), among)
        };
        let rest = self.those_that_carry(mark, among).await;
        let end = |rest: Vec<_>| self.0.reserve.act(|| tree::kill_all(&rest));
        is_left(id, rest.and_then(end))
    }

    fn ended(&self, id: &AgentId, incarnation: Incarnation, exit: Exit) {
        self.forget_secrets(id);
        let mut table = self.table();
        let Some(agent) = table
            .agents
            .get_mut(id)
            .filter(|agent| agent.intent.incarnation == incarnation)
        else {
            return;
        };
        if let Some(cgroup) = &agent.intent.cgroup {
            cgroup.remove();
        }
        agent.stop = None;
        agent.enter(Phase::Exited(exit.clone()));
        let info = agent.report().info;
        table.journal.append_surely(Entry::Exited {
            id: id.clone(),
            incarnation,
            exit,
        });
        self.tidy(&mut table);
        self.tell(AgentEvent::Changed(info));
        drop(table);
        self.prepare_for_starts();
    }

    /// Sees that nothing is left of agents whose end nobody saw.
    pub(super) fn clear_up_after(&self, ended: Vec<(AgentId, Incarnation)>) {
        for (id, incarnation) in ended {
            let keep = self.clone();
            self.0.tasks.spawn(async move {
                keep.until_cleared(&id, incarnation).await;
                let table = keep.table();
                let agent = table.agents.get(&id);
                if let Some(cgroup) = agent
                    .filter(|agent| agent.intent.incarnation == incarnation)
                    .and_then(|agent| agent.intent.cgroup.as_ref())
                {
                    cgroup.remove();
                }
            });
        }
    }

    async fn until_cleared(&self, id: &AgentId, incarnation: Incarnation) {
        let mut pause = FIRST_LOOK;
        while self.rest_lives(id, incarnation).await {
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LATER_LOOKS);
        }
    }

    /// Reaps the processes that were left to us by parents who died.
    pub(crate) fn reap_orphans(&self) {
        let table = self.table();
        // If they cannot be told now, they can later.
        let mut orphans = table.orphans().unwrap_or_default();
        // Whoever watches those takes their ends.
        orphans.retain(|&pid| !self.0.beside.has(pid));
        process::reap(&orphans);
    }
}

/// What could not be ended is left.
fn is_left(id: &AgentId, found: io::Result<bool>) -> bool {
    found.unwrap_or_else(|error| {
        tracing::error!(agent = %id, %error, "what is left of it cannot be ended");
        true
    })
}

impl Table {
    /// Our children that are nobody's main process.
    pub(super) fn orphans(&self) -> io::Result<Vec<u32>> {
        let mains: HashSet<u32> = self.agents.values().filter_map(Agent::main).collect();
        let mut orphans = process::children()?;
        orphans.retain(|pid| !mains.contains(pid));
        Ok(orphans)
    }
}

impl Agent {
    /// The number of its main process, while that has not been reaped.
    fn main(&self) -> Option<u32> {
        self.pidfd
            .as_ref()
            .and(self.process)
            .map(|(main, _)| main.pid)
    }

    fn exit(&self, status: ExitStatus) -> Exit {
        let oom = status == ExitStatus::Signal(Signal::KILL)
            && self
                .intent
                .cgroup
                .as_ref()
                .is_some_and(crate::os::cgroup::Cgroup::ran_out_of_memory);
        let was_asked = self.stop.is_some() || self.phase == Phase::Stopping;
        let by = match &status {
            ExitStatus::Signal(Signal::KILL) | ExitStatus::Unknown { .. } if self.forced => {
                EndedBy::UsByForce
            }
            _ if was_asked => EndedBy::Us,
            _ if oom => EndedBy::Engine,
            ExitStatus::Unknown { .. } => EndedBy::Unknown,
            _ => EndedBy::Itself,
        };
        Exit::new(status, by)
            .with_oom(oom)
            .with_at(SystemTime::now())
    }
}
