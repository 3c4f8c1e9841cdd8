//! The contract, for local processes.

mod exec;
mod facets;
mod over;

use std::collections::HashMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use alveary_core::{
    AgentBackend, AgentEvent, AgentId, AgentInfo, AgentSpec, BackendKind, Capabilities, Error,
    ErrorKind, EventOptions, EventStream, Exec, Exit, Health, LimitSupport, ListOptions,
    LogFidelity, LogOptions, LogStream, Operation, Pause, Plans, RemoveOptions, Result, Signals,
    SpawnOptions, SpawnPhase, Stats, StopOptions, Survival, SwarmUid, TreeKill,
};
use async_trait::async_trait;
use tokio::time::Instant;

use crate::client::{Client, unexpected};
use crate::config::NAME;
use crate::ends::Ends;
use crate::here::Here;
use crate::keep::{Keep, Report, put_aside_in, read_reports};
use crate::launch::Launch;
use crate::logs::LogFolder;
use crate::logs::reader;
use crate::logs::sampler::RESOLUTION;
use crate::logs::wake::Wakers;
use crate::os::cgroup::Cgroups;
use crate::wire::{Answer, Request};

/// As long as any grace.
const NO_LIMIT: Duration = Duration::from_hours(30 * 366 * 24);

/// How long a keeper that is asked to end an agent may say nothing before it is asked whether it lives: the
/// first time, and then.
const FIRST_SIGN_OF_LIFE: Duration = Duration::from_secs(1);
const SIGN_OF_LIFE: Duration = Duration::from_secs(15);

/// Runs a swarm's agents as local processes.
///
/// Where it can, it lets a keeper keep them, a small process of its own that outlives us
/// ([`keeper::run_if_asked`](crate::keeper::run_if_asked)). Dropping it ends no agent that can be
/// found again: only those of a swarm without a state folder are ended, by force, when the last handle on it
/// and the last stream of their output go. A process that is killed before it drops that handle leaves them
/// running, and nobody finds them.
///
/// Cloning gives another handle on the same.
///
/// # Logs
/// Following ends when the start that is followed is over and all that it wrote has been told; the next start
/// is another log to follow, however soon it comes. If it cannot be found out whether it is over, because no
/// keeper answers or can be started, the last item is that error. A cursor is good for one life of an id: used
/// after the agent was removed and its id was used again, it tells a loss of unknown size first, and then all
/// that the new agent wrote.
#[derive(Clone)]
pub struct ProcessBackend(Arc<Inner>);

struct Inner {
    swarm: SwarmUid,
    folder: PathBuf,
    logs: LogFolder,
    wakers: Wakers,
    ends: Ends,
    keeping: Keeping,
}

/// Who keeps the agents.
pub(crate) enum Keeping {
    /// A process of its own.
    Apart(Client),
    /// This process.
    Here(Here),
}

impl ProcessBackend {
    pub(crate) fn new(swarm: SwarmUid, folder: PathBuf, keeping: Keeping) -> Self {
        Self(Arc::new(Inner {
            swarm,
            logs: LogFolder::in_state(&folder),
            wakers: Wakers::default(),
            ends: Ends::default(),
            folder,
            keeping,
        }))
    }

    async fn report(&self, operation: Operation, id: &AgentId) -> Result<Report> {
        let report = match &self.0.keeping {
            Keeping::Here(here) => here.keep().await?.inspect(id),
            Keeping::Apart(client) => {
                let until = Client::time_limit();
                match self.without_keeper(client, operation, until).await? {
                    Some(mut reports) => reports
                        .remove(id)
                        .ok_or_else(|| Error::agent_not_found(Operation::Inspect, id)),
                    None => {
                        let inspect = || Request::Inspect { id: id.clone() };
                        match client.ask(operation, Some(id), inspect, until).await? {
                            Answer::Report(report) => Ok(*report),
                            _ => Err(unexpected(operation)),
                        }
                    }
                }
            }
        };
        report.map_err(|error| error.with_operation(operation))
    }

