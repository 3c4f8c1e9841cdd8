//! The keeping of a swarm's processes: the same in a keeper of its own and in the manager's process.

mod agent;
mod beside;
mod end;
mod journal;
mod pause;
mod recover;
mod reserve;
mod secrets;
mod start;
mod stop;
mod survey;
mod tasks;
mod tree;
mod usage;

use std::collections::HashMap;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use alveary_core::{
    AgentEvent, AgentId, AgentInfo, Error, ErrorKind, Incarnation, Operation, RemoveOptions,
    Result, Signal, StopOptions, SwarmUid,
};
use tempfile::TempDir;
use tokio::sync::broadcast;
use tokio_util::task::AbortOnDropHandle;

use agent::Agent;
pub(crate) use agent::Report;
use beside::AllBeside;
pub(crate) use beside::{Beside, Errand};
pub(crate) use journal::put_aside_in;
use journal::{Entry, Journal};
pub(crate) use recover::read_only as read_reports;
use reserve::Reserve;
use survey::Survey;
use tasks::Tasks;
pub(crate) use usage::Reading;

use crate::lock::KeeperLock;
use crate::logs::LogFolder;
use crate::os::cgroup::Cgroups;
use crate::os::process;
use crate::os::spawn::Resource;

/// How many events a slow listener may be behind before it is told that it has lost some.
const EVENTS: usize = 4096;

/// How long the kernel may take to end a tree that has been killed, before a stop says that it still runs.
const KILL_TAKES_AT_MOST: Duration = Duration::from_secs(5);

/// What keeping needs to know.
#[derive(Debug, Clone)]
pub(crate) struct KeepOptions {
    pub(crate) swarm: SwarmUid,
    /// Where the journal and the logs are: ours alone.
    pub(crate) folder: PathBuf,
    /// Where secrets lie, in memory.
    pub(crate) secrets: PathBuf,
    /// How much each stream of an agent's output keeps at least, in bytes.
    pub(crate) log_bytes: u64,
    /// Whether control groups may be used.
    pub(crate) cgroups: bool,
    /// Whether this process exists for keeping alone, so that it may adopt orphans and raise its own limits.
    pub(crate) own_process: bool,
    /// The folder, where it is to go when everything is over.
    pub(crate) passing: Option<Arc<TempDir>>,
}

/// The keeper of one swarm's processes. Cloning gives another handle on the same.
#[derive(Debug, Clone)]
pub(crate) struct Keep(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    options: KeepOptions,
    logs: LogFolder,
    cgroups: Option<Cgroups>,
    /// What agents get as their limit of descriptors unless they say otherwise: what we had before we raised
    /// our own.
    nofile: (u64, u64),
    table: Mutex<Table>,
    events: broadcast::Sender<AgentEvent>,
    tasks: Tasks,
    beside: AllBeside,
    survey: Survey,
    reserve: Reserve,
    bounds_logs: bool,
    _sampler: Option<AbortOnDropHandle<()>>,
    /// Given up last, when nothing of ours watches an agent any more.
    _lock: KeeperLock,
}

impl Drop for Shared {
    fn drop(&mut self) {
        // Before the lock is given up: the next keeper makes them anew.
        if let Some(groups) = &self.cgroups {
            groups.remove();
        }
    }
}

/// A keeping that may be over.
#[derive(Debug)]
pub(crate) struct WeakKeep(Weak<Shared>);

impl WeakKeep {
    pub(crate) fn upgrade(&self) -> Option<Keep> {
        self.0.upgrade().map(Keep)
    }
}

#[derive(Debug)]
struct Table {
    agents: HashMap<AgentId, Agent>,
    journal: Journal,
}

