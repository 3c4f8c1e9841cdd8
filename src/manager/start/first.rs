//! The first start of an agent.

use std::sync::Arc;

use alveary_core::{AgentBackend, AgentInfo, ErrorKind, Result};

use super::errors::{id_taken, name_taken};
use crate::manager::announced::Announced;
use crate::manager::core::Core;
use crate::state::{Change, Record};

impl<B: AgentBackend + ?Sized> Core<B> {
    /// Records a new agent and starts it. If it could not be started nothing of it stays, unless the
    /// outcome is unknown.
    pub(in crate::manager) async fn first_start(
        self: &Arc<Self>,
        record: Record,
    ) -> Result<AgentInfo> {
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
    pub(in crate::manager) async fn first_start_of_recorded(
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
    pub(in crate::manager) async fn finish_first_start(
        self: &Arc<Self>,
        record: &Record,
    ) -> Result<AgentInfo> {
        let announced = Announced::new(self, &record.id, record.incarnation, true);
        let _turn = self.turn(&record.id, false).await?;
        if let Err(error) = self.still_wanted(&record.id, record.incarnation) {
            announced.withdraw();
            return Err(error);
        }
        self.launch(&record.spec, announced).await
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
}
