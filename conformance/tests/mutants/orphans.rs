//! Backends that know only what they began themselves, and lose what they did not finish to begin.

use std::collections::HashSet;
use std::sync::Mutex;

use alveary_core::*;
use async_trait::async_trait;
use futures_util::FutureExt;

use crate::flaw::{Flaw, Inner, cases};

cases! {
    KnowsItsOwnAlone:
        "orphans::a_new_manager_finds_every_agent",
        "orphans::a_new_manager_stops_what_an_earlier_one_started",
        "orphans::a_new_manager_knows_how_an_agent_ended",
        "orphans::a_new_manager_reads_what_was_written_before_it",
        "orphans::a_spawn_that_a_new_manager_repeats_finds_the_agent";
    EndsItsAgentsWithItself:
        "orphans::a_manager_that_goes_takes_no_agent_with_it";
    ListsNothing:
        "lost_replies::a_spawn_whose_reply_was_lost_is_listed",
        "orphans::a_new_manager_finds_every_agent",
        "convergence::an_agent_is_told_alike_by_every_question";
}

/// Keeps its agents in its own memory, as a program that shells out to an engine does.
#[derive(Default)]
struct KnowsItsOwnAlone(Mutex<HashSet<AgentId>>);

impl KnowsItsOwnAlone {
    fn ensure_known(&self, operation: Operation, id: &AgentId) -> Result<()> {
        if self.0.lock().unwrap().contains(id) {
            return Ok(());
        }
        Err(Error::agent_not_found(operation, id))
    }
}

#[async_trait]
impl Flaw for KnowsItsOwnAlone {
    async fn spawn(
        &self,
        inner: &Inner,
        id: &AgentId,
        spec: AgentSpec,
        options: SpawnOptions,
    ) -> Result<AgentInfo> {
        if self.0.lock().unwrap().insert(id.clone()) {
            // What an earlier manager left under this name is in the way.
            let force = RemoveOptions::default().with_force(true);
            let _ = inner.remove(id, force).await;
        }
        inner.spawn(id, &spec, options).await
    }
    async fn inspect(&self, inner: &Inner, id: &AgentId) -> Result<AgentInfo> {
        self.ensure_known(Operation::Inspect, id)?;
        inner.inspect(id).await
    }
    async fn list(&self, inner: &Inner, options: ListOptions) -> Result<Vec<AgentInfo>> {
        let mut all = inner.list(options).await?;
        let own = self.0.lock().unwrap();
        all.retain(|info| own.contains(&info.id));
        Ok(all)
    }
    async fn stop(&self, inner: &Inner, id: &AgentId, options: StopOptions) -> Result<Exit> {
        self.ensure_known(Operation::Stop, id)?;
        inner.stop(id, options).await
    }
    async fn logs(&self, inner: &Inner, id: &AgentId, options: LogOptions) -> Result<LogStream> {
        self.ensure_known(Operation::Logs, id)?;
        inner.logs(id, options).await
    }
}

#[derive(Default)]
struct EndsItsAgentsWithItself(Mutex<HashSet<AgentId>>);

#[async_trait]
impl Flaw for EndsItsAgentsWithItself {
    async fn spawn(
        &self,
        inner: &Inner,
        id: &AgentId,
        spec: AgentSpec,
        options: SpawnOptions,
    ) -> Result<AgentInfo> {
        self.0.lock().unwrap().insert(id.clone());
        inner.spawn(id, &spec, options).await
    }
    fn gone(&self, inner: &Inner) {
        for id in self.0.lock().unwrap().iter() {
            // One poll is enough to begin it.
            let _ = inner.stop(id, StopOptions::by_force()).now_or_never();
        }
    }
}

#[derive(Default)]
struct ListsNothing;

#[async_trait]
impl Flaw for ListsNothing {
    async fn list(&self, _inner: &Inner, _options: ListOptions) -> Result<Vec<AgentInfo>> {
        Ok(Vec::new())
    }
}
