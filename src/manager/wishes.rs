//! What is wanted of agents, as it is recorded: before anything is done about it.

use std::sync::Arc;

use alveary_core::{AgentBackend, AgentId, Incarnation, Result};

use super::core::Core;
use super::start::called_off;
use crate::state::{Change, Desired, Record};

impl<B: AgentBackend + ?Sized> Core<B> {
    /// Refuses a start that was recorded earlier and that somebody has called off since. To be asked in
    /// one's turn: whoever calls it off later waits for it, and ends what came of it.
    pub(super) fn still_wanted(&self, id: &AgentId, incarnation: Incarnation) -> Result<()> {
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
                    follows: None,
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
