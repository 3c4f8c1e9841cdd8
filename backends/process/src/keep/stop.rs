//! Ending an agent: the asking, the grace, the force; one of each, however many ask.

use std::time::Duration;

use alveary_core::{
    AgentEvent, AgentId, Error, ErrorKind, Exit, Incarnation, Operation, Result, Signal,
    StopOptions,
};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout_at};

use super::agent::{Agent, Phase, StopUnderWay};
use super::journal::{Entry, Journal};
use super::pause::let_go_on;
use super::{KILL_TAKES_AT_MOST, Keep, Table, doubtful, living, refused, tree};

/// What a stop finds.
enum Asked {
    Over(Exit),
    /// It is still being started: ask again when that is over.
    NotYet(watch::Receiver<()>),
    /// Force will be used at this time.
    Going {
        ended: watch::Receiver<Option<Exit>>,
        force_at: watch::Receiver<Instant>,
    },
}

impl Keep {
    /// Ends the agent and says how it ended, after it has ended with all its processes.
    pub(crate) async fn stop(&self, id: &AgentId, options: StopOptions) -> Result<Exit> {
        loop {
            match self.ask(id, &options)? {
                Asked::Over(exit) => return Ok(exit),
                Asked::NotYet(mut changed) => drop(changed.changed().await),
                Asked::Going { ended, force_at } => return await_end(id, ended, force_at).await,
            }
        }
    }

    fn ask(&self, id: &AgentId, options: &StopOptions) -> Result<Asked> {
        let mut table = self.table();
        let agent = living(&table, id, options.incarnation, Operation::Stop)?;
        match &agent.phase {
            Phase::Exited(exit) => return Ok(Asked::Over(exit.clone())),
            Phase::Pending => return Ok(Asked::NotYet(agent.changed.subscribe())),
            Phase::Running | Phase::Stopping => {}
            Phase::Doubtful => return Err(doubtful(agent, Operation::Stop)),
        }
        let stop = &agent.intent.stop;
        let force_at = after(options.grace.unwrap_or(stop.grace));
        if let Some(under_way) = &agent.stop {
            under_way.force_at.send_if_modified(|planned| {
                let is_sooner = force_at < *planned;
                *planned = force_at.min(*planned);
                is_sooner
            });
            return Ok(Asked::Going {
                ended: agent.ended.subscribe(),
                force_at: under_way.force_at.subscribe(),
            });
        }
        let signal = (options.grace != Some(Duration::ZERO))
            .then(|| options.signal.unwrap_or(stop.signal_or_term()));
        if let Some(signal) = signal {
            // Found out before anything is begun.
            crate::os::process::can_be_sent(signal).map_err(|error| {
                refused(Operation::Stop, id, error).with_cure("use a signal that has a name")
            })?;
        }
        let incarnation = agent.intent.incarnation;
        // Before the signal: should we die between the two, the next keeper knows who ended it.
        let Table { agents, journal } = &mut *table;
        journal.append_surely(Entry::Stopping {
            id: id.clone(),
            incarnation,
        });
        let Some(agent) = agents.get_mut(id) else {
            return Err(Error::agent_not_found(Operation::Stop, id));
        };
        let force_at = self
            .begin_stop(agent, journal, signal, force_at)
            .map_err(|error| refused(Operation::Stop, id, error))?;
        Ok(Asked::Going {
            ended: agent.ended.subscribe(),
            force_at,
        })
    }

    /// Sends the signal that asks, and sees to the force.
    pub(super) fn begin_stop(
        &self,
        agent: &mut Agent,
        journal: &mut Journal,
        signal: Option<Signal>,
        force_at: Instant,
    ) -> std::io::Result<watch::Receiver<Instant>> {
        if let Some(signal) = signal {
            tree::ask_to_end(agent, signal)?;
        }
        let_go_on(agent);
        let (sender, receiver) = watch::channel(force_at);
        agent.stop = Some(StopUnderWay { force_at: sender });
        agent.enter(Phase::Stopping);
        self.tell(AgentEvent::Changed(agent.report().info));
        if force_at <= Instant::now() {
            force(agent, journal);
        } else {
            self.force_later(&agent.intent.id, agent.intent.incarnation, receiver.clone());
        }
        Ok(receiver)
    }

