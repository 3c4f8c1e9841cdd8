//! Another start of an agent that was started before.

use std::sync::Arc;

use alveary_core::{
    AgentBackend, AgentId, AgentInfo, AgentSpec, Error, ErrorKind, Incarnation, Result, StopOptions,
};

use super::errors::{called_off, name_taken, not_recorded, passes};
use crate::manager::announced::Announced;
use crate::manager::core::Core;
use crate::manager::row::Row;
use crate::state::{Change, Desired, Record, wall_millis};

/// How an agent that is recorded is started again.
#[derive(Debug, Default)]
pub(in crate::manager) struct Next {
    /// The start that the caller had before its eyes: where another lives by now, somebody else has just
    /// done what is asked, and that is the answer.
    pub(in crate::manager) seen: Option<Incarnation>,
    /// What it is to be from now on; as it was where there is none.
    pub(in crate::manager) record: Option<Record>,
    /// How it is stopped, if it lives.
    pub(in crate::manager) stop: StopOptions,
    /// This was planned, and recorded, some time ago: a stop that came between is obeyed.
    pub(in crate::manager) unless_stopped: bool,
    /// One that lives by another start than the one that was seen is somebody else's, and has the name.
    pub(in crate::manager) spares_living: bool,
}

impl<B: AgentBackend + ?Sized> Core<B> {
    /// Starts an agent that is recorded, by a new start of it, after it has been stopped if it lives.
    pub(in crate::manager) async fn next_start(
        self: &Arc<Self>,
        id: &AgentId,
        next: Next,
    ) -> Result<AgentInfo> {
        let Next {
            seen,
            record,
            stop,
            unless_stopped,
            spares_living,
        } = next;
        let asked_as_it_is = record.is_none();
        // Without a turn: it may take as long as an image takes to come.
        let replaces = self.prepare(id, record.as_ref()).await?;
        let mut turn = self.turn(id, false).await?;
        self.store.sync(&self.table)?;
        let mut known = self.table.look(id, |row| row.info.clone()).flatten();
        if (unless_stopped || replaces) && self.table.look(id, Row::is_called_for) != Some(true) {
            return Err(called_off(id));
        }
        if self.table.look(id, Row::is_another_start) == Some(true) {
            // Somebody may have made what is recorded just now: only the engine knows.
            self.ask(id).await;
            known = self.table.look(id, |row| row.info.clone()).flatten();
        }
        if let Some(info) = &known
            && Some(info.incarnation) != seen
            && !info.state.has_ended()
        {
            if spares_living {
                return Err(name_taken(&info.name, id));
            }
            if asked_as_it_is {
                return Ok(info.clone());
            }
        }
        // What was begun is finished: the engine may have it already, and who else finishes it makes the same
        // start.
        let begun = self.table.look(id, Row::begun).flatten();
        let incarnation = begun
            .filter(|_| asked_as_it_is)
            .unwrap_or_else(Incarnation::random);
        let announced = Announced::new(self, id, incarnation, false);
        let before = known.as_ref().map(|info| info.incarnation);
        let spec = match self.record_next(id, incarnation, before, record).await {
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

    /// Starts again, in one's turn, what has ended by itself: the start `ended`. `counts`: it is one more restart, and not one
    /// more attempt at the same. `None`: it is not wanted any more.
    pub(in crate::manager) async fn restart_now(
        self: &Arc<Self>,
        id: &AgentId,
        ended: Incarnation,
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
                    follows: Some(ended),
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

    /// Records that an agent is to run by this start of it, after the one that the engine had before. Gives its
    /// spec.
    async fn record_next(
        &self,
        id: &AgentId,
        incarnation: Incarnation,
        before: Option<Incarnation>,
        record: Option<Record>,
    ) -> Result<Arc<AgentSpec>> {
        let mut spec = None;
        self.store
            .commit(&self.table, |records| {
                let Some(old) = records.get(id) else {
                    return Err(not_recorded(id));
                };
                // Where the engine was not heard it has what was recorded last, as far as anybody knows.
                let follows = before.or(match old.incarnation {
                    same if same == incarnation => old.follows,
                    earlier => Some(earlier),
                });
                let mut changes = Vec::with_capacity(2);
                spec = Some(Arc::clone(&old.spec));
                if let Some(record) = &record {
                    spec = Some(Arc::clone(&record.spec));
                    let intended_by = old.intended_by;
                    let record = Record {
                        intended_by,
                        ..record.clone()
                    };
                    changes.push(Change::Put(Arc::new(record)));
                }
                changes.push(Change::Start {
                    id: id.clone(),
                    incarnation,
                    follows,
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
}
