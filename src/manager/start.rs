//! Starting an agent: the one way by which all verbs do it.

use std::sync::Arc;

use alveary_core::{
    AgentBackend, AgentId, AgentInfo, AgentSpec, Error, ErrorKind, Incarnation, Operation, Result,
    SpawnOptions, StopOptions,
};
use tokio::sync::OwnedMutexGuard;

use super::announced::Announced;
use super::core::Core;
use super::row::Row;
use crate::state::{Change, Desired, Record, StartGuard, wall_millis};

/// Held while an agent is started: no other start of it is made, and a stop waits for this one's end.
pub(super) struct Starting {
    own: OwnedMutexGuard<()>,
    _shared: Option<StartGuard>,
}

impl Starting {
    /// Lets other processes have their turn, and keeps those of this process waiting.
    fn give_way(self) -> OwnedMutexGuard<()> {
        self.own
    }
}

/// How an agent that is recorded is started again.
#[derive(Debug, Default)]
pub(super) struct Next {
    /// The start that the caller had before its eyes: where another lives by now, somebody else has just
    /// done what is asked, and that is the answer.
    pub(super) seen: Option<Incarnation>,
    /// What it is to be from now on; as it was where there is none.
    pub(super) record: Option<Record>,
    /// How it is stopped, if it lives.
    pub(super) stop: StopOptions,
    /// This was planned, and recorded, some time ago: a stop that came between is obeyed.
    pub(super) unless_stopped: bool,
}

impl<B: AgentBackend + ?Sized> Core<B> {
    /// Waits for its turn to start an agent; `first`: nobody can have started it before.
    pub(super) async fn turn(&self, id: &AgentId, first: bool) -> Result<Starting> {
        let own = self.table.look(id, |row| Arc::clone(&row.start));
        let own = own.unwrap_or_default().lock_owned().await;
        self.turn_among_all(id, own, first).await
    }

    /// As [`turn`](Self::turn), for who has it already as far as this process goes.
    async fn turn_among_all(
        &self,
        id: &AgentId,
        own: OwnedMutexGuard<()>,
        first: bool,
    ) -> Result<Starting> {
        let shared = match self.store.shared() {
            None => None,
            Some(shared) if first => Some(shared.gates.first_start(id).await?),
            Some(shared) => Some(shared.gates.next_start(id).await?),
        };
        Ok(Starting {
            own,
            _shared: shared,
        })
    }

    /// Whether nobody is starting this agent at this moment.
    pub(super) fn nobody_starts(&self, id: &AgentId) -> bool {
        let own = self.table.look(id, |row| {
            row.starting.is_none() && row.start.try_lock().is_ok()
        });
        let shared = self
            .store
            .shared()
            .is_none_or(|shared| shared.gates.is_open(id).unwrap_or(false));
        own != Some(false) && shared
    }

    /// Records a new agent and starts it. If it could not be started nothing of it stays, unless the
    /// outcome is unknown.
    pub(super) async fn first_start(self: &Arc<Self>, record: Record) -> Result<AgentInfo> {
        let record = Arc::new(record);
        let id = &record.id;
        let announced = Announced::new(self, id, record.incarnation, true);
        let _turn = self.turn(id, true).await?;
        let recorded = self
            .store
            .commit(&self.table, |records| {
                if let Some(holder) = records.named(record.name()) {
                    return Err(name_taken(record.name(), &holder.id));
                }
                if records.get(id).is_some() {
                    return Err(id_taken(id, record.name()));
                }
                Ok(vec![Change::Put(Arc::clone(&record))])
            })
            .await;
        if let Err(error) = recorded {
            announced.withdraw();
            return Err(error);
        }
        self.launch_recorded(&record, announced).await
    }

