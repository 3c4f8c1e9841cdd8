//! What is known of every agent, in memory.
//!
//! Fed by the watch and by the verbs' own replies; read by everybody. A lock is held for the moment of a
//! look or a change and never while something is awaited.

mod hearing;

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use alveary_core::{AgentId, AgentInfo, AgentState, Exit, Incarnation};
use tokio::sync::{Notify, broadcast, watch};

use super::agent::{Agent, Running};
use super::row::{Row, Unsure};
use super::subscribe::SwarmEvent;
use crate::state::{GaveUp, Record, Records, Touched};
pub(super) use hearing::{Gone, Hearing, Lost};

/// How many changes a slow subscriber may be behind before it is given a new snapshot instead.
const NEWS: usize = 1024;

/// Every agent that is known.
#[derive(Debug)]
pub(super) struct Table {
    rows: RwLock<Rows>,
    news: broadcast::Sender<SwarmEvent>,
    hearing: watch::Sender<Hearing>,
    touches: AtomicU64,
}

#[derive(Debug)]
struct Rows {
    by_id: HashMap<AgentId, Row>,
    /// Whoever bears a name: one, but for agents that another program left behind.
    by_name: HashMap<String, Vec<AgentId>>,
    /// Those whose record another process has removed: most likely the engine does not know them either.
    forgotten: HashSet<AgentId>,
    /// The starts that were removed here, and when: what is heard of one later is older than its removal.
    removed: HashMap<AgentId, (Incarnation, u64)>,
    /// Those whom the engine did not know, and when it was asked: an answer to an earlier question is older.
    gone: HashMap<AgentId, u64>,
    /// Why the engine cannot be heard, if it cannot.
    deaf: Option<String>,
    /// Whether it ever was heard.
    heard: bool,
}

impl Table {
    pub(super) fn new() -> Self {
        Self {
            rows: RwLock::new(Rows {
                by_id: HashMap::new(),
                by_name: HashMap::new(),
                forgotten: HashSet::new(),
                removed: HashMap::new(),
                gone: HashMap::new(),
                deaf: Some("the engine has not been heard yet".to_owned()),
                heard: false,
            }),
            news: broadcast::Sender::new(NEWS),
            hearing: watch::Sender::new(Hearing::NotYet),
            touches: AtomicU64::new(0),
        }
    }

