//! Keeping the table true: what the engine tells, and what has to be asked for.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use alveary_core::{AgentBackend, AgentBackendExt, AgentId, ErrorKind, Result, WatchEvent};
use futures_util::{FutureExt, StreamExt};

use super::bulk::each;
use super::core::Core;
use super::errands::{Errand, Errands};
use super::row::{Merged, Row};
use super::table::Gone;
use crate::state::Change;

/// When the records are looked at again after the engine has lost one that they hold. Another process removes an agent
/// first and forgets it then, and nothing tells of that.
const FORGOTTEN_SOON: [Duration; 4] = [
    Duration::from_millis(50),
    Duration::from_millis(250),
    Duration::from_secs(1),
    Duration::from_secs(4),
];

/// Whoever is recorded still after that was removed by somebody who is not of us.
const SURELY_FORGOTTEN: Duration = Duration::from_secs(1);

impl<B: AgentBackend + ?Sized> Core<B> {
    /// Listens to the engine for as long as it is polled. What has to be asked is asked beside that: an answer
    /// that is long in coming holds up nothing else.
    pub(super) async fn listen(self: &Arc<Self>) {
        let mut watch = self.backend.watch(self.options.watch.clone());
        let mut errands = Errands::new(self.options.concurrency, |id, errand| {
            let core = Arc::clone(self);
            async move {
                match errand {
                    Errand::Ask => core.ask(&id).await,
                    // Where something younger is known, whoever made it known sees to it.
                    Errand::Gone(mark) => drop(core.vanished(&id, mark).await),
                }
            }
            .boxed()
        });
        let mut forgotten = std::pin::pin!(self.see_who_is_forgotten());
        // Before the next list is begun, whenever that is.
        let mut mark = self.table.mark();
        loop {
            let next = async {
                tokio::select! {
                    event = watch.next() => event,
                    never = errands.run() => match never {},
                    never = &mut forgotten => match never {},
                }
            };
            let Some(event) = next.await else { return };
            let was_list = matches!(event, WatchEvent::Snapshot(_));
            self.take(event, mark, &mut errands);
            if was_list {
                mark = self.table.mark();
            }
        }
    }

    /// Reads the records again, several times, after the engine has lost somebody.
    async fn see_who_is_forgotten(self: &Arc<Self>) -> Infallible {
        loop {
            self.bereft.notified().await;
            for pause in FORGOTTEN_SOON {
                tokio::time::sleep(pause).await;
                self.sync();
                if pause >= SURELY_FORGOTTEN {
                    for id in self.table.taken_away() {
                        self.follow(&id);
                    }
                }
            }
        }
    }

    /// Takes news; what is needed to understand them is asked for later. `mark` is from before
    /// a list among them was begun.
    fn take(self: &Arc<Self>, event: WatchEvent, mark: u64, errands: &mut Errands<'_>) {
        match event {
            WatchEvent::Snapshot(agents) => {
                self.sync();
                let findings = self.table.snapshot(agents, mark);
                for id in findings.doubtful {
                    errands.add(id, Errand::Ask);
                }
                for id in findings.gone {
                    errands.add(id, Errand::Gone(mark));
                }
                for id in &findings.changed {
                    self.follow(id);
                }
                self.see_to_intents();
                if let Some(metrics) = &self.options.metrics {
                    metrics.reconciled();
                }
            }
            WatchEvent::Changed(info) => {
                let id = info.id.clone();
                if !self.is_recorded(&id) {
                    self.sync();
                }
                match self.table.hear(info) {
                    Merged::Changed => self.follow(&id),
                    Merged::Doubtful => errands.add(id, Errand::Ask),
                    Merged::Nothing => {}
                }
            }
            // Of which start of it this is the end, only the engine knows.
            WatchEvent::Gone(id)
                if self.table.look(&id, |row| row.info.is_some()) == Some(true) =>
            {
                errands.add(id, Errand::Ask);
            }
            WatchEvent::Fetching(fetch) => self.table.pass_on(fetch),
            WatchEvent::Lost(error) => {
                tracing::debug!(kind = %error.kind(), why = error.message(), "the engine is not heard any more");
                self.table.lose(&error);
            }
            _ => {}
        }
    }

    fn is_recorded(&self, id: &AgentId) -> bool {
        self.table.look(id, |row| row.record.is_some()) == Some(true)
    }

    /// Reads what other processes have recorded. What cannot be read now is read at the next occasion.
    pub(super) fn sync(&self) {
        if let Err(error) = self.store.sync(&self.table) {
            tracing::warn!(kind = %error.kind(), why = error.message(), "the swarm's records could not be read");
        }
    }

    /// Reads what other processes have recorded, and asks for those whom they have forgotten.
    pub(super) async fn up_to_date(self: &Arc<Self>) -> Result<()> {
        self.store.sync(&self.table)?;
        let forgotten = self.table.take_forgotten();
        self.ask_all(forgotten).await;
        Ok(())
    }

    /// Asks the engine how these stand, several at once.
    pub(super) async fn ask_all(self: &Arc<Self>, ids: impl IntoIterator<Item = AgentId>) {
        let ids: Vec<_> = ids.into_iter().collect();
        each(ids, self.options.concurrency, |id| async move {
            self.ask(&id).await;
        })
        .await;
    }

    /// Asks the engine how an agent stands.
    pub(super) async fn ask(self: &Arc<Self>, id: &AgentId) {
        // What another process has recorded meanwhile makes an answer too old: once more, and then the next list tells.
        for _ in 0..2 {
            let asked = self.table.ask();
            match self.backend.inspect(id).await {
                Ok(info) => {
                    self.table.learn(info, asked);
                    return self.follow(id);
                }
                Err(error) if error.kind() == ErrorKind::NotFound => {
                    if self.vanished(id, asked).await {
                        return;
                    }
                }
                Err(error) => {
                    tracing::debug!(kind = %error.kind(), why = error.message(), "an agent's state is left to the next list");
                    return;
                }
            }
        }
    }

    /// The engine said after `mark` that it does not know this agent. `false`: something younger is known of it.
    async fn vanished(self: &Arc<Self>, id: &AgentId, mark: u64) -> bool {
        // In a state folder it stays, as one that is meant to be; `up` starts it and `rm` forgets it. But a
        // first start that was reported as failed leaves nothing.
        match self.table.gone(id, mark) {
            Gone::TooOld => return false,
            Gone::NotThere if self.store.shared().is_some() => {
                self.bereft.notify_one();
                return true;
            }
            Gone::NotThere | Gone::NeverWas => {}
        }
        let forgotten = self
            .store
            .commit(&self.table, |records| {
                let known = records.get(id).is_some();
                Ok(known
                    .then(|| Change::Remove { id: id.clone() })
                    .into_iter()
                    .collect())
            })
            .await;
        if let Err(error) = forgotten {
            tracing::warn!(kind = %error.kind(), why = error.message(), "an agent that is gone could not be forgotten");
        }
        true
    }

    /// Does what its new state calls for, if it is ours to do.
    pub(super) fn follow(self: &Arc<Self>, id: &AgentId) {
        if !self.leads() {
            return;
        }
        // What is wanted of it may have been recorded by the very process that did this to it.
        self.sync();
        if self.table.look(id, Row::wants_restart) == Some(true) {
            self.consider(id);
        } else {
            self.probe(id);
            self.watch_over(id);
        }
    }
}
