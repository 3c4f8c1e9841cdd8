//! Ending an agent: the asking, the grace, the force; one of each, however many ask.

use std::time::Duration;

use alveary_core::{
    AgentEvent, AgentId, Error, ErrorKind, Exit, Incarnation, Operation, Result, Signal,
    StopOptions,
};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout_at};

use super::agent::{Agent, Phase, StopUnderWay};
use super::journal::Entry;
use super::{KILL_TAKES_AT_MOST, Keep, living, refused, tree};

/// What a stop finds.
enum Asked {
    Over(Exit),
    /// It is still being started: ask again when that is over.
    NotYet(watch::Receiver<()>),
    /// Force will be used at this time.
    Going {
        changed: watch::Receiver<()>,
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
                Asked::Going { changed, force_at } => {
                    return self.await_end(id, changed, force_at).await;
                }
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
        }
        let stop = &agent.intent.stop;
        let force_at = Instant::now() + options.grace.unwrap_or(stop.grace);
        if let Some(under_way) = &agent.stop {
            under_way.force_at.send_if_modified(|planned| {
                let is_sooner = force_at < *planned;
                *planned = force_at.min(*planned);
                is_sooner
            });
            return Ok(Asked::Going {
                changed: agent.changed.subscribe(),
                force_at: under_way.force_at.subscribe(),
            });
        }
        let signal =
            (options.grace != Some(Duration::ZERO)).then(|| options.signal.unwrap_or(stop.signal));
        let incarnation = agent.intent.incarnation;
        // Before the signal: should we die between the two, the next keeper knows who ended it.
        table.journal.append_surely(Entry::Stopping {
            id: id.clone(),
            incarnation,
        });
        let Some(agent) = table.agents.get_mut(id) else {
            return Err(Error::agent_not_found(Operation::Stop, id));
        };
        let force_at = self
            .begin_stop(agent, signal, force_at)
            .map_err(|error| refused(Operation::Stop, id, error))?;
        Ok(Asked::Going {
            changed: agent.changed.subscribe(),
            force_at,
        })
    }

    /// Sends the signal that asks, and sees to the force.
    pub(super) fn begin_stop(
        &self,
        agent: &mut Agent,
        signal: Option<Signal>,
        force_at: Instant,
    ) -> std::io::Result<watch::Receiver<Instant>> {
        if let Some(signal) = signal {
            tree::ask_to_end(agent, signal)?;
        }
        let (sender, receiver) = watch::channel(force_at);
        agent.stop = Some(StopUnderWay { force_at: sender });
        agent.enter(Phase::Stopping);
        self.tell(AgentEvent::Changed(agent.report().info));
        if force_at <= Instant::now() {
            force(agent);
        } else {
            self.force_later(&agent.intent.id, agent.intent.incarnation, receiver.clone());
        }
        Ok(receiver)
    }

    /// Ends the tree by force when its time has come, whoever may have stopped waiting for it.
    fn force_later(
        &self,
        id: &AgentId,
        incarnation: Incarnation,
        mut force_at: watch::Receiver<Instant>,
    ) {
        let (keep, id) = (self.clone(), id.clone());
        tokio::spawn(async move {
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
            let agent = table.agents.get_mut(&id);
            if let Some(agent) = agent.filter(|agent| agent.intent.incarnation == incarnation) {
                force(agent);
            }
        });
    }

    async fn await_end(
        &self,
        id: &AgentId,
        mut changed: watch::Receiver<()>,
        mut force_at: watch::Receiver<Instant>,
    ) -> Result<Exit> {
        loop {
            if let Some(exit) = self.exit_of(id)? {
                return Ok(exit);
            }
            let give_up_at = *force_at.borrow_and_update() + KILL_TAKES_AT_MOST;
            tokio::select! {
                waited = timeout_at(give_up_at, changed.changed()) => if waited.is_err() {
                    return Err(Error::new(
                        ErrorKind::StillRunning,
                        Operation::Stop,
                        "it was killed and has not ended: a process of it hangs in the kernel",
                    )
                    .agent(id)
                    .cure("look for a dead disk or network file system under it; it ends when that answers"));
                },
                // Brought forward, or over.
                _ = force_at.changed() => if force_at.has_changed().is_err() {
                    drop(timeout_at(give_up_at, changed.changed()).await);
                },
            }
        }
    }

    fn exit_of(&self, id: &AgentId) -> Result<Option<Exit>> {
        let table = self.table();
        let agent = table
            .agents
            .get(id)
            .ok_or_else(|| Error::agent_not_found(Operation::Stop, id))?;
        Ok(match &agent.phase {
            Phase::Exited(exit) => Some(exit.clone()),
            _ => None,
        })
    }
}

fn force(agent: &mut Agent) {
    if agent.has_ended() {
        return;
    }
    agent.forced = true;
    if let Err(error) = tree::kill(agent) {
        tracing::error!(agent = %agent.intent.id, %error, "it could not be ended by force");
    }
}