    fn read(&self) -> RwLockReadGuard<'_, Rows> {
        self.rows.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Rows> {
        self.rows.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes a row and tells whom it concerns. `None` where there is none.
    fn alter<R>(&self, id: &AgentId, alter: impl FnOnce(&mut Row) -> R) -> Option<R> {
        let mut rows = self.write();
        if !rows.by_id.contains_key(id) {
            return None;
        }
        let touch = self.touch();
        let result = rows.change(id, |row| {
            let result = alter(row);
            row.touched = touch;
            result
        });
        self.tell(&rows, id);
        rows.sweep(id);
        Some(result)
    }

    fn touch(&self) -> u64 {
        self.touches.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// To be called before a list is begun: what is touched later is not in it for certain.
    pub(super) fn mark(&self) -> u64 {
        self.touches.load(Ordering::Relaxed)
    }

    /// To be called before an agent is asked for: of two answers the one that was asked for later is the truth.
    pub(super) fn ask(&self) -> u64 {
        self.touch()
    }

    fn tell(&self, rows: &Rows, id: &AgentId) {
        let Some(row) = rows.by_id.get(id) else {
            return;
        };
        row.wake();
        if self.news.receiver_count() > 0 {
            let event = row.view(id, rows.deaf.as_deref()).map_or_else(
                || SwarmEvent::Removed(id.clone()),
                |agent| SwarmEvent::Changed(Box::new(agent)),
            );
            // Nobody listening is no failure.
            let _ = self.news.send(event);
        }
    }

    // Reading.

    pub(super) fn running(&self, id: &AgentId) -> Running {
        let rows = self.read();
        if rows.deaf.is_some() {
            return Running::Unknown;
        }
        rows.by_id.get(id).map_or(Running::No, Row::running)
    }

    pub(super) fn look<R>(&self, id: &AgentId, look: impl FnOnce(&Row) -> R) -> Option<R> {
        self.read().by_id.get(id).map(look)
    }

    pub(super) fn agent(&self, id: &AgentId) -> Option<Agent> {
        let rows = self.read();
        rows.by_id.get(id)?.view(id, rows.deaf.as_deref())
    }

    /// Whose name this is: a recorded agent's before that of one that merely bears it.
    pub(super) fn named(&self, name: &str) -> Option<AgentId> {
        let rows = self.read();
        let bearers = rows.by_name.get(name)?;
        let recorded = bearers.iter().find(|id| rows.is_recorded(id));
        recorded.or(bearers.first()).cloned()
    }

    /// Those for whom this holds, in order of kind and number.
    pub(super) fn agents(&self, mut which: impl FnMut(&Row) -> bool) -> Vec<Agent> {
        let rows = self.read();
        let mut agents: Vec<_> = rows
            .by_id
            .iter()
            .filter(|(_, row)| which(row))
            .filter_map(|(id, row)| row.view(id, rows.deaf.as_deref()))
            .collect();
        drop(rows);
        agents.sort_unstable_by(|a, b| a.place().cmp(&b.place()));
        agents
    }

    pub(super) fn ids(&self, mut which: impl FnMut(&Row) -> bool) -> Vec<AgentId> {
        let rows = self.read();
        let ids = rows.by_id.iter().filter(|(_, row)| which(row));
        ids.map(|(id, _)| id.clone()).collect()
    }

    /// Everything as it is, and every change from then on: none is missed and none comes twice.
    pub(super) fn subscribe(&self) -> (Vec<Agent>, broadcast::Receiver<SwarmEvent>) {
        let rows = self.read();
        let news = self.news.subscribe();
        let deaf = rows.deaf.as_deref();
        let agents = rows.by_id.iter().filter_map(|(id, row)| row.view(id, deaf));
        (agents.collect(), news)
    }

    /// Whether the engine is heard at this moment.
    pub(super) fn is_heard(&self) -> bool {
        self.read().deaf.is_none()
    }

    /// Whether any snapshot was ever taken.
    pub(super) fn was_ever_heard(&self) -> bool {
        self.read().heard
    }

    pub(super) fn hearing(&self) -> watch::Receiver<Hearing> {
        self.hearing.subscribe()
    }

    /// By what one is woken when this agent changes.
    pub(super) fn waiters(&self, id: &AgentId) -> Option<Arc<Notify>> {
        self.write().by_id.get_mut(id).map(Row::waiters)
    }

    // What the records say.

    /// Takes over what has been recorded.
    pub(super) fn refresh(&self, touched: &Touched, records: &Records) {
        let mut rows = self.write();
        let ids: Vec<AgentId> = match touched {
            Touched::These(ids) => ids.clone(),
            Touched::All => {
                let known = rows.by_id.keys();
                let recorded = records.iter().map(|record| &record.id);
                let all: HashSet<_> = known.chain(recorded).cloned().collect();
                all.into_iter().collect()
            }
        };
        for id in ids {
            let record = records.get(&id);
            if record.is_none() && !rows.by_id.contains_key(&id) {
                continue;
            }
            let touch = self.touch();
            if record.is_none() && rows.by_id.get(&id).is_some_and(Row::is_recorded_and_known) {
                rows.forgotten.insert(id.clone());
            }
            rows.change(&id, |row| {
                if record.is_some_and(|record| record.restarts.is_empty()) {
                    row.history = None;
                }
                let start = |record: &Record| (record.incarnation, record.desired);
                if row.record.as_deref().map(start) != record.map(|record| start(record)) {
                    // Somebody wants something else of it by now.
                    row.gave_up = None;
                }
                row.record = record.cloned();
                row.touched = touch;
            });
            self.tell(&rows, &id);
            rows.sweep(&id);
        }
    }

    // What the verbs know.

    /// A start is about to be made: until [`settle`](Self::settle) the row stays, whatever a list says.
    pub(super) fn begin(&self, id: &AgentId, incarnation: Incarnation) {
        let mut rows = self.write();
        let row = rows.by_id.entry(id.clone()).or_default();
        row.starting = Some(incarnation);
        row.touched = self.touch();
    }

    /// A start has been answered, one way or the other.
    pub(super) fn settle(&self, id: &AgentId) {
        self.alter(id, |row| row.starting = None);
    }

    /// The outcome of a start is not known.
    pub(super) fn doubt(&self, id: &AgentId, unsure: Unsure) {
        self.alter(id, |row| {
            row.starting = None;
            row.unsure = Some(unsure);
        });
    }

    /// A start was answered: this is how the agent stands.
    pub(super) fn started(&self, info: AgentInfo) {
        let mut rows = self.write();
        let id = info.id.clone();
        let touch = self.touch();
        rows.change(&id, |row| {
            row.starting = None;
            row.unsure = None;
            row.touched = touch;
            row.merge(info, true);
        });
        self.tell(&rows, &id);
    }

    /// A stop was answered, of the start that was known before it.
    pub(super) fn stopped(&self, id: &AgentId, before: Option<Incarnation>, exit: &Exit) {
        self.alter(id, |row| {
            if let Some(info) = &mut row.info
                && Some(info.incarnation) == before
                && !info.state.has_ended()
            {
                info.state = AgentState::Exited(exit.clone());
            }
        });
    }

    /// An agent was removed here.
    pub(super) fn removed(&self, id: &AgentId) {
        let mut rows = self.write();
        let touch = self.touch();
        if let Some(last) = rows.by_id.get(id).and_then(Row::incarnation) {
            rows.removed.insert(id.clone(), (last, touch));
        }
        rows.change(id, |row| {
            row.info = None;
            row.unsure = None;
            row.touched = touch;
        });
        self.tell(&rows, id);
        rows.sweep(id);
    }

    /// Those whose record another process has removed since this was last asked.
    pub(super) fn take_forgotten(&self) -> HashSet<AgentId> {
        if self.read().forgotten.is_empty() {
            return HashSet::new();
        }
        std::mem::take(&mut self.write().forgotten)
    }

    /// A start was seen to be ready.
    pub(super) fn ready(&self, id: &AgentId, incarnation: Incarnation) {
        self.alter(id, |row| row.ready = Some(incarnation));
    }

    /// It is not started again, which is still to be recorded; `None`: no more than the record says.
    pub(super) fn gave_up(&self, id: &AgentId, why: Option<GaveUp>) {
        self.alter(id, |row| row.gave_up = why);
    }

    /// Changes what nobody but the manager sees of a row.
    pub(super) fn note<R>(&self, id: &AgentId, note: impl FnOnce(&mut Row) -> R) -> Option<R> {
        self.write().by_id.get_mut(id).map(note)
    }
}

impl Rows {
    /// Changes a row, makes it if need be, and keeps the index of names true.
    fn change<R>(&mut self, id: &AgentId, change: impl FnOnce(&mut Row) -> R) -> R {
        let row = self.by_id.entry(id.clone()).or_default();
        let before = row.name().map(ToOwned::to_owned);
        let result = change(row);
        if before.as_deref() != row.name() {
            let after = row.name().map(ToOwned::to_owned);
            self.renamed(id, before.as_deref(), after);
        }
        result
    }

    fn renamed(&mut self, id: &AgentId, before: Option<&str>, after: Option<String>) {
        if let Some(before) = before
            && let Some(bearers) = self.by_name.get_mut(before)
        {
            bearers.retain(|bearer| bearer != id);
            if bearers.is_empty() {
                self.by_name.remove(before);
            }
        }
        if let Some(after) = after {
            self.by_name.entry(after).or_default().push(id.clone());
        }
    }

    fn is_recorded(&self, id: &AgentId) -> bool {
        self.by_id.get(id).is_some_and(|row| row.record.is_some())
    }

    /// Whether this is news of a start that has been removed since: old news.
    fn is_removed(&self, info: &AgentInfo) -> bool {
        let removed = self.removed.get(&info.id);
        removed.is_some_and(|(incarnation, _)| *incarnation == info.incarnation)
    }

    /// Forgets a row of which nobody knows anything.
    fn sweep(&mut self, id: &AgentId) {
        if self.by_id.get(id).is_some_and(Row::is_empty) {
            self.by_id.remove(id);
        }
    }
}

#[cfg(test)]
mod tests;