    /// What the journal alone can tell: everything, where no keeper answers and none is needed.
    async fn without_keeper(
        &self,
        client: &Client,
        operation: Operation,
        until: Instant,
    ) -> Result<Option<HashMap<AgentId, Report>>> {
        let silent = match client.is_there(until).await {
            Ok(true) => return Ok(None),
            Ok(false) => None,
            Err(error) if error.kind() == ErrorKind::EngineUnavailable => Some(error),
            Err(error) => return Err(error.with_operation(operation)),
        };
        let reports = read_reports(&self.0.folder, self.0.swarm)
            .map_err(|error| error.with_operation(operation))?;
        match (reports, silent) {
            // Another would be told the same.
            (None, Some(error)) => Err(error.with_operation(operation)),
            (reports, _) => Ok(reports),
        }
    }

    async fn listed(&self, operation: Operation) -> Result<Vec<AgentInfo>> {
        let client = match &self.0.keeping {
            Keeping::Here(here) => return Ok(here.keep().await?.list()),
            Keeping::Apart(client) => client,
        };
        let until = Client::time_limit();
        if let Some(reports) = self.without_keeper(client, operation, until).await? {
            return Ok(reports.into_values().map(|report| report.info).collect());
        }
        let list = || Request::List;
        match client.ask(operation, None, list, until).await? {
            Answer::List(agents) => Ok(agents),
            _ => Err(unexpected(operation)),
        }
    }
}

#[async_trait]
impl AgentBackend for ProcessBackend {
    fn kind(&self) -> BackendKind {
        BackendKind::new(NAME)
    }

    fn capabilities(&self) -> Capabilities {
        let (survives, cgroups, memory, pids, bounded) = match &self.0.keeping {
            Keeping::Here(here) => {
                let keep = here.begun();
                let groups = keep.as_ref().and_then(Keep::cgroups);
                (
                    Survival::NOTHING,
                    groups.is_some(),
                    groups.is_some_and(Cgroups::limits_memory),
                    groups.is_some_and(Cgroups::limits_pids),
                    keep.as_ref().is_some_and(Keep::bounds_logs),
                )
            }
            Keeping::Apart(client) => {
                let facts = client.facts();
                let is = |fact: fn(&crate::wire::Facts) -> bool| facts.as_ref().is_some_and(fact);
                (
                    Survival::ALL,
                    is(|f| f.cgroups),
                    is(|f| f.limits_memory),
                    is(|f| f.limits_pids),
                    is(|f| f.bounds_logs),
                )
            }
        };
        let mut capabilities = Capabilities::default();
        capabilities.survives = survives;
        if let Keeping::Here(here) = &self.0.keeping
            && !here.is_passing()
        {
            capabilities.survives.agents = true;
            capabilities.survives.logs = true;
        }
        capabilities.tree_kill = if cgroups {
            TreeKill::Enforced
        } else {
            TreeKill::BestEffort
        };
        capabilities.logs = LogFidelity::default();
        capabilities.logs.readable = true;
        capabilities.logs.byte_exact = true;
        capabilities.logs.complete = true;
        capabilities.logs.bounded = bounded;
        capabilities.logs.counted = true;
        capabilities.logs.time_resolution = Some(RESOLUTION);
        capabilities.limits = LimitSupport::default();
        capabilities.limits.memory = memory;
        capabilities.limits.nproc = pids;
        capabilities.limits.nofile = true;
        capabilities.limits.cpu_time = true;
        capabilities.secret_files = true;
        capabilities.user = rustix::process::geteuid().is_root();
        capabilities.cwd = true;
        capabilities.signals = true;
        capabilities
    }

