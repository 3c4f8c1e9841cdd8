//! A whole backend in one file: local processes, held by the process that started them.
//!
//! It is small because it claims little, and what it claims it keeps: this program runs the conformance suite
//! on it. `docs/new-backend.md` walks through it.

use std::collections::HashMap;
use std::fmt;
use std::os::unix::process::ExitStatusExt;
use std::process::{ExitCode, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use alveary_conformance::{Behaviour, Harness, ProcWitness, ShellBehaviours, Witness, run};
use alveary_core::{
    AgentBackend, AgentEvent, AgentId, AgentInfo, AgentSpec, AgentState, BackendKind, Capabilities,
    EndedBy, Error, ErrorKind, EventOptions, EventStream, Exit, ExitStatus, Health, Incarnation,
    ListOptions, LogBuffer, LogOptions, LogStream, LogStreamKind, Operation, RemoveOptions, Result,
    Signal, SpawnOptions, Stop, StopOptions, SwarmUid,
};
use async_trait::async_trait;
use futures_util::stream;
use rustix::process::{Pid, kill_process_group};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::{Child, Command};
use tokio::sync::{broadcast, watch};
use tokio::time::{Instant, sleep_until, timeout};

/// One swarm's agents, known to this value alone.
struct Tiny {
    swarm: SwarmUid,
    agents: Mutex<HashMap<AgentId, Arc<Agent>>>,
    events: broadcast::Sender<AgentEvent>,
}

/// One start of an agent.
struct Agent {
    /// All that is known of it but its state.
    info: AgentInfo,
    state: watch::Sender<AgentState>,
    stop: Stop,
    /// When it is ended by force, once it has been asked to end.
    force_at: watch::Sender<Option<Instant>>,
    /// Its process group, which begins with it.
    group: Option<Pid>,
    log: LogBuffer,
    events: broadcast::Sender<AgentEvent>,
}

impl Agent {
    fn info(&self) -> AgentInfo {
        let mut info = self.info.clone();
        info.state = self.state.borrow().clone();
        info
    }

    fn has_ended(&self) -> bool {
        self.state.borrow().has_ended()
    }

    fn tell(&self, state: &AgentState) {
        let mut info = self.info.clone();
        info.state = state.clone();
        // Nobody may be listening.
        let _ = self.events.send(AgentEvent::Changed(info));
    }

    /// State and event under one lock, so that both come in one order; of two that come at once the further
    /// one stays.
    fn becomes(&self, state: &AgentState) {
        self.state.send_if_modified(|old| {
            let further = old.progress() < state.progress();
            if further {
                old.clone_from(state);
                self.tell(state);
            }
            further
        });
    }

    fn signal(&self, signal: Signal) {
        let signal = rustix::process::Signal::from_named_raw(signal.number());
        if let (Some(group), Some(signal)) = (self.group, signal) {
            // A group that has ended meanwhile needs no signal.
            let _ = kill_process_group(group, signal);
        }
    }

    /// The first to ask sends the signal; a later one can only bring the force forward.
    fn ask(&self, grace: Duration, signal: Signal) {
        let at = Instant::now() + grace.min(Duration::from_hours(24 * 366));
        let mut first = false;
        self.force_at.send_if_modified(|force_at| {
            first = force_at.is_none();
            let earlier = force_at.is_none_or(|planned| at < planned);
            if earlier {
                *force_at = Some(at);
            }
            earlier
        });
        if first && !self.has_ended() {
            self.becomes(&AgentState::Stopping);
            if !grace.is_zero() {
                self.signal(signal);
            }
        }
    }

    /// Sees it through to its end. Runs by itself, so that no dropped call stops it.
    async fn see_through(self: Arc<Self>, mut child: Child) {
        let pumps = [
            child
                .stdout
                .take()
                .map(|pipe| self.pump(LogStreamKind::Stdout, pipe)),
            child
                .stderr
                .take()
                .map(|pipe| self.pump(LogStreamKind::Stderr, pipe)),
        ];
        let mut force_at = self.force_at.subscribe();
        let mut forced = false;
        let status = loop {
            let deadline = *force_at.borrow_and_update();
            let force = async {
                match deadline {
                    Some(at) if !forced => sleep_until(at).await,
                    _ => std::future::pending().await,
                }
            };
            tokio::select! {
                status = child.wait() => break status,
                _ = force_at.changed() => {}
                () = force => {
                    forced = true;
                    self.signal(Signal::KILL);
                }
            }
        };
        // What it left behind in its group ends with it, and with that the pipes. The group's number is free
        // only since a moment ago; a backend that claims more holds on to it (a pidfd, a control group).
        self.signal(Signal::KILL);
        for pump in pumps.into_iter().flatten() {
            // A process that left the group may hold a pipe for ever: `TreeKill::BestEffort`.
            let _ = timeout(Duration::from_secs(1), pump).await;
        }
        self.log.close();
        let asked = self.force_at.borrow().is_some();
        let exit = match status.map(|status| (status.code(), status.signal())) {
            Ok((Some(code), _)) => Exit::new(ExitStatus::Code(code), by(asked, false)),
            Ok((None, Some(number))) => match Signal::from_number(number) {
                Some(signal) => Exit::new(ExitStatus::Signal(signal), by(asked, forced)),
                None => Exit::unknown(format!("the signal {number} ended it")),
            },
            Ok((None, None)) => Exit::unknown("the system says neither code nor signal"),
            Err(error) => Exit::unknown(format!("it could not be waited for: {error}")),
        };
        self.becomes(&AgentState::Exited(exit.with_at(SystemTime::now())));
    }

    fn pump(
        &self,
        stream: LogStreamKind,
        mut pipe: impl AsyncRead + Unpin + Send + 'static,
    ) -> tokio::task::JoinHandle<()> {
        let log = self.log.clone();
        tokio::spawn(async move {
            let mut buffer = vec![0; 16 * 1024];
            while let Ok(read @ 1..) = pipe.read(&mut buffer).await {
                log.write(stream, &buffer[..read]);
            }
        })
    }

    async fn stop(&self, options: &StopOptions, operation: Operation) -> Result<Exit> {
        let grace = options.grace.unwrap_or(self.stop.grace);
        let mut state = self.state.subscribe();
        self.ask(grace, options.signal.unwrap_or(self.stop.signal_or_term()));
        let patience = grace.saturating_add(Duration::from_secs(10));
        let ended = timeout(patience, state.wait_for(AgentState::has_ended)).await;
        if let Ok(Ok(state)) = ended
            && let AgentState::Exited(exit) = &*state
        {
            return Ok(exit.clone());
        }
        Err(still_running(operation, &self.info.id))
    }
}

fn by(asked: bool, forced: bool) -> EndedBy {
    match (asked, forced) {
        (_, true) => EndedBy::UsByForce,
        (true, false) => EndedBy::Us,
        (false, false) => EndedBy::Itself,
    }
}

fn still_running(operation: Operation, id: &AgentId) -> Error {
    Error::new(ErrorKind::StillRunning, operation, "it has not ended")
        .with_agent(id)
        .with_cure("stop it first, by force if need be")
}

fn conflict(operation: Operation, id: &AgentId) -> Error {
    Error::new(
        ErrorKind::Conflict,
        operation,
        "another start of it is its latest",
    )
    .with_agent(id)
    .with_cure("inspect it, and name its latest start or none")
}

impl Tiny {
    fn new(swarm: SwarmUid) -> Self {
        Self {
            swarm,
            agents: Mutex::default(),
            events: broadcast::channel(1024).0,
        }
    }

    fn agents(&self) -> MutexGuard<'_, HashMap<AgentId, Arc<Agent>>> {
        self.agents.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn find(&self, operation: Operation, id: &AgentId) -> Result<Arc<Agent>> {
        let agents = self.agents();
        let agent = agents.get(id).cloned();
        agent.ok_or_else(|| Error::agent_not_found(operation, id))
    }

    /// Without a point at which it could be dropped, and under one lock: no double, nothing half done.
    fn spawn_now(
        &self,
        id: &AgentId,
        spec: &AgentSpec,
        incarnation: Incarnation,
    ) -> Result<AgentInfo> {
        self.capabilities().admit(spec)?;
        let mut agents = self.agents();
        if let Some(there) = agents.get(id) {
            let same = there.info.incarnation == incarnation;
            if same && (there.has_ended() || there.info.spec_hash == spec.hash()) {
                return Ok(there.info());
            }
            if !there.has_ended() {
                let what = "it lives already, of another start or spec";
                return Err(Error::new(ErrorKind::AlreadyExists, Operation::Spawn, what)
                    .with_cure("stop it first, or choose another id"));
            }
        }
        let child = self
            .command(id, spec, incarnation)?
            .spawn()
            .map_err(not_started)?;
        let mut info = AgentInfo::new(id.clone(), incarnation, &spec.name, AgentState::Running);
        info.pid = child.id();
        info.handle = child.id().map(|pid| pid.to_string());
        info.capabilities.clone_from(&spec.capabilities);
        info.spec_hash = spec.hash();
        info.started_at = Some(info.created_at);
        let agent = Arc::new(Agent {
            state: watch::Sender::new(AgentState::Running),
            stop: spec.stop.clone(),
            force_at: watch::Sender::new(None),
            group: child.id().and_then(|pid| Pid::from_raw(pid.cast_signed())),
            log: LogBuffer::new(4 << 20),
            events: self.events.clone(),
            info,
        });
        agents.insert(id.clone(), agent.clone());
        agent.tell(&AgentState::Running);
        let info = agent.info();
        tokio::spawn(agent.see_through(child));
        Ok(info)
    }

    fn command(&self, id: &AgentId, spec: &AgentSpec, incarnation: Incarnation) -> Result<Command> {
        let (program, arguments) = spec.command.split_first().ok_or_else(|| {
            Error::new(
                ErrorKind::InvalidSpec,
                Operation::Spawn,
                "it has no command",
            )
            .with_cure("give `command` a program")
        })?;
        let mut command = Command::new(program);
        command
            .args(arguments)
            .env_clear()
            .envs(spec.environment(self.swarm, id, incarnation)?)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true);
        if let Some(cwd) = &spec.cwd {
            if !cwd.is_dir() {
                let what = format!("there is no folder {}", cwd.display());
                return Err(Error::new(ErrorKind::InvalidSpec, Operation::Spawn, what)
                    .with_cure("make it, or name another in `cwd`"));
            }
            command.current_dir(cwd);
        }
        Ok(command)
    }
}

