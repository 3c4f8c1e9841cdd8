//! Ending: the signal, the grace, the force, and then the truth. One stop of a container is under way at a
//! time; whoever asks meanwhile shares it and its outcome.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use alveary_core::{
    AgentId, AgentState, Error, ErrorKind, Exit, Operation, Result, Signal, StopOptions,
};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout_at};

use super::Containers;
use super::agent::{Agent, Last, another_start};
use super::coming::CalledOff;
use crate::asks::{Asks, Sent};
use crate::classify::{Class, Trouble};
use crate::engine::{Container, Engine, Phase, Ref};

/// As long as any grace.
const NO_LIMIT: Duration = Duration::from_hours(30 * 366 * 24);

/// The longest that the engine alone is relied on to say that a container has ended.
const LOOK_ANYWAY: Duration = Duration::from_secs(20);

/// The stops that are under way.
#[derive(Debug, Default)]
pub(super) struct Stops(Mutex<HashMap<Ref, Arc<Stop>>>);

/// A stop that is under way.
#[derive(Debug)]
struct Stop {
    /// How long the agent has, from when the signal that asks is out.
    grace: Duration,
    /// When that would be over if it had been out at once.
    at_the_call: Instant,
    /// When force is used: brought forward by who is less patient, and put off only until the signal that asks is out.
    force_at: watch::Sender<Instant>,
    outcome: watch::Sender<Option<Outcome>>,
}

#[derive(Debug, Clone)]
enum Outcome {
    Ended(Exit),
    StillRunning,
    Failed(Trouble),
}

impl Outcome {
    fn told(self) -> Result<Exit> {
        match self {
            Self::Ended(exit) => Ok(exit),
            Self::Failed(trouble) => Err(trouble.error(Operation::Stop)),
            Self::StillRunning => Err(Error::new(
                ErrorKind::StillRunning,
                Operation::Stop,
                "even force has not ended it in time",
            )
            .with_cure("look at what the engine says of it; a process in the kernel's hands ends when the kernel lets go")),
        }
    }
}

impl Stop {
    /// The signal that asks is out, and the grace begins: not at the call, since an engine may take its time to send it.
    /// Whoever has brought the force forward meanwhile has the last word.
    fn asked(&self) {
        self.force_at.send_if_modified(|at| {
            let is_as_it_was = *at == self.at_the_call;
            if is_as_it_was {
                *at = Instant::now() + self.grace;
            }
            is_as_it_was
        });
    }
}

impl Stops {
    /// The stop of this container that is under way, and whether it is a new one.
    fn join(&self, container: &Ref, grace: Duration) -> (Arc<Stop>, bool) {
        let force_at = Instant::now() + grace;
        let mut stops = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(stop) = stops.get(container) {
            stop.force_at.send_if_modified(|at| {
                force_at < *at && {
                    *at = force_at;
                    true
                }
            });
            return (Arc::clone(stop), false);
        }
        let stop = Arc::new(Stop {
            grace,
            at_the_call: force_at,
            force_at: watch::Sender::new(force_at),
            outcome: watch::Sender::new(None),
        });
        stops.insert(container.clone(), Arc::clone(&stop));
        (stop, true)
    }

    fn done(&self, container: &Ref) {
        let mut stops = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        stops.remove(container);
    }
}