    /// Ends every agent by force, at once. Their ends are seen later, by whoever watches.
    pub(crate) fn end_all_by_force(&self) {
        let mut table = self.table();
        let Table { agents, journal } = &mut *table;
        for agent in agents.values_mut() {
            if !matches!(agent.phase, Phase::Running | Phase::Stopping) {
                continue;
            }
            journal.append_surely(Entry::Stopping {
                id: agent.intent.id.clone(),
                incarnation: agent.intent.incarnation,
            });
            if let Err(error) = self.begin_stop(agent, journal, None, Instant::now()) {
                tracing::error!(agent = %agent.intent.id, %error, "it could not be ended");
            }
        }
    }

    /// Ends the tree by force when its time has come, whoever may have stopped waiting for it.
    fn force_later(
        &self,
        id: &AgentId,
        incarnation: Incarnation,
        mut force_at: watch::Receiver<Instant>,
    ) {
        let (keep, id) = (self.clone(), id.clone());
        self.0.tasks.spawn(async move {
            loop {
                let at = *force_at.borrow_and_update();
                tokio::select! {
                    () = sleep_until(at) => break,
                    changed = force_at.changed() => if changed.is_err() {
                        // It has ended: its record of this stop is gone.
                        return;
                    }
                }
            }
            let mut table = keep.table();
            let Table { agents, journal } = &mut *table;
            let agent = agents.get_mut(&id);
            if let Some(agent) = agent.filter(|agent| agent.intent.incarnation == incarnation) {
                force(agent, journal);
            }
        });
    }
}

/// Waits for the end of the start that was asked to end, whatever becomes of its agent meanwhile.
async fn await_end(
    id: &AgentId,
    mut ended: watch::Receiver<Option<Exit>>,
    mut force_at: watch::Receiver<Instant>,
) -> Result<Exit> {
    let mut can_be_sooner = true;
    loop {
        if let Some(exit) = ended.borrow_and_update().clone() {
            return Ok(exit);
        }
        let give_up_at = *force_at.borrow_and_update() + KILL_TAKES_AT_MOST;
        tokio::select! {
            waited = timeout_at(give_up_at, ended.changed()) => match waited {
                Ok(Ok(())) => {}
                // Nobody is left who could tell.
                Ok(Err(_)) => return Err(Error::agent_not_found(Operation::Stop, id)),
                Err(_) => return Err(still_running(id)),
            },
            sooner = force_at.changed(), if can_be_sooner => can_be_sooner = sooner.is_ok(),
        }
    }
}

fn still_running(id: &AgentId) -> Error {
    let what = "it was killed and has not ended: a process of it hangs in the kernel";
    Error::new(ErrorKind::StillRunning, Operation::Stop, what)
        .with_agent(id)
        .with_cure(
            "look for a dead disk or network file system under it; it ends when that answers",
        )
}

/// The time so far from now; a time that no clock can show is as good as never.
fn after(grace: Duration) -> Instant {
    const NEVER: Duration = Duration::from_hours(30 * 366 * 24);
    Instant::now() + grace.min(NEVER)
}

fn force(agent: &mut Agent, journal: &mut Journal) {
    if agent.has_ended() {
        return;
    }
    agent.forced = true;
    // Before the signal: the next keeper is to know by whom it ended.
    journal.append_surely(Entry::Forced {
        id: agent.intent.id.clone(),
        incarnation: agent.intent.incarnation,
    });
    if let Err(error) = tree::kill(agent) {
        tracing::error!(agent = %agent.intent.id, %error, "it could not be ended by force");
    }
}