fn not_started(error: std::io::Error) -> Error {
    let (kind, cure) = match error.kind() {
        std::io::ErrorKind::NotFound => {
            (ErrorKind::InvalidSpec, "install it, or give its whole path")
        }
        std::io::ErrorKind::PermissionDenied => (ErrorKind::PermissionDenied, "make it executable"),
        _ => (ErrorKind::OutOfResources, "see what the system says"),
    };
    Error::new(kind, Operation::Spawn, "its program could not be started")
        .with_cure(cure)
        .with_source(error)
}

#[async_trait]
impl AgentBackend for Tiny {
    fn kind(&self) -> BackendKind {
        BackendKind::new("tiny")
    }

    fn capabilities(&self) -> Capabilities {
        let mut capabilities = Capabilities::default();
        capabilities.logs.readable = true;
        capabilities.logs.byte_exact = true;
        capabilities.logs.complete = true;
        capabilities.logs.bounded = true;
        capabilities.logs.counted = true;
        capabilities.logs.time_resolution = Some(Duration::from_millis(100));
        capabilities.cwd = true;
        capabilities.signals = true;
        capabilities
    }

    async fn check(&self) -> Result<Health> {
        Ok(Health::default().with_endpoint("this host"))
    }

    async fn spawn(&self, id: &AgentId, spec: &AgentSpec, o: SpawnOptions) -> Result<AgentInfo> {
        self.spawn_now(id, spec, o.incarnation)
            .map_err(|error| error.with_agent(id))
    }

