//! The verbs that are about one agent.

use alveary_core::{
    AgentBackend, AgentId, AgentInfo, AgentSpec, AgentState, Error, ErrorKind, Exit, Incarnation,
    LogOptions, LogStream, Operation, RemoveOptions, Result, Signal, StopOptions,
};

use super::SwarmManager;
use super::row::Row;
use super::start::{Next, id_taken};
use crate::state::{Change, Record};

impl<B: AgentBackend + ?Sized> SwarmManager<B> {
    /// Starts a new agent under an id drawn for it. `Ok`: the start is accepted.
    ///
    /// `AlreadyExists` names the agent that has the name. `InvalidSpec` and what else the backend refuses:
    /// nothing was started and nothing is recorded. `Indeterminate`: the agent is in the list, as one whose
    /// state is unknown, until the engine tells.
    pub async fn spawn(&self, spec: AgentSpec) -> Result<AgentInfo> {
        self.spawn_as(AgentId::random(), spec).await
    }

    /// As [`spawn`](Self::spawn), under an id that the caller chose. The same call again, after one whose
    /// outcome was unknown, finishes that start, or gives the agent that lives by it, and never makes a
    /// second one.
    pub async fn spawn_as(&self, id: AgentId, spec: AgentSpec) -> Result<AgentInfo> {
        spec.validate().map_err(|error| error.with_agent(&id))?;
        let core = self.core();
        core.attach_if_possible().await;
        let same = core.table.look(&id, |row| {
            let record = row.record.clone()?;
            (*record.spec == spec).then(|| (record, row.info.clone(), row.unsure.is_some()))
        });
        match same.flatten() {
            Some((_, Some(info), false)) if !info.state.has_ended() => return Ok(info),
            Some((record, None, _) | (record, _, true)) => {
                let finished = core.finish_first_start(&record).await;
                // Where the record has gone meanwhile, as one that nobody seemed to finish, it is begun anew.
                let swept = core.table.look(&id, |row| row.record.is_some()) != Some(true);
                match finished {
                    Err(error) if error.kind() == ErrorKind::Conflict && swept => {}
                    finished => return finished,
                }
            }
            _ => {}
        }
        core.free_name(&spec.name).await?;
        if core.table.look(&id, |row| row.name().is_some()) == Some(true) {
            return Err(id_taken(&id, &spec.name));
        }
        core.first_start(core.intend(Record::new(id, spec))?).await
    }

    /// Ends the agent and says how it ended, after it has ended. It stays stopped until somebody starts it
    /// again: a start or restart that is due, or under way, is called off. The exit of one that had not been
    /// started yet says so.
    ///
    /// `NotFound`: an unknown id. `StillRunning`: even force has not ended it in time. An error of the state
    /// folder: it has ended, and that it is to stay so could not be recorded.
    pub async fn stop(&self, id: &AgentId, options: StopOptions) -> Result<Exit> {
        let core = self.core();
        core.attach_if_possible().await;
        core.refuse_another_start(id, options.incarnation)?;
        // What cannot be recorded, as on a full disk, is done all the same; that it may not last is then the
        // answer.
        let recorded = core.want_start_stopped(id, options.incarnation).await;
        let exit = core.halt(id, options).await?;
        recorded.map(|()| exit)
    }

    /// Ends the agent by force, at once. Otherwise as [`stop`](Self::stop).
    pub async fn kill(&self, id: &AgentId) -> Result<Exit> {
        self.stop(id, StopOptions::by_force()).await
    }

    /// Sends the agent's main process a signal, which changes nothing of what is wanted of it.
    ///
    /// `Unsupported`: this backend cannot. `Conflict`: it does not run.
    pub async fn signal(&self, id: &AgentId, signal: Signal) -> Result<()> {
        let Some(signals) = self.core().backend.signals() else {
            return Err(Error::unsupported(
                Operation::Signal,
                format!(
                    "the backend `{}` cannot send signals",
                    self.core().backend.kind()
                ),
                "stop the agent instead",
            )
            .with_agent(id));
        };
        signals.signal(id, signal, None).await
    }