impl Keep {
    /// Takes up the keeping: whatever an earlier keeper left is found again.
    ///
    /// It goes on, lock and all, until the last handle is dropped and the last agent has ended.
    ///
    /// `Conflict`: the folder is another swarm's.
    pub(crate) fn open(options: KeepOptions, lock: KeeperLock) -> Result<Self> {
        process::are_held_by_handles().map_err(too_old)?;
        let logs = LogFolder::in_state(&options.folder);
        let cgroups = options
            .cgroups
            .then(|| Cgroups::find(options.swarm))
            .flatten();
        let nofile = Resource::Nofile.ours();
        if options.own_process {
            process::become_subreaper().map_err(cannot_keep)?;
            raise_nofile();
        }
        let tasks = Tasks::new(options.own_process).map_err(cannot_keep)?;
        let runtime = tasks.enter();
        let sampler = crate::logs::sampler::start(logs.clone(), options.log_bytes)
            .inspect_err(|error| tracing::warn!(%error, "logs are neither bounded nor dated"))
            .ok();
        drop(runtime);
        let recovered = recover::from_journal(&options.folder, options.swarm)?;
        let bounds_logs = sampler.is_some() && crate::os::files::can_punch_holes(logs.path());
        let (events, _) = broadcast::channel(EVENTS);
        let keep = Self(Arc::new(Shared {
            logs,
            cgroups,
            nofile,
            table: Mutex::new(recovered),
            events,
            tasks,
            beside: AllBeside::default(),
            survey: Survey::default(),
            reserve: Reserve::new(),
            bounds_logs,
            _sampler: sampler,
            _lock: lock,
            options,
        }));
        keep.take_up();
        keep.prepare_for_starts();
        Ok(keep)
    }

    pub(crate) fn swarm(&self) -> SwarmUid {
        self.0.options.swarm
    }

    /// Whether logs are kept from growing without bound.
    pub(crate) fn bounds_logs(&self) -> bool {
        self.0.bounds_logs
    }

    pub(crate) fn downgrade(&self) -> WeakKeep {
        WeakKeep(Arc::downgrade(&self.0))
    }

    pub(crate) fn cgroups(&self) -> Option<&Cgroups> {
        self.0.cgroups.as_ref()
    }

    pub(crate) fn inspect(&self, id: &AgentId) -> Result<Report> {
        let table = self.table();
        table
            .agents
            .get(id)
            .map(Agent::report)
            .ok_or_else(|| Error::agent_not_found(Operation::Inspect, id))
    }

    pub(crate) fn list(&self) -> Vec<AgentInfo> {
        self.table()
            .agents
            .values()
            .map(|agent| agent.report().info)
            .collect()
    }

    pub(crate) fn events(&self) -> broadcast::Receiver<AgentEvent> {
        self.0.events.subscribe()
    }

    /// Whether the journal says all that is known here.
    pub(crate) fn is_written_down(&self) -> bool {
        let mut table = self.table();
        // Should it be refused again, the answer is no, and that is all.
        let _refused = table.journal.pay();
        table.journal.is_whole()
    }

    /// Does something with the limits that this process was started with: another program is to measure them
    /// as they were, since its agents get them.
    pub(crate) fn as_it_was_started<T>(&self, act: impl FnOnce() -> T) -> T {
        set_nofile(self.0.nofile);
        let done = act();
        raise_nofile();
        done
    }

    /// Whether any agent lives, or something is known here that the disk has refused to take.
    pub(crate) fn has_anything_to_keep(&self) -> bool {
        !self.is_written_down() || self.table().agents.values().any(|agent| !agent.has_ended())
    }

    pub(crate) async fn remove(&self, id: &AgentId, options: RemoveOptions) -> Result<()> {
        if options.force {
            let kill = StopOptions::by_force();
            self.stop(id, kill)
                .await
                .map_err(|error| error.with_operation(Operation::Remove))?;
        }
        let mut table = self.table();
        let Some(agent) = table.agents.get(id) else {
            return Err(Error::agent_not_found(Operation::Remove, id));
        };
        if !agent.has_ended() {
            let what = "it has not ended";
            return Err(Error::new(ErrorKind::StillRunning, Operation::Remove, what)
                .with_agent(id)
                .with_cure("stop it first, or remove it by force"));
        }
        let incarnation = agent.intent.incarnation;
        self.forget_secrets(id);
        self.0
            .logs
            .remove(id)
            .map_err(|error| refused(Operation::Remove, id, error))?;
        table
            .journal
            .append_surely(Entry::Removed { id: id.clone() });
        table.agents.remove(id);
        self.tidy(&mut table);
        let id = id.clone();
        self.tell(AgentEvent::Removed { id, incarnation });
        Ok(())
    }