    /// Starts an agent that has been recorded, unless somebody has stopped or removed it since.
    pub(super) async fn first_start_of_recorded(
        self: &Arc<Self>,
        record: &Record,
    ) -> Result<AgentInfo> {
        let announced = Announced::new(self, &record.id, record.incarnation, true);
        let _turn = self.turn(&record.id, true).await?;
        if let Err(error) = self.still_wanted(&record.id, record.incarnation) {
            announced.withdraw();
            return Err(error);
        }
        self.launch_recorded(record, announced).await
    }

    /// Makes a first start that was begun before, by us or by somebody else, and of which nothing has been
    /// heard. It stays recorded whatever the answer: only the engine knows what became of the earlier attempt.
    pub(super) async fn finish_first_start(self: &Arc<Self>, record: &Record) -> Result<AgentInfo> {
        let announced = Announced::new(self, &record.id, record.incarnation, true);
        let _turn = self.turn(&record.id, false).await?;
        if let Err(error) = self.still_wanted(&record.id, record.incarnation) {
            announced.withdraw();
            return Err(error);
        }
        self.launch(&record.spec, announced).await
    }

    /// Refuses a start that was recorded earlier and that somebody has called off since. To be asked in
    /// one's turn: whoever calls it off later waits for it, and ends what came of it.
    fn still_wanted(&self, id: &AgentId, incarnation: Incarnation) -> Result<()> {
        self.store.sync(&self.table)?;
        let wanted = self.store.look(|records| {
            records.get(id).is_some_and(|record| {
                record.desired == Desired::Running && record.incarnation == incarnation
            })
        });
        if wanted {
            return Ok(());
        }
        Err(called_off(id))
    }

    async fn launch_recorded(
        self: &Arc<Self>,
        record: &Record,
        announced: Announced<'_, B>,
    ) -> Result<AgentInfo> {
        let id = &record.id;
        let answer = self.launch(&record.spec, announced).await;
        if let Err(error) = &answer
            && error.kind() != ErrorKind::Indeterminate
        {
            let forgotten = self
                .store
                .commit(&self.table, |_| Ok(vec![Change::Remove { id: id.clone() }]))
                .await;
            // Why it could not be started is what the caller has to know.
            if let Err(error) = forgotten {
                tracing::warn!(kind = %error.kind(), why = error.message(), agent = %id, "an agent that could not be started could not be forgotten");
            }
        }
        answer
    }

    async fn launch(
        self: &Arc<Self>,
        spec: &AgentSpec,
        announced: Announced<'_, B>,
    ) -> Result<AgentInfo> {
        let id = announced.id;
        let options = SpawnOptions::default().with_incarnation(announced.incarnation);
        let answer = self.backend.spawn(id, spec, options).await;
        announced.answered(&answer);
        if answer.is_ok() {
            self.follow(id);
        }
        answer
    }

    /// Starts an agent that is recorded, by a new start of it, after it has been stopped if it lives.
    pub(super) async fn next_start(
        self: &Arc<Self>,
        id: &AgentId,
        next: Next,
    ) -> Result<AgentInfo> {
        let Next {
            seen,
            record,
            stop,
            unless_stopped,
        } = next;
        let asked_as_it_is = record.is_none();
        let mut turn = self.turn(id, false).await?;
        self.store.sync(&self.table)?;
        let mut known = self.table.look(id, |row| row.info.clone()).flatten();
        if unless_stopped && self.table.look(id, Row::is_called_for) != Some(true) {
            return Err(called_off(id));
        }
        if known.is_some() && self.table.look(id, Row::begun).flatten().is_some() {
            // Somebody may have made that start just now: only the engine knows.
            self.ask(id).await;
            known = self.table.look(id, |row| row.info.clone()).flatten();
        }
        if let Some(info) = &known
            && Some(info.incarnation) != seen
            && !info.state.has_ended()
            && asked_as_it_is
        {
            return Ok(info.clone());
        }
        // What was begun is finished: the engine may have it already, and who else finishes it makes the same
        // start.
        let begun = self.table.look(id, Row::begun).flatten();
        let incarnation = begun
            .filter(|_| asked_as_it_is)
            .unwrap_or_else(Incarnation::random);
        let announced = Announced::new(self, id, incarnation, false);
        let spec = match self.record_next(id, incarnation, record).await {
            Ok(spec) => spec,
            Err(error) => {
                announced.withdraw();
                return Err(error);
            }
        };
        if let Some(living) = known.filter(|info| !info.state.has_ended()) {
            // However long it takes to end: agents share gates, and others are not to wait for that.
            let own = turn.give_way();
            let stopped = self
                .stop_before_start(id, living.incarnation, stop)
                .await
                .map(|()| own);
            let again = match stopped {
                Ok(own) => self.turn_among_all(id, own, false).await,
                Err(error) => Err(error),
            };
            let wanted = again.and_then(|turn| {
                self.still_wanted(id, incarnation)?;
                Ok(turn)
            });
            turn = match wanted {
                Ok(turn) => turn,
                Err(error) => {
                    announced.withdraw();
                    return Err(error);
                }
            };
        }
        let answer = self.launch(&spec, announced).await;
        let answer = match answer {
            Err(error) => self.not_started(id, error, asked_as_it_is).await,
            answer => answer,
        };
        drop(turn);
        answer
    }