    /// Stops the agent, if it lives, and starts it again from what is recorded of it. Its restarts are
    /// counted anew. Calls at the same time are one restart. One that runs is left as it is where what its
    /// next start needs cannot be had ([`Plans::prepare`](alveary_core::Plans::prepare)).
    ///
    /// `NotFound`: an unknown id, or one of which nobody recorded what it is started from. `Conflict`: it
    /// was stopped by somebody else meanwhile.
    pub async fn restart(&self, id: &AgentId, stop: StopOptions) -> Result<AgentInfo> {
        let core = self.core();
        core.attach_if_possible().await;
        core.refuse_another_start(id, stop.incarnation)?;
        let Some(seen) = core.table.look(id, Row::incarnation) else {
            return Err(Error::agent_not_found(Operation::Spawn, id));
        };
        let next = Next {
            seen,
            stop,
            ..Next::default()
        };
        core.next_start(id, next).await
    }

    /// Starts an agent that has ended, is ending, or never was started, from what is recorded of it. One that
    /// lives is left as it is, and is to run from now on.
    pub async fn start(&self, id: &AgentId) -> Result<AgentInfo> {
        let core = self.core();
        core.attach_if_possible().await;
        let known = core.table.look(id, |row| {
            (row.info.clone(), row.is_to_run(), row.record.is_some())
        });
        let Some((info, to_run, recorded)) = known else {
            return Err(Error::agent_not_found(Operation::Spawn, id));
        };
        match info {
            // One that is on its way to its end is waited for, and started after it.
            Some(info) if !info.state.has_ended() && info.state != AgentState::Stopping => {
                if recorded && !to_run {
                    core.want_running(id, info.incarnation).await?;
                }
                Ok(info)
            }
            info => {
                let next = Next {
                    seen: info.map(|info| info.incarnation),
                    ..Next::default()
                };
                core.next_start(id, next).await
            }
        }
    }

    /// Forgets an agent that has ended: its exit, its logs, and what is recorded of it.
    ///
    /// `NotFound`: an unknown id. `StillRunning`: it lives, and [`RemoveOptions::force`] is not set.
    pub async fn remove(&self, id: &AgentId, options: RemoveOptions) -> Result<()> {
        let core = self.core();
        core.attach_if_possible().await;
        core.forget(id, options).await
    }

    /// What the agent wrote. `NotFound` for an unknown id.
    pub async fn logs(&self, id: &AgentId, options: LogOptions) -> Result<LogStream> {
        self.core().backend.logs(id, options).await
    }
}

impl<B: AgentBackend + ?Sized> super::Core<B> {
    fn refuse_another_start(&self, id: &AgentId, named: Option<Incarnation>) -> Result<()> {
        let latest = self.table.look(id, Row::incarnation).flatten();
        match (named, latest) {
            (Some(named), Some(latest)) if named != latest => Err(Error::new(
                ErrorKind::Conflict,
                Operation::Stop,
                "it has been started again since that start of it",
            )
            .with_agent(id)
            .with_cure("name its latest start, or none")),
            _ => Ok(()),
        }
    }

    pub(super) async fn forget(
        self: &std::sync::Arc<Self>,
        id: &AgentId,
        options: RemoveOptions,
    ) -> Result<()> {
        // Nobody starts it between its end and its being forgotten.
        let _turn = self.turn(id, false).await?;
        self.store.sync(&self.table)?;
        self.remove_from_engine(id, options).await?;
        self.forget_recorded(std::slice::from_ref(id)).await
    }

    /// Removes an agent, and leaves what is recorded of it. To be called in one's turn.
    pub(super) async fn remove_from_engine(
        &self,
        id: &AgentId,
        options: RemoveOptions,
    ) -> Result<()> {
        let recorded = self.table.look(id, |row| row.record.is_some()) == Some(true);
        match self.backend.remove(id, options).await {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::NotFound && recorded => {}
            Err(error) => return Err(error),
        }
        self.table.removed(id);
        Ok(())
    }

    /// Forgets what is recorded of these: one write for all.
    pub(super) async fn forget_recorded(&self, ids: &[AgentId]) -> Result<()> {
        self.store
            .commit(&self.table, |records| {
                let known = |id: &&AgentId| records.get(id).is_some();
                let change = |id: &AgentId| Change::Remove { id: id.clone() };
                Ok(ids.iter().filter(known).map(change).collect())
            })
            .await
    }
}
