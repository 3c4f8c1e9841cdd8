//! One incarnation of an agent: the task that runs it, how it is asked to end, and how it ended.

use std::any::Any;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use futures_util::FutureExt;
use tokio::sync::{Notify, broadcast};
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use super::context::Given;
use super::engine::MemoryEngine;
use super::motion::Motion;
use super::signals::PendingSignals;
use crate::error::{Error, ErrorKind, Operation, Result};
use crate::event::AgentEvent;
use crate::exit::{EndedBy, Exit, ExitStatus};
use crate::id::{AgentId, Incarnation};
use crate::info::{AgentInfo, AgentState};
use crate::log_buffer::LogBuffer;
use crate::logs::LogStreamKind;
use crate::options::StopOptions;
use crate::signal::Signal;
use crate::spec::{AgentSpec, SpecHash, Stop};

/// How long dropping an agent's future may take: only one that blocks its thread needs any of it.
const FORCE_TAKES: Duration = Duration::from_secs(2);

/// What a program ends with when it panics, as a Rust process does.
pub(super) const PANICKED: i32 = 101;

pub(super) struct Agent {
    pub(super) id: AgentId,
    pub(super) incarnation: Incarnation,
    pub(super) name: String,
    pub(super) spec_hash: SpecHash,
    capabilities: Vec<String>,
    handle: String,
    created_at: SystemTime,
    stop: Stop,
    pub(super) given: Given,
    pub(super) log: LogBuffer,
    pub(super) motion: Motion,
    pub(super) signals: PendingSignals,
    /// It has been asked to end.
    pub(super) asked: CancellationToken,
    life: Mutex<Life>,
    /// The force has been brought forward.
    hurried: Notify,
    /// It has ended.
    pub(super) ended: CancellationToken,
    events: broadcast::Sender<AgentEvent>,
}

#[derive(Default)]
struct Life {
    /// When it is ended by force, once it has been asked to end.
    force_at: Option<Instant>,
    exit: Option<Exit>,
}

impl Agent {
    pub(super) fn new(
        id: &AgentId,
        incarnation: Incarnation,
        spec: &AgentSpec,
        spec_hash: SpecHash,
        given: Given,
        engine: &MemoryEngine,
        events: broadcast::Sender<AgentEvent>,
    ) -> Self {
        Self {
            id: id.clone(),
            incarnation,
            name: spec.name.clone(),
            spec_hash,
            capabilities: spec.capabilities.clone(),
            handle: engine.next_handle(),
            created_at: SystemTime::now(),
            stop: spec.stop.clone(),
            given,
            log: LogBuffer::new(engine.log_kept()),
            motion: Motion::default(),
            signals: PendingSignals::default(),
            asked: CancellationToken::new(),
            life: Mutex::default(),
            hurried: Notify::new(),
            ended: CancellationToken::new(),
            events,
        }
    }

    fn life(&self) -> MutexGuard<'_, Life> {
        self.life.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn has_ended(&self) -> bool {
        self.life().exit.is_some()
    }

    pub(super) fn info(&self) -> AgentInfo {
        self.info_in(&self.life())
    }

    fn info_in(&self, life: &Life) -> AgentInfo {
        let state = match life {
            Life {
                exit: Some(exit), ..
            } => AgentState::Exited(exit.clone()),
            Life {
                force_at: Some(_), ..
            } => AgentState::Stopping,
            _ => AgentState::Running,
        };
        AgentInfo {
            id: self.id.clone(),
            incarnation: self.incarnation,
            name: self.name.clone(),
            paused: state == AgentState::Running && self.motion.is_paused(),
            state,
            handle: Some(self.handle.clone()),
            pid: None,
            image: None,
            ports: Vec::new(),
            capabilities: self.capabilities.clone(),
            spec_hash: self.spec_hash,
            created_at: self.created_at,
            started_at: Some(self.created_at),
        }
    }

    /// Tells how it stands. Called with the state locked, so that events come in the order of the states.
    fn tell(&self, life: &Life) {
        if self.events.receiver_count() > 0 {
            // Whoever has gone meanwhile need not be told.
            let _ = self.events.send(AgentEvent::Changed(self.info_in(life)));
        }
    }

    pub(super) fn tell_of_birth(&self) {
        self.tell(&self.life());
    }

    /// Runs the program to its end, or to the moment at which it is ended by force.
    pub(super) fn run<S: Into<ExitStatus>>(
        self: Arc<Self>,
        program: impl Future<Output = S>,
    ) -> impl Future<Output = ()> {
        // Made before the first poll: a runtime that is about to end may never poll.
        let mut unfinished = Unfinished(Some(self.clone()));
        async move {
            // The program is dropped with all that it holds before its end is told.
            let (status, forced) = self.drive(program).await;
            unfinished.disarm();
            self.end(status, forced);
        }
    }