    async fn inspect(&self, id: &AgentId) -> Result<AgentInfo> {
        Ok(self.find(Operation::Inspect, id)?.info())
    }

    async fn list(&self, options: ListOptions) -> Result<Vec<AgentInfo>> {
        let agents = self.agents();
        let infos = agents.values().map(|agent| agent.info());
        Ok(infos
            .filter(|info| !options.living_only || !info.state.has_ended())
            .collect())
    }

    async fn stop(&self, id: &AgentId, options: StopOptions) -> Result<Exit> {
        let agent = self.find(Operation::Stop, id)?;
        if options
            .incarnation
            .is_some_and(|meant| meant != agent.info.incarnation)
        {
            return Err(conflict(Operation::Stop, id));
        }
        agent.stop(&options, Operation::Stop).await
    }

    async fn remove(&self, id: &AgentId, options: RemoveOptions) -> Result<()> {
        let agent = self.find(Operation::Remove, id)?;
        if options.force {
            agent
                .stop(&StopOptions::by_force(), Operation::Remove)
                .await?;
        }
        if !agent.has_ended() {
            return Err(still_running(Operation::Remove, id));
        }
        let mut agents = self.agents();
        // Another call may have removed it meanwhile, and a third may have begun the next start.
        if agents
            .get(id)
            .is_none_or(|there| !Arc::ptr_eq(there, &agent))
        {
            return Err(Error::agent_not_found(Operation::Remove, id));
        }
        agents.remove(id);
        let incarnation = agent.info.incarnation;
        let _ = self.events.send(AgentEvent::Removed {
            id: id.clone(),
            incarnation,
        });
        Ok(())
    }