impl<E: Engine> Containers<E> {
    pub(super) async fn stop_agent(&self, id: &AgentId, options: StopOptions) -> Result<Exit> {
        if let Some(exit) = self.call_off(id, &options).await? {
            return Ok(exit);
        }
        let another = |incarnation| (options.incarnation).is_some_and(|meant| meant != incarnation);
        let agent = match self.find_or_failed(id, Operation::Stop).await? {
            Last::There(agent) if !another(agent.marks.incarnation) => agent,
            Last::Failed(info, left) if !another(info.incarnation) => {
                if let Some(left) = left.filter(|left| left.is_intent()) {
                    self.never_start(&left).await?;
                }
                let reason = match info.state {
                    AgentState::Failed { reason } => reason,
                    state => state.to_string(),
                };
                return Ok(Exit::unknown(reason));
            }
            _ => return Err(another_start(Operation::Stop, id)),
        };
        if agent.has_ended() {
            self.restart_no_more(&agent)
                .await
                .map_err(|trouble| trouble.error(Operation::Stop))?;
            self.hear(&agent.container).await;
            self.0.ended.see(id, &agent.container);
            return Ok(self.exit(&agent.container).await);
        }
        if agent.is_intent() {
            self.never_start(&agent).await?;
            return Ok(Exit::unknown("it was never started"));
        }
        let grace = options.grace.unwrap_or(agent.marks.grace).min(NO_LIMIT);
        let (stop, new) = self.0.stops.join(&agent.container.id, grace);
        let mut outcome = stop.outcome.subscribe();
        if new {
            let this = self.clone();
            let signal = options.signal.filter(|_| !grace.is_zero());
            let ask = (!grace.is_zero()).then(|| {
                signal
                    .or(agent.container.stop_signal)
                    .unwrap_or(Signal::TERM)
            });
            // The end is seen through whoever is dropped.
            tokio::spawn(async move {
                let outcome = this.see_through(&agent, ask, &stop).await;
                if let Outcome::Ended(_) = outcome {
                    this.0.ended.see(&agent.marks.id, &agent.container);
                }
                this.0.stops.done(&agent.container.id);
                stop.outcome.send_replace(Some(outcome));
            });
        }
        let told = outcome.wait_for(Option::is_some).await;
        match told.map(|outcome| outcome.clone()) {
            Ok(Some(outcome)) => outcome.told(),
            _ => Err(
                Trouble::new(Class::Lost, "the runtime ended in the midst of it")
                    .error(Operation::Stop),
            ),
        }
    }

    /// Taken away without force, so that it cannot be started any more by a start that is late.
    async fn never_start(&self, intent: &Agent) -> Result<()> {
        let swept = self.sweep(intent).await;
        swept.map_err(|trouble| trouble.error(Operation::Stop))
    }

    /// Ends what has no container yet. `None`: it has one, or is nobody.
    async fn call_off(&self, id: &AgentId, options: &StopOptions) -> Result<Option<Exit>> {
        let Some(info) = self.0.comings.get(id) else {
            return Ok(None);
        };
        if info.state.has_ended() {
            // The engine may have another start of it by now.
            return Ok(None);
        }
        if options
            .incarnation
            .is_some_and(|meant| meant != info.incarnation)
        {
            return Err(another_start(Operation::Stop, id));
        }
        match self.0.comings.call_off(id) {
            Some(CalledOff::Yes) => Ok(Some(Exit::unknown("it was never started"))),
            Some(CalledOff::TooLate) => {
                // Whoever starts it keeps its seat until it has.
                drop(self.seat(id).lock().await);
                Ok(None)
            }
            Some(CalledOff::Failed) | None => Ok(None),
        }
    }

    async fn see_through(&self, agent: &Agent, ask: Option<Signal>, stop: &Stop) -> Outcome {
        let container = &agent.container.id;
        let seen_through = async {
            self.restart_no_more(agent).await?;
            if let Some(signal) = ask {
                self.ask(container, signal).await?;
                // A frozen one hears nothing until it is thawed.
                if agent.container.phase == Phase::Paused {
                    self.thaw(container).await?;
                }
                stop.asked();
            }
            if let Some(exit) = self.ends_by_itself(container, stop).await? {
                return Ok(Outcome::Ended(exit));
            }
            self.force(container).await?;
            let limit = Instant::now() + self.0.settings.timeout.remove;
            match self.ended_until(container, limit).await? {
                Some(exit) => Ok(Outcome::Ended(exit)),
                None => Ok(Outcome::StillRunning),
            }
        };
        seen_through.await.unwrap_or_else(Outcome::Failed)
    }

    /// What was stopped would be started again by an engine that is itself started anew: it looks at how the agent has
    /// ended, and not at who has ended it.
    async fn restart_no_more(&self, agent: &Agent) -> Result<(), Trouble> {
        if !agent.container.is_restarted {
            return Ok(());
        }
        match self.engine().restart_no_more(&agent.container.id).await {
            Err(trouble) if trouble.class == Class::NoContainer => Ok(()),
            told => told,
        }
    }

    /// Sends the signal that asks, once, whichever manager of this swarm is first. Where nobody knows whether it was
    /// sent, twice does less harm than not at all.
    async fn ask(&self, container: &Ref, signal: Signal) -> Result<(), Trouble> {
        let mut before = self.0.asks.get(container);
        if before.term == Sent::Perhaps {
            before = self.0.asks.settled(container, Asks::patience()).await;
        }
        if before.term == Sent::Yes {
            return Ok(());
        }
        let with = |term| {
            let mut ask = before.clone();
            ask.term = term;
            ask
        };
        self.note(container, &with(Sent::Perhaps))?;
        match self.engine().kill(container, signal).await {
            Ok(()) => self.note(container, &with(Sent::Yes)),
            // Whether it was sent is not known; the grace passes, and then there is force.
            Err(trouble) if trouble.class == Class::Lost => Ok(()),
            Err(trouble) => {
                self.note(container, &before)?;
                if matches!(trouble.class, Class::NotRunning | Class::NoContainer) {
                    return Ok(());
                }
                Err(trouble)
            }
        }
    }