    pub(crate) fn signal(
        &self,
        id: &AgentId,
        signal: Signal,
        incarnation: Option<Incarnation>,
    ) -> Result<()> {
        let table = self.table();
        let agent = living(&table, id, incarnation, Operation::Signal)?;
        if agent.phase == agent::Phase::Doubtful {
            return Err(doubtful(agent, Operation::Signal));
        }
        let Some(pidfd) = agent.pidfd.as_ref().filter(|_| !agent.has_ended()) else {
            return Err(
                Error::new(ErrorKind::Conflict, Operation::Signal, "it does not run")
                    .with_agent(id)
                    .with_cure("start it again first"),
            );
        };
        process::send(pidfd, signal).map_err(|error| refused(Operation::Signal, id, error))
    }

    /// Keeps the journal from growing with all that ever was.
    fn tidy(&self, table: &mut Table) {
        if !table.journal.is_long() || !table.journal.is_whole() {
            return;
        }
        let folder = &self.0.options.folder;
        let unreadable = table.journal.unreadable();
        match recover::fresh_journal(folder, self.swarm(), &table.agents, unreadable) {
            Ok(journal) => table.journal = journal,
            Err(error) => {
                tracing::warn!(%error, "the journal could not be tidied and goes on as it is");
            }
        }
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.0.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Only while the table is held, so that what happens is told in the order in which it happened.
    fn tell(&self, event: AgentEvent) {
        // Nobody listens: then nobody needs to hear it.
        let _no_listener = self.0.events.send(event);
    }

    /// Makes now what later starts would wait for, once those who wait now have their answers.
    pub(crate) fn prepare_for_starts(&self) {
        let keep = self.clone();
        self.0.tasks.spawn(async move {
            tokio::task::yield_now().await;
            if let Some(groups) = &keep.0.cgroups {
                groups.prepare();
            }
        });
    }

    fn secrets_of(&self, id: &AgentId) -> PathBuf {
        self.0.options.secrets.join(id.as_str())
    }
}

/// The agent, if it is there and the incarnation is the one that is meant.
fn living<'a>(
    table: &'a Table,
    id: &AgentId,
    incarnation: Option<Incarnation>,
    operation: Operation,
) -> Result<&'a Agent> {
    let agent = table
        .agents
        .get(id)
        .ok_or_else(|| Error::agent_not_found(operation, id))?;
    if incarnation.is_some_and(|meant| meant != agent.intent.incarnation) {
        return Err(Error::new(
            ErrorKind::Conflict,
            operation,
            "it has been started again since",
        )
        .with_agent(id)
        .with_cure("look at it again, and name its present incarnation"));
    }
    Ok(agent)
}

/// What might be a stranger is not touched.
fn doubtful(agent: &Agent, operation: Operation) -> Error {
    let pid = agent.process.map_or(0, |(process, _)| process.pid);
    let what =
        format!("nothing proves that process {pid} is this agent: it has cleared its environment");
    Error::new(ErrorKind::Conflict, operation, what)
        .with_agent(&agent.intent.id)
        .with_cure(format!(
            "look at process {pid}, and end it yourself if it is the agent"
        ))
}

fn too_old(error: io::Error) -> Error {
    let what = "this system gives no handles on processes (pidfds)";
    Error::unsupported(
        Operation::Connect,
        what,
        "use Linux 5.4 or newer, or have the container's seccomp profile allow `pidfd_open`",
    )
    .with_engine_words(error.to_string())
    .with_source(error)
}

fn cannot_keep(error: io::Error) -> Error {
    crate::trouble::from_io(Operation::Connect, "agents cannot be kept here", error)
}

/// What the system refused, as an error with its cure.
pub(crate) fn refused(operation: Operation, id: &AgentId, error: io::Error) -> Error {
    crate::trouble::from_io(operation, "the system refuses it", error).with_agent(id)
}

/// Each agent costs a descriptor here.
fn raise_nofile() {
    let (_, hard) = Resource::Nofile.ours();
    set_nofile((hard, hard));
}

fn set_nofile((soft, hard): (u64, u64)) {
    let limit = rustix::process::Rlimit {
        current: Some(soft),
        maximum: Some(hard),
    };
    if let Err(error) = rustix::process::setrlimit(rustix::process::Resource::Nofile, limit) {
        tracing::warn!(%error, "the limit of open files stays as it is: it bounds the number of agents");
    }
}
