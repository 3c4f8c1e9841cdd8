//! Seeing that an agent still answers, and ending it where it does not. Whether it is started again is its policy's to
//! say, as after any end that it came to by itself.

use std::sync::Arc;

use alveary_core::{AgentBackend, AgentId, AgentState, Alive, Incarnation, StopOptions};
use tokio::time::sleep;

use super::core::Core;
use super::restart;
use super::row::Row;
use crate::state::{Change, Desired, GaveUp};

impl<B: AgentBackend + ?Sized> Core<B> {
    /// Begins to look whether the agent's present start still answers, if that is wanted and nobody here looks already.
    pub(super) fn watch_over(self: &Arc<Self>, id: &AgentId) {
        let begun = self.table.note(id, |row| {
            let due = row.watch_due()?;
            row.watched = Some(due.0);
            Some(due)
        });
        let Some((incarnation, alive)) = begun.flatten() else {
            return;
        };
        let core = Arc::clone(self);
        let id = id.clone();
        tokio::spawn(async move {
            tokio::select! {
                () = core.closing.cancelled() => {}
                () = core.until_it_is_over(&id, incarnation) => {}
                () = core.while_it_answers(&id, incarnation, &alive) => {}
            }
        });
    }

    async fn while_it_answers(&self, id: &AgentId, incarnation: Incarnation, alive: &Alive) {
        let mut in_a_row = 0;
        loop {
            sleep(alive.interval).await;
            if self.table.look(id, Row::is_held_still) == Some(true) {
                in_a_row = 0;
                continue;
            }
            match self
                .look_at(id, incarnation, &alive.probe, alive.timeout)
                .await
            {
                Ok(()) => in_a_row = 0,
                Err(why) => {
                    in_a_row += 1;
                    tracing::debug!(agent = %id, in_a_row, why, "an agent does not answer");
                    // Who restarts agents ends those that do not answer: it is one deed.
                    if in_a_row >= alive.failures && self.may_restart() {
                        self.end_it(id, incarnation, alive, &why).await;
                    }
                }
            }
        }
    }

    /// Says why it is ended, so that whoever restarts it knows, and ends it.
    async fn end_it(&self, id: &AgentId, incarnation: Incarnation, alive: &Alive, why: &str) {
        let reason = format!("did not answer {} times in a row: {why}", alive.failures);
        tracing::warn!(agent = %id, why, "an agent that does not answer is ended");
        let why = GaveUp {
            incarnation,
            reason,
        };
        let recorded = self
            .store
            .commit(&self.table, |records| {
                let record = records
                    .get(id)
                    .filter(|record| record.desired == Desired::Running);
                let change = record.map(|record| {
                    let (id, why) = (id.clone(), why.clone());
                    if restart::may(&record.spec.restart) {
                        Change::Unanswering { id, why }
                    } else {
                        Change::GaveUp { id, why }
                    }
                });
                Ok(change.into_iter().collect())
            })
            .await;
        if let Err(error) = recorded {
            tracing::warn!(kind = %error.kind(), why = error.message(), "it could not be recorded that an agent does not answer");
            return;
        }
        let wanted = self.table.look(id, Row::is_to_run) == Some(true);
        if !wanted {
            return;
        }
        let options = StopOptions::default().with_incarnation(incarnation);
        // Its end is heard as any other, and what it calls for is done then.
        if let Err(error) = self.backend.stop(id, options).await {
            tracing::warn!(kind = %error.kind(), why = error.message(), "an agent that does not answer could not be ended");
        }
    }
}

impl Row {
    /// Which start is to be asked whether it answers, and how; `None` where somebody does that, or nobody is to.
    fn watch_due(&self) -> Option<(Incarnation, Alive)> {
        let info = self.info.as_ref()?;
        let alive = self.record.as_ref()?.spec.alive.as_ref()?;
        let due = self.is_ready() && self.watched != Some(info.incarnation);
        due.then(|| (info.incarnation, alive.clone()))
    }

    fn is_held_still(&self) -> bool {
        self.info
            .as_ref()
            .is_some_and(|info| info.paused || !matches!(info.state, AgentState::Running))
    }
}