    async fn events(&self, _options: EventOptions) -> Result<EventStream> {
        let events = stream::unfold(self.events.subscribe(), |mut events| async {
            match events.recv().await {
                Ok(event) => Some((Ok(event), events)),
                Err(broadcast::error::RecvError::Lagged(_)) => {
                    Some((Ok(AgentEvent::Lagged), events))
                }
                Err(broadcast::error::RecvError::Closed) => None,
            }
        });
        Ok(EventStream::new(events))
    }

    async fn logs(&self, id: &AgentId, options: LogOptions) -> Result<LogStream> {
        let agent = self.find(Operation::Logs, id)?;
        if options
            .incarnation
            .is_some_and(|meant| meant != agent.info.incarnation)
        {
            return Err(Error::agent_not_found(Operation::Logs, id));
        }
        agent
            .log
            .read(&options)
            .map_err(|error| error.with_agent(id))
    }
}

impl fmt::Debug for Tiny {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tiny")
            .field("swarm", &self.swarm)
            .finish_non_exhaustive()
    }
}

impl fmt::Display for Tiny {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("tiny (this host)")
    }
}

/// What the suite needs to know.
pub(crate) struct TinyHarness;

#[async_trait]
impl Harness for TinyHarness {
    fn name(&self) -> &'static str {
        "tiny"
    }

    async fn connect(&self, swarm: &SwarmUid) -> Result<Arc<dyn AgentBackend>> {
        Ok(Arc::new(Tiny::new(*swarm)))
    }

    fn spec(&self, behaviour: &Behaviour) -> Option<AgentSpec> {
        ShellBehaviours::default().spec(behaviour)
    }

    fn witness(&self) -> Option<&dyn Witness> {
        Some(&ProcWitness)
    }
}

fn main() -> ExitCode {
    run(std::env::args_os(), vec![Box::new(TinyHarness)])
}