    async fn check(&self) -> Result<Health> {
        if let Keeping::Here(here) = &self.0.keeping {
            here.keep()
                .await
                .map_err(|error| error.with_operation(Operation::Check))?;
        }
        if let Keeping::Apart(client) = &self.0.keeping {
            // Whoever lists is asked who he is, and started if he is not there.
            client
                .ask(
                    Operation::Check,
                    None,
                    || Request::List,
                    Client::time_limit(),
                )
                .await?;
        }
        let capabilities = self.capabilities();
        let mut health = Health::default().with_endpoint(self.0.folder.display().to_string());
        match &self.0.keeping {
            Keeping::Apart(client) => {
                if let Some(facts) = client.facts() {
                    health = health.with_version(facts.build);
                }
            }
            Keeping::Here(..) => {
                health = health.with_version(env!("CARGO_PKG_VERSION")).with_note(
                    "this process keeps the agents itself: how they end after it has ended is lost",
                    Some("call `alveary_process::keeper::run_if_asked()` first in `main`, or name a keeper's program"),
                );
            }
        }
        if let Some(file) = put_aside_in(&self.0.folder) {
            let what = format!(
                "the journal had lines that cannot be read: they lie in {}",
                file.display()
            );
            let cure = "look whether an agent of yours stands in it, and remove the file";
            health = health.with_note(what, Some(cure));
        }
        if capabilities.tree_kill == TreeKill::BestEffort {
            health = health.with_note(
                "no cgroup v2 can be divided here: a process that leaves its agent's tree may live on",
                Some("run as root, or in a systemd unit with `Delegate=yes`"),
            );
        }
        if !capabilities.limits.memory {
            health = health.with_note(
                "no control group with the memory controller can be had: `limits.memory` is refused",
                Some("run as root, or in a systemd unit with `Delegate=yes`"),
            );
        }
        if !capabilities.logs.bounded {
            health = health.with_note(
                "logs grow without bound here: the file system cannot give back the head of a file, or no more \
                 inotify instances can be had",
                Some("keep the state folder on ext4, xfs, btrfs or tmpfs, and raise fs.inotify.max_user_instances"),
            );
        }
        Ok(health)
    }

    async fn spawn(
        &self,
        id: &AgentId,
        spec: &AgentSpec,
        options: SpawnOptions,
    ) -> Result<AgentInfo> {
        let begun = SystemTime::now();
        let launch = Launch::prepare(self.0.swarm, id, options.incarnation, spec)?;
        let info = match &self.0.keeping {
            Keeping::Here(here) => here.keep().await?.spawn(launch).await?,
            Keeping::Apart(client) => {
                let spawn = || Request::Spawn(Box::new(launch.clone()));
                match client
                    .ask(Operation::Spawn, Some(id), spawn, Client::time_limit())
                    .await?
                {
                    Answer::Info(info) => *info,
                    _ => return Err(unexpected(Operation::Spawn)),
                }
            }
        };
        tell_phases(begun, &info);
        Ok(info)
    }

    async fn inspect(&self, id: &AgentId) -> Result<AgentInfo> {
        match self.report(Operation::Inspect, id).await {
            Ok(report) => Ok(report.info),
            // A keeper of another version, which can list all the same.
            Err(error) if error.kind() == ErrorKind::Unsupported => {
                let agents = self.listed(Operation::Inspect).await?;
                let found = agents.into_iter().find(|agent| agent.id == *id);
                found.ok_or_else(|| Error::agent_not_found(Operation::Inspect, id))
            }
            Err(error) => Err(error),
        }
    }

    async fn list(&self, options: ListOptions) -> Result<Vec<AgentInfo>> {
        let mut agents = self.listed(Operation::List).await?;
        if options.living_only {
            agents.retain(|agent| !agent.state.has_ended());
        }
        Ok(agents)
    }

    async fn stop(&self, id: &AgentId, options: StopOptions) -> Result<Exit> {
        let client = match &self.0.keeping {
            Keeping::Here(here) => return here.keep().await?.stop(id, options).await,
            Keeping::Apart(client) => client,
        };
        let stop = || Request::Stop {
            id: id.clone(),
            grace_ms: options
                .grace
                .map(|grace| u64::try_from(grace.as_millis()).unwrap_or(u64::MAX)),
            signal: options.signal,
            incarnation: options.incarnation,
        };
        // How long the answer may take is the agent's grace, which only the keeper knows: what is bounded is
        // how long the keeper may be silent.
        let asked = client.ask(Operation::Stop, Some(id), stop, Instant::now() + NO_LIMIT);
        tokio::pin!(asked);
        let mut pause = FIRST_SIGN_OF_LIFE;
        let answer = loop {
            tokio::select! {
                answer = &mut asked => break answer?,
                () = tokio::time::sleep(pause) => {
                    let until = Client::time_limit();
                    client.ask(Operation::Stop, Some(id), || client.greeting(), until).await?;
                    pause = SIGN_OF_LIFE;
                }
            }
        };
        match answer {
            Answer::Exit(exit) => Ok(exit),
            _ => Err(unexpected(Operation::Stop)),
        }
    }

