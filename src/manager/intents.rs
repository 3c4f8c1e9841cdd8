//! First starts that were recorded: those that were made, and those that nobody will make.

use std::collections::HashMap;
use std::sync::Arc;

use alveary_core::{AgentBackend, AgentId, ErrorKind, Incarnation, Result};

use super::bulk::each;
use super::core::Core;
use super::row::Row;
use super::start::name_taken;
use crate::state::{Change, Record};

impl<B: AgentBackend + ?Sized> Core<B> {
    /// A record by which this process says that it is to make the agent's first start.
    pub(super) fn intend(&self, mut record: Record) -> Result<Record> {
        record.intended_by = self.store.intender()?;
        Ok(record)
    }

    /// Records of those that the engine knows by now that they have begun: one write for all. What cannot be
    /// recorded now, whoever restarts agents records later.
    pub(super) async fn record_begun(&self) {
        let begun = self.table.ids(Row::has_begun_unrecorded);
        if begun.is_empty() {
            return;
        }
        let recorded = self
            .store
            .commit(&self.table, |records| {
                let intended = |id: &&AgentId| {
                    let record = records.get(id);
                    record.is_some_and(|record| record.intended_by.is_some())
                };
                let change = |id: &AgentId| Change::Begun { id: id.clone() };
                Ok(begun.iter().filter(intended).map(change).collect())
            })
            .await;
        if let Err(error) = recorded {
            tracing::debug!(kind = %error.kind(), why = error.message(), "it could not be recorded that agents have begun");
        }
    }

    /// Forgets those that were to be started by somebody who is there no more, and that the engine does not know.
    pub(super) async fn sweep_intents(self: &Arc<Self>) {
        let mut lives: HashMap<Incarnation, bool> = HashMap::new();
        let mut abandoned = self.table.ids(|row| row.intended_by().is_some());
        abandoned.retain(|id| {
            let by = self.table.look(id, Row::intended_by).flatten();
            by.is_some_and(|by| {
                !*lives
                    .entry(by)
                    .or_insert_with(|| self.store.intender_lives(by))
            })
        });
        each(abandoned, self.options.concurrency, |id| async move {
            if let Err(error) = self.sweep_intent(&id).await {
                tracing::debug!(kind = %error.kind(), why = error.message(), agent = %id, "an agent that nobody will start stays recorded");
            }
        })
        .await;
    }

    /// Forgets this one, where it is as with those that are swept.
    async fn sweep_intent(self: &Arc<Self>, id: &AgentId) -> Result<()> {
        // Whoever brings it up at this moment is waited for, and whoever comes later finds nothing.
        let _turn = self.turn(id, false).await?;
        self.store.sync(&self.table)?;
        let Some(by) = self.table.look(id, Row::intended_by).flatten() else {
            return Ok(());
        };
        if self.store.intender_lives(by) {
            return Ok(());
        }
        let asked = self.table.ask();
        match self.backend.inspect(id).await {
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Ok(info) => {
                self.table.learn(info, asked);
                self.follow(id);
                return Ok(());
            }
            Err(error) => return Err(error),
        }
        tracing::info!(agent = %id, "it was never started, and whoever was to start it is gone: it is forgotten");
        self.store
            .commit(&self.table, |records| {
                let same = |record: &&Arc<Record>| record.intended_by == Some(by);
                let change = |_| Change::Remove { id: id.clone() };
                Ok(records
                    .get(id)
                    .filter(same)
                    .map(change)
                    .into_iter()
                    .collect())
            })
            .await
    }

    /// Refuses a name that is somebody's: as the engine and the records have it now.
    pub(super) async fn free_name(self: &Arc<Self>, name: &str) -> Result<()> {
        if self.table.named(name).is_none() {
            return Ok(());
        }
        self.up_to_date().await?;
        if let Some(holder) = self.table.named(name)
            && self
                .table
                .look(&holder, Row::intended_by)
                .flatten()
                .is_some()
            && let Err(error) = self.sweep_intent(&holder).await
        {
            tracing::debug!(kind = %error.kind(), why = error.message(), agent = %holder, "a name stays taken");
        }
        match self.table.named(name) {
            Some(holder) => Err(name_taken(name, &holder)),
            None => Ok(()),
        }
    }

    /// Sees to what was intended, in the background, if that is ours to do.
    pub(super) fn see_to_intents(self: &Arc<Self>) {
        let due = |row: &Row| row.has_begun_unrecorded() || row.intended_by().is_some();
        if !self.leads() || self.table.ids(due).is_empty() {
            return;
        }
        let core = Arc::clone(self);
        tokio::spawn(async move {
            let closing = core.closing.clone();
            let see_to = async {
                core.record_begun().await;
                core.sweep_intents().await;
            };
            closing.run_until_cancelled(see_to).await;
        });
    }
}
