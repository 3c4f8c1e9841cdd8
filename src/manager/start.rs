//! Starting an agent: the one way by which all verbs do it.

mod errors;
mod first;
mod next;

use std::sync::Arc;

use alveary_core::{AgentBackend, AgentId, AgentInfo, AgentSpec, AgentState, Result, SpawnOptions};
use tokio::sync::OwnedMutexGuard;

use super::announced::Announced;
use super::core::Core;
use crate::state::{Record, StartGuard};
pub(super) use errors::{called_off, id_taken, name_taken, passes};
pub(super) use next::Next;

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

    /// Sees to it that one that runs well is not stopped for a start that cannot be had: its image is fetched and its
    /// secrets are read before. `record`: what it is to be, if not what it is. `false`: there is nothing to lose.
    async fn prepare(&self, id: &AgentId, record: Option<&Record>) -> Result<bool> {
        let replaced = self.table.look(id, |row| {
            let runs = |info: &AgentInfo| info.state == AgentState::Running;
            let well = row.info.as_ref().is_some_and(runs) && row.is_called_for();
            let spec = &record.or(row.record.as_deref())?.spec;
            well.then(|| Arc::clone(spec))
        });
        let Some(spec) = replaced.flatten() else {
            return Ok(false);
        };
        let spec = self.supplemented(id, &spec)?;
        for (key, secret) in &spec.secrets {
            secret.read(key).map_err(|error| error.with_agent(id))?;
        }
        if let Some(plans) = self.backend.plans() {
            plans.prepare(id, &spec).await?;
        }
        Ok(true)
    }

    async fn launch(
        self: &Arc<Self>,
        spec: &AgentSpec,
        announced: Announced<'_, B>,
    ) -> Result<AgentInfo> {
        let id = announced.id;
        let options = SpawnOptions::default().with_incarnation(announced.incarnation);
        let answer = match self.supplemented(id, spec) {
            Ok(spec) => self.backend.spawn(id, &spec, options).await,
            Err(error) => Err(error),
        };
        announced.answered(&answer);
        if answer.is_ok() {
            self.follow(id);
        }
        answer
    }
}
