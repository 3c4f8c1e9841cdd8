//! What agents wrote last, read where it may show why they ended.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use alveary_core::AgentId;
use futures_util::StreamExt;
use jiff::{SignedDuration, Timestamp};
use tokio::time::timeout;

use super::Containers;
use super::agent::Agent;
use crate::engine::{Answer, Container, Engine, LogQuery, Phase, Ref};
use crate::hint::{self, Lacking};

/// What was written earlier than this before the end has not to do with it.
const BEFORE_THE_END: SignedDuration = SignedDuration::from_secs(10);

/// For so long one's last words are read; nobody waits longer for an end because of them.
const PATIENCE: Duration = Duration::from_secs(2);

/// For so long those of all that a list tells of. Those that are left over are read for the next.
const PATIENCE_FOR_ALL: Duration = Duration::from_secs(1);

/// So many are read at once.
const AT_ONCE: usize = 8;

/// More than anybody says last; of a longer log the end counts.
const ENOUGH: usize = 8 << 10;

/// What was read out of whose last words, so that each is read once.
#[derive(Debug, Default)]
pub(super) struct Hints(Mutex<HashMap<Ref, Option<String>>>);

impl Hints {
    fn locked(&self) -> MutexGuard<'_, HashMap<Ref, Option<String>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What would perhaps have helped it, as far as its last words were heard.
    pub(super) fn of(&self, container: &Ref) -> Option<String> {
        self.locked().get(container).cloned().flatten()
    }

    /// The container is gone.
    pub(super) fn forget(&self, container: &Ref) {
        self.locked().remove(container);
    }
}

impl<E: Engine> Containers<E> {
    /// Reads the last words of one that has ended, where they may show what it lacked, or why it has not lived. Each
    /// is read once.
    pub(super) async fn hear(&self, container: &Container) {
        let heard = self.0.hints.locked().contains_key(&container.id);
        if heard || container.phase != Phase::Ended || self.0.asks.get(&container.id).is_any() {
            return;
        }
        let lacking = Lacking::of(container);
        let at_once = hint::died_at_once(container);
        if lacking.is_none() && !at_once {
            return;
        }
        let words = match timeout(PATIENCE, self.last_words(container)).await {
            Ok(Ok(words)) => words,
            // A log that is too long to be read, or cannot be read, tells nothing at the next time either.
            Err(_) => String::new(),
            Ok(Err(trouble)) => {
                tracing::debug!(words = %trouble.words, "an agent's last words cannot be read");
                String::new()
            }
        };
        let cure = lacking.and_then(|lacking| hint::read(&words, &lacking));
        let hint = cure.or_else(|| hint::last(&words).filter(|_| at_once));
        self.0.hints.locked().insert(container.id.clone(), hint);
    }

    /// Reads the last words of all, for a while.
    pub(super) async fn hear_all(&self, agents: &BTreeMap<AgentId, Agent>) {
        let there: HashSet<&Ref> = agents.values().map(|agent| &agent.container.id).collect();
        self.0.hints.locked().retain(|id, _| there.contains(id));
        let mut all = Vec::with_capacity(agents.len());
        for agent in agents.values() {
            all.push(self.hear(&agent.container));
        }
        let heard = futures_util::stream::iter(all)
            .buffer_unordered(AT_ONCE)
            .collect::<()>();
        if timeout(PATIENCE_FOR_ALL, heard).await.is_err() {
            tracing::debug!("not all last words are read yet");
        }
    }

    async fn last_words(&self, container: &Container) -> Answer<String> {
        let end = container
            .finished_at
            .and_then(|at| Timestamp::try_from(at).ok());
        let query = LogQuery {
            follow: false,
            since: end.and_then(|end| end.checked_sub(BEFORE_THE_END).ok()),
            stdout: true,
            stderr: true,
        };
        let mut entries = self.engine().logs(&container.id, query).await?;
        let mut words: VecDeque<u8> = VecDeque::new();
        while let Some(entry) = entries.next().await {
            words.extend(entry?.bytes);
            let over = words.len().saturating_sub(ENOUGH);
            words.drain(..over);
        }
        Ok(String::from_utf8_lossy(words.make_contiguous()).into_owned())
    }
}
