//! Taking up what an earlier keeper left: by the journal, and by what really runs.

use std::collections::{HashMap, HashSet};
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use alveary_core::{
    AgentId, EndedBy, Error, ErrorKind, Exit, ExitStatus, Incarnation, Operation, Result, SwarmUid,
};
use rustix::io::Errno;
use tokio::time::Instant;

use super::agent::{Agent, Phase, Report};
use super::journal::{Entry, Journal, Past};
use super::{Keep, Table};
use crate::os::cgroup::Cgroup;
use crate::os::process::{self, Identity};

pub(crate) const REBOOTED: &str = "the machine was started again";
/// How long a process may take from its birth until it carries its mark, where it is in no control group.
const BECOMING: Duration = Duration::from_millis(20);
const NOBODY_SAW: &str = "it ended while no keeper was there to see it";

/// The table as an earlier keeper left it, and a journal that says no more than that.
///
/// `Conflict`: the journal is another swarm's.
pub(super) fn from_journal(folder: &Path, swarm: SwarmUid) -> Result<Table> {
    let Past {
        entries,
        unreadable,
    } = Journal::read(folder)
        .map_err(cannot_read)?
        .unwrap_or_default();
    of_this_swarm(&entries, swarm)?;
    let mut agents = replay(&entries);
    let boot = process::boot_id();
    let rebooted = last_boot(&entries).is_some_and(|last| *last != boot);
    let now = Instant::now();
    let children: HashSet<u32> = process::children()
        .map_err(cannot_read)?
        .into_iter()
        .collect();
    for agent in agents.values_mut() {
        trust_own_group_only(agent, swarm);
        if agent.has_ended() {
            continue;
        }
        if !rebooted {
            find(agent, swarm, &children).map_err(cannot_read)?;
        } else if agent.process.is_some() {
            agent.enter(Phase::Exited(Exit::unknown(REBOOTED)));
        } else if let Some(previous) = agent.previous.take() {
            *agent = *previous;
        }
    }
    // What was meant and never came to be is swept.
    agents.retain(|_, agent| {
        if let (Phase::Pending, Some(cgroup)) = (&agent.phase, &agent.intent.cgroup) {
            cgroup.remove();
        }
        agent.phase != Phase::Pending
    });
    tracing::debug!(agents = agents.len(), took = ?now.elapsed(), "the journal was read");
    let journal = match fresh_journal(folder, swarm, &agents, &unreadable) {
        Ok(journal) => journal,
        Err(error) => {
            // A full disk must not keep anybody from stopping agents.
            tracing::warn!(%error, "the journal could not be tidied and goes on as it is");
            Journal::reopen(folder, unreadable).map_err(cannot_read)?
        }
    };
    Ok(Table { agents, journal })
}

