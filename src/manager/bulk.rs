//! The verbs that are about many agents: bounded in how many calls are under way, one outcome for each, and
//! no failure of one loses another.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use alveary_core::{
    AgentBackend, AgentId, AgentInfo, AgentSpec, Error, ErrorKind, Operation, RemoveOptions,
    Result, StopOptions,
};
use futures_util::StreamExt;

use super::SwarmManager;
use super::agent::Agent;
use super::core::Core;
use super::row::Row;
use super::shutdown::StopOutcome;
use super::start::name_taken;
use crate::state::{Change, Record};

/// Does this to each, so many at once; the results are in the order of the items.
pub(super) async fn each<T, R, F>(
    items: Vec<T>,
    at_once: usize,
    mut act: impl FnMut(T) -> F,
) -> Vec<R>
where
    F: Future<Output = R>,
{
    let mut results: Vec<Option<R>> = Vec::new();
    results.resize_with(items.len(), || None);
    let tasks = items.into_iter().enumerate().map(|(place, item)| {
        let task = act(item);
        async move { (place, task.await) }
    });
    let mut done =
        std::pin::pin!(futures_util::stream::iter(tasks).buffer_unordered(at_once.max(1)));
    while let Some((place, result)) = done.next().await {
        results[place] = Some(result);
    }
    results.into_iter().flatten().collect()
}

impl<B: AgentBackend + ?Sized> SwarmManager<B> {
    /// Starts new agents, several at once, and gives one result for each, in their order. A name that comes
    /// twice is refused the second time.
    pub async fn spawn_many(
        &self,
        specs: impl IntoIterator<Item = AgentSpec>,
    ) -> Vec<Result<AgentInfo>> {
        let core = self.core();
        core.attach_if_possible().await;
        let mut names = HashSet::new();
        let mut admitted: Vec<Result<Record>> = Vec::new();
        for spec in specs {
            let record = core.record_of(spec, &mut names).await;
            admitted.push(record);
        }
        let admitted = core.admit(admitted).await;
        let queue = Queue::of(core, &admitted);
        let queue = &queue;
        let started = each(admitted, core.options.concurrency, |record| async move {
            let record = record?;
            queue.begin(&record.id);
            core.first_start_of_recorded(&record).await
        })
        .await;
        core.record_begun().await;
        started
    }

    /// Stops every agent, several at once, those that started last first. Gives one outcome for each that
    /// was not known to have ended, in the order in which they did; they stay stopped until somebody starts
    /// them again.
    pub async fn stop_all(&self, options: StopOptions) -> Result<Vec<StopOutcome>> {
        let agents = self.call_off(|_| true).await?;
        Ok(self.core().stop_called_off(agents, options).await)
    }

    /// As [`stop_all`](Self::stop_all), for these alone: of them, too, those that others come after end last. Whoever is
    /// not there is passed over.
    pub async fn stop_many(
        &self,
        ids: impl IntoIterator<Item = AgentId>,
        options: StopOptions,
    ) -> Result<Vec<StopOutcome>> {
        let meant: HashSet<AgentId> = ids.into_iter().collect();
        let agents = self.call_off(|id| meant.contains(id)).await?;
        Ok(self.core().stop_called_off(agents, options).await)
    }

    /// In which order these are to be stopped: those of one wave together, and the next once they have ended. Whoever
    /// comes `after` another is in an earlier wave than that.
    #[must_use]
    pub fn stop_waves(&self, agents: Vec<Agent>) -> Vec<Vec<Agent>> {
        self.core().last_first(agents)
    }

    /// Records that those who are meant are to stay stopped. Gives those of them that may live.
    pub(super) async fn call_off(&self, is_meant: impl Fn(&AgentId) -> bool) -> Result<Vec<Agent>> {
        let core = self.core();
        self.up_to_date(Operation::Stop).await?;
        // One whose start has begun and is not recorded yet will be, in a moment.
        for id in core.table.ids(Row::is_about_to_be_recorded) {
            if is_meant(&id) {
                core.until(&id, |row| !row.is_about_to_be_recorded()).await;
            }
        }
        let mut agents = core.table.agents(Row::may_live);
        agents.retain(|agent| is_meant(agent.id()));
        // Those that have ended, too, are not to be started again.
        let mut everyone = core.table.ids(|_| true);
        everyone.retain(is_meant);
        // They are stopped also where it cannot be recorded, as on a full disk.
        if let Err(error) = core.want_stopped(&everyone).await {
            tracing::warn!(kind = %error.kind(), why = error.message(), "it could not be recorded that agents are to stay stopped");
        }
        Ok(agents)
    }
}