    async fn remove(&self, id: &AgentId, options: RemoveOptions) -> Result<()> {
        match &self.0.keeping {
            Keeping::Here(here) => here.keep().await?.remove(id, options).await,
            Keeping::Apart(client) => {
                let remove = || Request::Remove {
                    id: id.clone(),
                    force: options.force,
                };
                match client
                    .ask(Operation::Remove, Some(id), remove, Client::time_limit())
                    .await?
                {
                    Answer::Done => Ok(()),
                    _ => Err(unexpected(Operation::Remove)),
                }
            }
        }
    }

    async fn events(&self, _options: EventOptions) -> Result<EventStream> {
        match &self.0.keeping {
            Keeping::Apart(client) => client.events().await,
            Keeping::Here(here) => {
                let events = here.keep().await?.events();
                Ok(EventStream::new(futures_util::stream::unfold(
                    events,
                    |mut events| async move {
                        use tokio::sync::broadcast::error::RecvError;
                        match events.recv().await {
                            Ok(event) => Some((Ok(event), events)),
                            Err(RecvError::Lagged(_)) => Some((Ok(AgentEvent::Lagged), events)),
                            Err(RecvError::Closed) => None,
                        }
                    },
                )))
            }
        }
    }

    async fn logs(&self, id: &AgentId, options: LogOptions) -> Result<LogStream> {
        let report = self.report(Operation::Logs, id).await?;
        let Some(output) = report.output_of(options.incarnation) else {
            return Err(Error::new(
                ErrorKind::NotFound,
                Operation::Logs,
                "no such start of it is known",
            )
            .with_agent(id)
            .with_cure("leave the incarnation out to read what the latest start wrote"));
        };
        let wait_over: reader::WaitOver = Box::new({
            let (backend, id) = (self.clone(), id.clone());
            move || {
                let (backend, id) = (backend.clone(), id.clone());
                Box::pin(async move { backend.until_over(&id, output.start).await })
            }
        });
        reader::open(
            &self.0.logs,
            &self.0.wakers,
            id,
            output,
            &options,
            wait_over,
        )
    }

    fn signals(&self) -> Option<&dyn Signals> {
        Some(self)
    }

    fn exec(&self) -> Option<&dyn Exec> {
        Some(self)
    }

    fn plans(&self) -> Option<&dyn Plans> {
        Some(self)
    }

    fn stats(&self) -> Option<&dyn Stats> {
        Some(self)
    }

    fn pause(&self) -> Option<&dyn Pause> {
        // Where there are control groups, which is known when somebody who keeps was asked.
        let can = self.capabilities().tree_kill == TreeKill::Enforced;
        can.then_some(self)
    }
}

impl fmt::Display for ProcessBackend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "local processes, kept in {}", self.0.folder.display())
    }
}

impl fmt::Debug for ProcessBackend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let by_keeper = matches!(self.0.keeping, Keeping::Apart(_));
        f.debug_struct("ProcessBackend")
            .field("swarm", &self.0.swarm)
            .field("folder", &self.0.folder)
            .field("by_keeper", &by_keeper)
            .finish()
    }
}

/// Whoever keeps it is another process, whose clock is this one's: what it wrote down says how far each step took. A start
/// that was made before, or a clock that was set meanwhile, tells nothing.
fn tell_phases(begun: SystemTime, info: &AgentInfo) {
    let created = info.created_at.duration_since(begun);
    let started = info
        .started_at
        .map(|started| started.duration_since(info.created_at));
    if let (Ok(create), Some(Ok(start))) = (created, started) {
        SpawnPhase::Create.tell(&info.id, create);
        SpawnPhase::Start.tell(&info.id, start);
    }
}