/// A journal that says how things stand, and no more.
pub(super) fn fresh_journal(
    folder: &Path,
    swarm: SwarmUid,
    agents: &HashMap<AgentId, Agent>,
    unreadable: &[Vec<u8>],
) -> io::Result<Journal> {
    let began = Entry::Began {
        swarm: Some(swarm),
        boot: process::boot_id(),
        keeper: std::process::id(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
    };
    let entries: Vec<Entry> = std::iter::once(began)
        .chain(agents.values().flat_map(Agent::entries))
        .collect();
    Journal::rewrite(folder, &entries, unreadable)
}

/// What the journal says, without a keeper: `None` where one is needed, because something may still run.
///
/// `Conflict`: the journal is another swarm's.
pub(crate) fn read_only(
    folder: &Path,
    swarm: SwarmUid,
) -> Result<Option<HashMap<AgentId, Report>>> {
    let Some(Past { entries, .. }) = Journal::read(folder).map_err(cannot_read)? else {
        return Ok(Some(HashMap::new()));
    };
    of_this_swarm(&entries, swarm)?;
    let agents = replay(&entries);
    let all_ended = agents.values().all(Agent::has_ended);
    Ok(all_ended.then(|| {
        agents
            .into_iter()
            .map(|(id, agent)| (id, agent.report()))
            .collect()
    }))
}

fn cannot_read(error: io::Error) -> Error {
    crate::trouble::from_io(Operation::Connect, "the journal cannot be read", error)
}

fn of_this_swarm(entries: &[Entry], swarm: SwarmUid) -> Result<()> {
    let is_foreign =
        |entry: &Entry| matches!(entry, Entry::Began { swarm: Some(other), .. } if *other != swarm);
    if !entries.iter().any(is_foreign) {
        return Ok(());
    }
    let what = "this folder holds the agents of another swarm";
    Err(Error::new(ErrorKind::Conflict, Operation::Connect, what)
        .with_cure("give each swarm a state folder of its own"))
}

/// A group that is not beneath this swarm's own holds somebody else, whatever the journal says.
fn trust_own_group_only(agent: &mut Agent, swarm: SwarmUid) {
    let mut next = Some(agent);
    while let Some(agent) = next {
        let is_foreign = |cgroup: &mut Cgroup| !cgroup.is_of(swarm);
        if let Some(cgroup) = agent.intent.cgroup.take_if(is_foreign) {
            tracing::warn!(agent = %agent.intent.id, ?cgroup, "a group that is not this swarm's is left alone");
        }
        next = agent.previous.as_deref_mut();
    }
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
            Entry::Forced { id, incarnation } => {
                if let Some(agent) = of(&mut agents, id, *incarnation) {
                    agent.forced = true;
                }
            }
            Entry::Exited {
                id,
                incarnation,
                exit,
            } => {
                if let Some(agent) = of(&mut agents, id, *incarnation) {
                    agent.enter(Phase::Exited(exit.clone()));
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
///
/// An error is no end: where the system refuses us a look, nobody's end is told.
fn find(agent: &mut Agent, swarm: SwarmUid, children: &HashSet<u32>) -> io::Result<()> {
    let process = match agent.process {
        Some((process, _)) => process,
        // Between the intent and the record of its process the keeper died.
        None => match begun(agent, swarm) {
            Some(process) => process,
            None => {
                if let Some(previous) = agent.previous.take() {
                    *agent = *previous;
                }
                return Ok(());
            }
        },
    };
    agent.is_child = children.contains(&process.pid);
    let pidfd = match process.open() {
        // Its number is nobody's, or another's; a zombie of somebody else's has ended too.
        Err(error) if is_gone(&error) => {
            end_unseen(agent);
            return Ok(());
        }
        other => other?,
    };
    if process.is_zombie() && !agent.is_child {
        end_unseen(agent);
        return Ok(());
    }
    let at = agent.process.map_or_else(SystemTime::now, |(_, at)| at);
    agent.process = Some((process, at));
    agent.pidfd = Some(Arc::new(pidfd));
    // Number and start say that it is the same process; that the process is this agent has to be proved too,
    // for a journal can be doctored.
    let cgroup = agent.intent.cgroup.as_ref();
    let is_proved = agent.is_child
        || cgroup.is_some_and(|cgroup| cgroup.holds(process.pid))
        || process.carries(agent.mark(swarm));
    if !is_proved {
        agent.phase = Phase::Doubtful;
    } else if agent.phase == Phase::Pending {
        agent.phase = Phase::Running;
    }
    Ok(())
}

/// The main process of an agent of which only the intent is known.
///
/// One that has not become its program yet still has its keeper's environment, and is known by its group.
fn begun(agent: &Agent, swarm: SwarmUid) -> Option<Identity> {
    let in_group = agent
        .intent
        .cgroup
        .iter()
        .flat_map(Cgroup::processes)
        .filter_map(Identity::of);
    let marked = || process::all_that_carry(agent.mark(swarm));
    in_group.min_by_key(|process| process.start).or_else(|| {
        marked()
            .into_iter()
            .min_by_key(|process| process.start)
            .or_else(|| {
                // Without a group it may become its program this very moment.
                std::thread::sleep(BECOMING);
                marked().into_iter().min_by_key(|process| process.start)
            })
    })
}

fn end_unseen(agent: &mut Agent) {
    let by = match agent.phase {
        _ if agent.forced => EndedBy::UsByForce,
        Phase::Stopping => EndedBy::Us,
        _ => EndedBy::Unknown,
    };
    let status = ExitStatus::Unknown {
        why: NOBODY_SAW.to_owned(),
    };
    agent.unseen = true;
    agent.enter(Phase::Exited(
        Exit::new(status, by).with_at(SystemTime::now()),
    ));
}

fn is_gone(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::NotFound || Errno::from_io_error(error) == Some(Errno::SRCH)
}

impl Keep {
    /// Goes on with what an earlier keeper had under way.
    pub(super) fn take_up(&self) {
        let mut table = self.table();
        let Table { agents, journal } = &mut *table;
        let (mut living, mut ended) = (Vec::new(), Vec::new());
        for agent in agents.values_mut() {
            let who = (agent.intent.id.clone(), agent.intent.incarnation);
            if agent.has_ended() {
                // Without a group all processes have to be looked at, which is not done for each that ever was.
                if agent.unseen || agent.intent.cgroup.is_some() {
                    ended.push(who);
                }
                continue;
            }
            living.push(who);
            let cgroup = agent.intent.cgroup.as_ref();
            agent.paused = cgroup.is_some_and(Cgroup::is_to_be_frozen);
            if agent.phase == Phase::Stopping {
                let stop = agent.intent.stop.clone();
                let force_at = Instant::now() + stop.grace.min(Duration::from_hours(1));
                let signal = Some(stop.signal_or_term());
                if let Err(error) = self.begin_stop(agent, journal, signal, force_at) {
                    tracing::error!(agent = %agent.intent.id, %error, "its stop cannot be gone on with");
                }
            }
        }
        drop(table);
        self.keep_secrets_of(&living);
        for (id, incarnation) in living {
            self.watch_end(&id, incarnation);
        }
        self.clear_up_after(ended);
    }
}
