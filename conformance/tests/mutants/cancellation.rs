//! Backends that a dropped call leaves in a state that nobody can mend.

use std::collections::HashSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use alveary_core::*;
use async_trait::async_trait;
use tokio::task::yield_now;

use crate::flaw::{Flaw, Inner, cases};

cases! {
    ListsWhatItHasAnswered:
        "cancellation::a_dropped_spawn_is_listed_or_never_was";
    RefusesWhatIsUnderWay:
        "cancellation::a_dropped_spawn_is_finished_by_its_repetition",
        "cancellation::a_dropped_stop_is_finished_by_its_repetition",
        "cancellation::a_dropped_removal_has_happened_or_not";
    LocksWithoutAGuard:
        "cancellation::a_dropped_question_harms_nobody";
}

/// Writes an agent into its books once its start was answered, which a dropped call never comes to.
#[derive(Default)]
struct ListsWhatItHasAnswered(Mutex<HashSet<AgentId>>);

#[async_trait]
impl Flaw for ListsWhatItHasAnswered {
    async fn spawn(
        &self,
        inner: &Inner,
        id: &AgentId,
        spec: AgentSpec,
        options: SpawnOptions,
    ) -> Result<AgentInfo> {
        let info = inner.spawn(id, &spec, options).await?;
        yield_now().await;
        self.0.lock().unwrap().insert(id.clone());
        Ok(info)
    }
    async fn list(&self, inner: &Inner, options: ListOptions) -> Result<Vec<AgentInfo>> {
        let mut all = inner.list(options).await?;
        all.retain(|info| self.0.lock().unwrap().contains(&info.id));
        Ok(all)
    }
}

/// Notes that a call is under way, and takes the note back at its end.
#[derive(Default)]
struct RefusesWhatIsUnderWay(Mutex<HashSet<AgentId>>);

impl RefusesWhatIsUnderWay {
    fn begin(&self, operation: Operation, id: &AgentId) -> Result<()> {
        if self.0.lock().unwrap().insert(id.clone()) {
            return Ok(());
        }
        let error = Error::new(ErrorKind::Conflict, operation, "it is under way");
        Err(error.with_agent(id).with_cure("wait for it"))
    }
    fn end(&self, id: &AgentId) {
        self.0.lock().unwrap().remove(id);
    }
}

#[async_trait]
impl Flaw for RefusesWhatIsUnderWay {
    async fn spawn(
        &self,
        inner: &Inner,
        id: &AgentId,
        spec: AgentSpec,
        options: SpawnOptions,
    ) -> Result<AgentInfo> {
        self.begin(Operation::Spawn, id)?;
        yield_now().await;
        let spawned = inner.spawn(id, &spec, options).await;
        self.end(id);
        spawned
    }
    async fn stop(&self, inner: &Inner, id: &AgentId, options: StopOptions) -> Result<Exit> {
        self.begin(Operation::Stop, id)?;
        yield_now().await;
        let stopped = inner.stop(id, options).await;
        self.end(id);
        stopped
    }
    async fn remove(&self, inner: &Inner, id: &AgentId, options: RemoveOptions) -> Result<()> {
        self.begin(Operation::Remove, id)?;
        yield_now().await;
        let removed = inner.remove(id, options).await;
        self.end(id);
        removed
    }
}

#[derive(Default)]
struct LocksWithoutAGuard(AtomicBool);

#[async_trait]
impl Flaw for LocksWithoutAGuard {
    async fn inspect(&self, inner: &Inner, id: &AgentId) -> Result<AgentInfo> {
        while self.0.swap(true, Ordering::SeqCst) {
            yield_now().await;
        }
        yield_now().await;
        let info = inner.inspect(id).await;
        self.0.store(false, Ordering::SeqCst);
        info
    }
}