    async fn force(&self, container: &Ref) -> Result<(), Trouble> {
        let before = self.0.asks.get(container);
        let with = |kill| {
            let mut ask = before.clone();
            ask.kill = kill;
            ask
        };
        self.note(container, &with(Sent::Perhaps))?;
        // An engine answers this when the container has ended, and is at work until then.
        let turn = self.0.kills.next().await;
        match self.engine().kill(container, Signal::KILL).await {
            Ok(()) => {
                turn.answered();
                self.note(container, &with(Sent::Yes))
            }
            Err(trouble) if trouble.class == Class::Lost => Ok(()),
            Err(trouble) => {
                self.note(container, &before)?;
                if matches!(trouble.class, Class::NotRunning | Class::NoContainer) {
                    return Ok(());
                }
                Err(trouble)
            }
        }
    }

    pub(super) fn note(&self, container: &Ref, ask: &crate::asks::Ask) -> Result<(), Trouble> {
        self.0.asks.set(container, ask).map_err(|error| {
            Trouble::said(None, format!("what is sent cannot be recorded: {error}"))
        })
    }

    async fn thaw(&self, container: &Ref) -> Result<(), Trouble> {
        match self.engine().unpause(container).await {
            Err(trouble) if trouble.class == Class::Lost => Err(trouble),
            // Somebody else did, or it has ended.
            _ => self.deliver(container).await,
        }
    }

    /// Sends what waited for the container to go on.
    pub(super) async fn deliver(&self, container: &Ref) -> Result<(), Trouble> {
        let mut ask = self.0.asks.get(container);
        for signal in std::mem::take(&mut ask.held) {
            self.note(container, &ask)?;
            match self.engine().kill(container, signal).await {
                Err(trouble) if trouble.class == Class::NotRunning => return Ok(()),
                sent => sent?,
            }
        }
        Ok(())
    }

    /// The end, if it comes before force is due; when that is may be brought forward meanwhile.
    async fn ends_by_itself(&self, container: &Ref, stop: &Stop) -> Result<Option<Exit>, Trouble> {
        let mut force_at = stop.force_at.subscribe();
        loop {
            let at = *force_at.borrow_and_update();
            if at <= Instant::now() {
                return Ok(None);
            }
            tokio::select! {
                ended = self.ended_until(container, at) => return ended,
                // The sender lives as long as `stop`.
                _ = force_at.changed() => {}
            }
        }
    }

    /// Waits for the end, looking for itself from time to time: an engine's word may get lost.
    async fn ended_until(&self, container: &Ref, limit: Instant) -> Result<Option<Exit>, Trouble> {
        let mut pause = Duration::from_millis(2);
        loop {
            if let Some(exit) = self.end_of(container).await? {
                return Ok(Some(exit));
            }
            let left = limit.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(None);
            }
            let begun = Instant::now();
            let patience = left.min(LOOK_ANYWAY);
            let waited = self.engine().until_ended(container, patience);
            // An engine that does not even end the waiting is not waited for.
            let _ = timeout_at(begun + patience, waited).await;
            if begun.elapsed() < pause {
                sleep(pause.min(left)).await;
                pause = (pause * 2).min(Duration::from_millis(200));
            }
        }
    }

    /// How it ended, if it has. One that is gone was removed meanwhile, and ended before that.
    async fn end_of(&self, container: &Ref) -> Result<Option<Exit>, Trouble> {
        let gone = || Exit::unknown("it was removed before its end was read");
        match self.engine().inspect(container).await {
            Ok(
                None
                | Some(Container {
                    phase: Phase::Removing,
                    ..
                }),
            ) => Ok(Some(gone())),
            Ok(Some(found)) if found.phase == Phase::Ended => {
                self.hear(&found).await;
                Ok(Some(self.exit(&found).await))
            }
            Ok(Some(_)) => Ok(None),
            // Looked at again: that a question got no answer does not change what was begun.
            Err(trouble) if trouble.class == Class::Lost => Ok(None),
            Err(trouble) => Err(trouble),
        }
    }
}