    async fn drive<S: Into<ExitStatus>>(
        &self,
        program: impl Future<Output = S>,
    ) -> (ExitStatus, bool) {
        let mut program = std::pin::pin!(AssertUnwindSafe(self.motion.run(program)).catch_unwind());
        loop {
            let force_at = self.life().force_at;
            let force = async {
                match force_at {
                    // A timer would round this up to a millisecond.
                    Some(at) if at <= Instant::now() => {}
                    Some(at) => sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                () = self.hurried.notified() => {}
                () = force => return (ExitStatus::Signal(Signal::KILL), true),
                status = &mut program => return match status {
                    Ok(status) => (status.into(), false),
                    Err(panic) => (self.panicked(&*panic), false),
                },
            }
        }
    }

    fn panicked(&self, panic: &(dyn Any + Send)) -> ExitStatus {
        let words = panic
            .downcast_ref::<String>()
            .map(String::as_str)
            .or_else(|| panic.downcast_ref::<&str>().copied())
            .unwrap_or("without a message");
        let line = format!("the agent panicked: {words}\n");
        self.log.write(LogStreamKind::Stderr, line.as_bytes());
        ExitStatus::Code(PANICKED)
    }

    fn end(&self, status: ExitStatus, forced: bool) {
        // The log first: whoever hears of the end reads all of it.
        self.log.close();
        let mut life = self.life();
        let by = match (&status, forced, life.force_at) {
            (ExitStatus::Unknown { .. }, ..) => EndedBy::Unknown,
            (_, true, _) => EndedBy::UsByForce,
            (_, false, Some(_)) => EndedBy::Us,
            (_, false, None) => EndedBy::Itself,
        };
        life.exit = Some(Exit::new(status, by).with_at(SystemTime::now()));
        self.tell(&life);
        drop(life);
        self.ended.cancel();
    }

    /// Asks it to end, then waits for the end.
    pub(super) async fn stop(&self, options: &StopOptions) -> Result<Exit> {
        let grace = options.grace.unwrap_or(self.stop.grace);
        self.ask(grace, options.signal.unwrap_or(self.stop.signal_or_term()));
        let patience = grace.saturating_add(FORCE_TAKES);
        if timeout(patience, self.ended.cancelled()).await.is_err() {
            return Err(self.blocks());
        }
        self.life().exit.clone().ok_or_else(|| self.blocks())
    }

    fn blocks(&self) -> Error {
        Error::new(
            ErrorKind::StillRunning,
            Operation::Stop,
            "its program blocks the thread that runs it, and cannot be ended",
        )
        .with_agent(&self.id)
        .with_cure("have the program await what it waits for")
    }

    /// The first to ask sends the signal; a later one can only bring the force forward.
    fn ask(&self, grace: Duration, signal: Signal) {
        let now = Instant::now();
        let force_at = now.checked_add(grace).unwrap_or_else(|| far_from(now));
        let mut life = self.life();
        if life.exit.is_some() {
            return;
        }
        let first = life.force_at.is_none();
        let earlier = life.force_at.is_none_or(|planned| force_at < planned);
        if earlier {
            life.force_at = Some(force_at);
        }
        if first {
            self.tell(&life);
        }
        drop(life);
        if earlier {
            self.hurried.notify_one();
        }
        // With no grace there is nothing that it could do about being asked.
        if first && !grace.is_zero() {
            self.signals.send(signal);
            self.asked.cancel();
        }
        // After the signal, so that what goes on does so to handle it.
        self.motion.resume();
    }

    /// Delivers a signal that a caller sends. KILL cannot be handled.
    pub(super) fn deliver(&self, signal: Signal) {
        match signal {
            Signal::KILL => self.ask(Duration::ZERO, signal),
            Signal::TERM => {
                self.signals.send(signal);
                self.asked.cancel();
            }
            _ => self.signals.send(signal),
        }
    }
}

impl Agent {
    /// Holds everything still that runs of it.
    pub(super) async fn pause(&self) -> Result<()> {
        self.begin_pause()?;
        if timeout(FORCE_TAKES, self.motion.still()).await.is_ok() {
            return Ok(());
        }
        self.resume()?;
        Err(Error::new(
            ErrorKind::Timeout,
            Operation::Pause,
            "its program blocks the thread that runs it, and cannot be held still",
        )
        .with_agent(&self.id)
        .with_cure("have the program await what it waits for"))
    }

    fn begin_pause(&self) -> Result<()> {
        let life = self.life();
        if life.exit.is_some() || life.force_at.is_some() {
            return Err(self.does_not_run(Operation::Pause));
        }
        if self.motion.pause() {
            self.tell(&life);
        }
        Ok(())
    }

    /// Lets it go on.
    pub(super) fn resume(&self) -> Result<()> {
        let life = self.life();
        if life.exit.is_some() {
            return Err(self.does_not_run(Operation::Resume));
        }
        if self.motion.resume() {
            self.tell(&life);
        }
        Ok(())
    }

    /// `Conflict` where it has ended.
    pub(super) fn ensure_runs(&self, operation: Operation) -> Result<()> {
        if self.has_ended() {
            return Err(self.does_not_run(operation));
        }
        Ok(())
    }

    fn does_not_run(&self, operation: Operation) -> Error {
        Error::new(
            ErrorKind::Conflict,
            operation,
            "it has ended, or is being stopped",
        )
        .with_agent(&self.id)
        .with_cure("start it again first")
    }
}

/// As far away as a deadline that nobody lives to see.
fn far_from(now: Instant) -> Instant {
    now + Duration::from_hours(30 * 365 * 24)
}

/// The runtime can end before the agents that it runs. Their end is then known, and how they would have ended
/// is not.
struct Unfinished(Option<Arc<Agent>>);

impl Unfinished {
    fn disarm(&mut self) {
        self.0 = None;
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if let Some(agent) = self.0.take() {
            let why = if std::thread::panicking() {
                "its program panicked while it was dropped"
            } else {
                "the runtime that ran it has ended"
            };
            let why = why.to_owned();
            agent.end(ExitStatus::Unknown { why }, false);
        }
    }
}
