//! Taking up what an earlier keeper left: by the journal, and by what really runs.

use std::collections::HashMap;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use alveary_core::{AgentId, EndedBy, Exit, ExitStatus, Incarnation};
use tokio::time::Instant;

use super::agent::{Agent, Phase, Report};
use super::journal::{Entry, Journal};
use super::{Keep, Table};
use crate::os::process;

pub(crate) const REBOOTED: &str = "the machine was started again";
const NOBODY_SAW: &str = "it ended while no keeper was there to see it";

/// The table as an earlier keeper left it, and a journal that says no more than that.
pub(super) fn from_journal(folder: &Path) -> io::Result<Table> {
    let entries = Journal::read(folder)?.unwrap_or_default();
    let mut agents = replay(&entries);
    let boot = process::boot_id();
    let rebooted = last_boot(&entries).is_some_and(|last| *last != boot);
    let now = Instant::now();
    for agent in agents.values_mut().filter(|agent| !agent.has_ended()) {
        if rebooted {
            agent.phase = Phase::Exited(Exit::unknown(REBOOTED));
        } else {
            find(agent);
        }
    }
    // What was meant and never came to be is swept.
    agents.retain(|_, agent| agent.phase != Phase::Pending);
    tracing::debug!(agents = agents.len(), took = ?now.elapsed(), "the journal was read");
    let journal = match fresh_journal(folder, &agents) {
        Ok(journal) => journal,
        Err(error) => {
            // A full disk must not keep anybody from stopping agents.
            tracing::warn!(%error, "the journal could not be tidied and goes on as it is");
            Journal::reopen(folder)?
        }
    };
    Ok(Table { agents, journal })
}

/// A journal that says how things stand, and no more.
pub(super) fn fresh_journal(
    folder: &Path,
    agents: &HashMap<AgentId, Agent>,
) -> io::Result<Journal> {
    let began = Entry::Began {
        boot: process::boot_id(),
        keeper: std::process::id(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
    };
    let entries: Vec<Entry> = std::iter::once(began)
        .chain(agents.values().flat_map(Agent::entries))
        .collect();
    Journal::rewrite(folder, &entries)
}

/// What the journal says, without a keeper: `None` where one is needed, because something may still run.
pub(crate) fn read_only(folder: &Path) -> io::Result<Option<HashMap<AgentId, Report>>> {
    let Some(entries) = Journal::read(folder)? else {
        return Ok(Some(HashMap::new()));
    };
    let agents = replay(&entries);
    let all_ended = agents.values().all(Agent::has_ended);
    Ok(all_ended.then(|| {
        agents
            .into_iter()
            .map(|(id, agent)| (id, agent.report()))
            .collect()
    }))
}

fn last_boot(entries: &[Entry]) -> Option<&String> {
    entries.iter().rev().find_map(|entry| match entry {
        Entry::Began { boot, .. } => Some(boot),
        _ => None,
    })
}

fn replay(entries: &[Entry]) -> HashMap<AgentId, Agent> {
    let mut agents: HashMap<AgentId, Agent> = HashMap::new();
    for entry in entries {
        match entry {
            Entry::Began { .. } => {}
            Entry::Intent(intent) => {
                let mut agent = Agent::new(intent.clone());
                agent.previous = agents.remove(&intent.id).map(Box::new);
                agents.insert(intent.id.clone(), agent);
            }
            Entry::Started {
                id,
                incarnation,
                process,
                at,
            } => {
                if let Some(agent) = of(&mut agents, id, *incarnation) {
                    agent.process = Some((*process, *at));
                    agent.phase = Phase::Running;
                    agent.previous = None;
                }
            }
            Entry::Stopping { id, incarnation } => {
                if let Some(agent) = of(&mut agents, id, *incarnation) {
                    agent.phase = Phase::Stopping;
                }
            }
            Entry::Exited {
                id,
                incarnation,
                exit,
            } => {
                if let Some(agent) = of(&mut agents, id, *incarnation) {
                    agent.phase = Phase::Exited(exit.clone());
                }
            }
            Entry::NotStarted { id, incarnation } => {
                if of(&mut agents, id, *incarnation).is_some()
                    && let Some(previous) = agents.remove(id).and_then(|agent| agent.previous)
                {
                    agents.insert(id.clone(), *previous);
                }
            }
            Entry::Removed { id } => {
                agents.remove(id);
            }
        }
    }
    agents
}

fn of<'a>(
    agents: &'a mut HashMap<AgentId, Agent>,
    id: &AgentId,
    incarnation: Incarnation,
) -> Option<&'a mut Agent> {
    agents
        .get_mut(id)
        .filter(|agent| agent.intent.incarnation == incarnation)
}

/// Finds an agent's main process, or what can be said of its end.
fn find(agent: &mut Agent) {
    let incarnation = agent.intent.incarnation;
    let recorded = agent.process.map(|(process, _)| process);
    let process = match recorded {
        // A zombie of ours has no environment any more, and is ours: nobody else could be its parent.
        Some(process) if process.is_zombie() => Some(process),
        Some(process) => Some(process).filter(|process| process.carries(incarnation)),
        // Between the intent and the record of its process the keeper died.
        None => process::all_that_carry(incarnation)
            .into_iter()
            .min_by_key(|process| process.start),
    };
    let Some((process, pidfd)) = process.and_then(|process| Some((process, process.open().ok()?)))
    else {
        if recorded.is_some() {
            let by = if agent.phase == Phase::Stopping {
                EndedBy::Us
            } else {
                EndedBy::Unknown
            };
            let status = ExitStatus::Unknown {
                why: NOBODY_SAW.to_owned(),
            };
            agent.phase = Phase::Exited(Exit::new(status, by).with_at(SystemTime::now()));
        } else if let Some(previous) = agent.previous.take() {
            *agent = *previous;
        }
        return;
    };
    agent.process = Some((
        process,
        agent.process.map_or_else(SystemTime::now, |(_, at)| at),
    ));
    agent.is_child = process::children().contains(&process.pid);
    agent.pidfd = Some(Arc::new(pidfd));
    if agent.phase == Phase::Pending {
        agent.phase = Phase::Running;
    }
}

impl Keep {
    /// Goes on with what an earlier keeper had under way.
    pub(super) fn take_up(&self) {
        let mut table = self.table();
        let mut living = Vec::new();
        for agent in table.agents.values_mut() {
            if agent.has_ended() {
                // Its main process is gone; the rest of its tree may not be.
                if let Some(cgroup) = &agent.intent.cgroup
                    && !cgroup.remove()
                    && let Err(error) = cgroup.kill()
                {
                    tracing::warn!(agent = %agent.intent.id, %error, "what is left of it cannot be ended");
                }
                continue;
            }
            living.push((agent.intent.id.clone(), agent.intent.incarnation));
            if agent.phase == Phase::Stopping {
                let stop = agent.intent.stop.clone();
                let force_at = Instant::now() + stop.grace.min(Duration::from_hours(1));
                if let Err(error) = self.begin_stop(agent, Some(stop.signal), force_at) {
                    tracing::error!(agent = %agent.intent.id, %error, "its stop cannot be gone on with");
                }
            }
        }
        drop(table);
        for (id, incarnation) in living {
            self.watch_end(&id, incarnation);
        }
    }
}