    /// What a start that failed leaves: where it is the agent's own fault nobody is to think that it soon will
    /// run; what passes changes nothing of what is wanted.
    async fn not_started(
        self: &Arc<Self>,
        id: &AgentId,
        error: Error,
        asked_as_it_is: bool,
    ) -> Result<AgentInfo> {
        if error.kind() == ErrorKind::AlreadyExists {
            // Somebody else was faster, by a way that knows no gates.
            self.ask(id).await;
            let living = self.table.look(id, |row| row.info.clone()).flatten();
            match living.filter(|info| !info.state.has_ended()) {
                Some(info) if asked_as_it_is => return Ok(info),
                Some(_) => return Err(error),
                None => {}
            }
        }
        if error.kind() == ErrorKind::Indeterminate {
            return Err(error);
        }
        if passes(&error) {
            // Whoever restarts agents goes on with it.
            self.follow(id);
            return Err(error);
        }
        if let Err(error) = self.want_stopped(std::slice::from_ref(id)).await {
            tracing::warn!(kind = %error.kind(), why = error.message(), agent = %id, "it could not be recorded that an agent is not to run");
        }
        Err(error)
    }

    /// Starts again, in one's turn, what has ended by itself. `counts`: it is one more restart, and not one
    /// more attempt at the same. `None`: it is not wanted any more.
    pub(super) async fn restart_now(
        self: &Arc<Self>,
        id: &AgentId,
        incarnation: Incarnation,
        counts: bool,
    ) -> Result<Option<Result<AgentInfo>>> {
        let announced = Announced::new(self, id, incarnation, false);
        let mut spec = None;
        let recorded = self
            .store
            .commit(&self.table, |records| {
                let wanted = records
                    .get(id)
                    .filter(|record| record.desired == Desired::Running);
                spec = wanted.map(|record| Arc::clone(&record.spec));
                let change = || Change::Restarted {
                    id: id.clone(),
                    incarnation,
                    at: counts.then(wall_millis),
                };
                Ok(wanted.map(|_| change()).into_iter().collect())
            })
            .await;
        match (recorded, spec) {
            (Ok(()), Some(spec)) => Ok(Some(self.launch(&spec, announced).await)),
            (recorded, _) => {
                announced.withdraw();
                recorded.map(|()| None)
            }
        }
    }

    /// Records that an agent is to run by this start of it. Gives its spec.
    async fn record_next(
        &self,
        id: &AgentId,
        incarnation: Incarnation,
        record: Option<Record>,
    ) -> Result<Arc<AgentSpec>> {
        let mut spec = None;
        self.store
            .commit(&self.table, |records| {
                let Some(old) = records.get(id) else {
                    return Err(not_recorded(id));
                };
                let mut changes = Vec::with_capacity(2);
                spec = Some(Arc::clone(&old.spec));
                if let Some(record) = &record {
                    spec = Some(Arc::clone(&record.spec));
                    changes.push(Change::Put(Arc::new(record.clone())));
                }
                changes.push(Change::Start {
                    id: id.clone(),
                    incarnation,
                });
                Ok(changes)
            })
            .await?;
        spec.ok_or_else(|| not_recorded(id))
    }