impl<B: AgentBackend + ?Sized> Core<B> {
    /// What is to be recorded of a new agent; `names` are those of the ones before it.
    async fn record_of(
        self: &Arc<Self>,
        spec: AgentSpec,
        names: &mut HashSet<String>,
    ) -> Result<Record> {
        spec.validate()?;
        self.free_name(&spec.name).await?;
        if !names.insert(spec.name.clone()) {
            return Err(Error::new(
                ErrorKind::AlreadyExists,
                Operation::Spawn,
                format!(
                    "the name `{}` stands twice among those to be started",
                    spec.name
                ),
            )
            .with_cure("give each its own name"));
        }
        self.intend(Record::new(AgentId::random(), spec))
    }

    /// Records new agents, all in one write; each whose name is taken by now is refused for itself.
    async fn admit(self: &Arc<Self>, records: Vec<Result<Record>>) -> Vec<Result<Record>> {
        let mut taken: Vec<(String, AgentId)> = Vec::new();
        let recorded = self
            .store
            .commit(&self.table, |known| {
                taken.clear();
                let mut changes = Vec::with_capacity(records.len());
                for record in records.iter().flatten() {
                    match known.named(record.name()) {
                        Some(holder) => {
                            taken.push((record.name().to_owned(), holder.id.clone()));
                        }
                        None => changes.push(Change::Put(Arc::new(record.clone()))),
                    }
                }
                Ok(changes)
            })
            .await;
        let taken: std::collections::HashMap<_, _> = taken.into_iter().collect();
        let failure = recorded.err();
        records
            .into_iter()
            .map(|record| {
                let record = record?;
                if let Some(error) = &failure {
                    return Err(super::table::Lost::from(error).error(Operation::State));
                }
                match taken.get(record.name()) {
                    Some(holder) => Err(name_taken(record.name(), holder)),
                    None => Ok(record),
                }
            })
            .collect()
    }

    async fn stop_called_off(
        self: &Arc<Self>,
        agents: Vec<Agent>,
        options: StopOptions,
    ) -> Vec<StopOutcome> {
        let mut outcomes = Vec::with_capacity(agents.len());
        self.stop_these(agents, options, &mut outcomes).await;
        outcomes
    }

    /// Stops these, of which it is recorded already that they are to be stopped: the youngest first, and
    /// those that others come after once those have ended. Each outcome is there as soon as it is known, also
    /// where the call is dropped before the last.
    pub(super) async fn stop_these(
        self: &Arc<Self>,
        agents: Vec<Agent>,
        options: StopOptions,
        outcomes: &mut Vec<StopOutcome>,
    ) {
        let at_once = self.options.concurrency.max(64);
        for wave in self.last_first(agents) {
            let ending = wave.into_iter().map(|agent| {
                let options = options.clone();
                async move {
                    let result = self.halt(agent.id(), options).await;
                    StopOutcome {
                        id: agent.info.id,
                        name: agent.info.name,
                        result,
                    }
                }
            });
            let ending = futures_util::stream::iter(ending).buffer_unordered(at_once);
            let mut ending = std::pin::pin!(ending);
            while let Some(outcome) = ending.next().await {
                outcomes.push(outcome);
            }
        }
    }
}

/// New agents that are recorded and whose turn to start has not come. Those that are left when this is dropped
/// are forgotten again, in the background.
struct Queue<B: AgentBackend + ?Sized> {
    core: Arc<Core<B>>,
    waiting: Mutex<HashSet<AgentId>>,
}

impl<B: AgentBackend + ?Sized> Queue<B> {
    fn of(core: &Arc<Core<B>>, records: &[Result<Record>]) -> Self {
        let ids = records.iter().flatten().map(|record| record.id.clone());
        Self {
            core: Arc::clone(core),
            waiting: Mutex::new(ids.collect()),
        }
    }

    /// It is this one's turn: what becomes of it from now on its start knows.
    fn begin(&self, id: &AgentId) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.remove(id);
    }
}

impl<B: AgentBackend + ?Sized> Drop for Queue<B> {
    fn drop(&mut self) {
        let waiting = self.waiting.get_mut();
        let waiting = std::mem::take(waiting.unwrap_or_else(PoisonError::into_inner));
        if waiting.is_empty() {
            return;
        }
        let Ok(runtime) = tokio::runtime::Handle::try_current() else {
            tracing::warn!("agents whose start was called off stay recorded: there is no runtime");
            return;
        };
        let core = Arc::clone(&self.core);
        runtime.spawn(async move {
            let at_once = core.options.concurrency;
            each(waiting.into_iter().collect(), at_once, |id| {
                let core = &core;
                async move {
                    // Somebody may have started it meanwhile: then it is left as it is.
                    if let Err(error) = core.forget(&id, RemoveOptions::default()).await {
                        tracing::debug!(kind = %error.kind(), why = error.message(), agent = %id, "an agent whose start was called off stays");
                    }
                }
            })
            .await;
        });
    }
}