    /// Ends what lives before another start, and nothing that somebody else has started meanwhile.
    async fn stop_before_start(
        &self,
        id: &AgentId,
        living: Incarnation,
        options: StopOptions,
    ) -> Result<()> {
        let options = options.with_incarnation(living);
        match self.backend.stop(id, options).await {
            Ok(exit) => {
                self.table.stopped(id, Some(living), &exit);
                Ok(())
            }
            // It is gone, or another start of it has been made: the next one is refused then, or is that.
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::Conflict) => {
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    /// Records that an agent is to be stopped, by the start of it that is named: another that somebody has
    /// recorded since goes on.
    pub(super) async fn want_start_stopped(
        &self,
        id: &AgentId,
        named: Option<Incarnation>,
    ) -> Result<()> {
        self.store
            .commit(&self.table, |records| {
                let meant = records.get(id).filter(|record| match named {
                    None => record.is_called_for(),
                    Some(named) => {
                        record.desired == Desired::Running && record.incarnation == named
                    }
                });
                let stop = |_: &Arc<Record>| Change::Stop { id: id.clone() };
                Ok(meant.map(stop).into_iter().collect())
            })
            .await
    }

    /// Records that an agent that lives is to run, as the start that it is.
    pub(super) async fn want_running(&self, id: &AgentId, incarnation: Incarnation) -> Result<()> {
        self.store
            .commit(&self.table, |records| {
                let change = |_: &Arc<Record>| Change::Start {
                    id: id.clone(),
                    incarnation,
                };
                Ok(records.get(id).map(change).into_iter().collect())
            })
            .await
    }

    /// Records that these are to be stopped and to stay so: one write for all.
    pub(super) async fn want_stopped(&self, ids: &[AgentId]) -> Result<()> {
        self.store
            .commit(&self.table, |records| {
                let wanted = |id: &&AgentId| records.get(id).is_some_and(|r| r.is_called_for());
                let stop = |id: &AgentId| Change::Stop { id: id.clone() };
                Ok(ids.iter().filter(wanted).map(stop).collect())
            })
            .await
    }
}

/// Whether an error is nobody's fault who was to be started: the engine, the disk or another process stands
/// in the way for now.
pub(super) fn passes(error: &Error) -> bool {
    error.operation() == Operation::State
        || matches!(
            error.kind(),
            ErrorKind::EngineUnavailable
                | ErrorKind::Conflict
                | ErrorKind::OutOfResources
                | ErrorKind::Timeout
        )
}

pub(super) fn name_taken(name: &str, holder: &AgentId) -> Error {
    Error::new(
        ErrorKind::AlreadyExists,
        Operation::Spawn,
        format!("the name `{name}` belongs to agent {holder}"),
    )
    .cure("restart or remove that one, or choose another name")
}

pub(super) fn id_taken(id: &AgentId, name: &str) -> Error {
    Error::new(
        ErrorKind::AlreadyExists,
        Operation::Spawn,
        format!("the id belongs to an agent, and `{name}` cannot have it too"),
    )
    .agent(id)
    .cure("restart or remove that one, or choose another id")
}

fn called_off(id: &AgentId) -> Error {
    Error::new(
        ErrorKind::Conflict,
        Operation::Spawn,
        "it was stopped by somebody else before it was started",
    )
    .agent(id)
    .cure("start it once more if it is to run")
}

fn not_recorded(id: &AgentId) -> Error {
    Error::new(
        ErrorKind::NotFound,
        Operation::Spawn,
        "nobody has recorded what it is started from",
    )
    .agent(id)
    .cure("remove it, and spawn it anew")
}
