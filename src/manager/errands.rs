//! What has to be found out about agents while the news go on: several at once, and about one agent one thing
//! after the other.

use std::collections::{HashMap, HashSet, VecDeque};
use std::convert::Infallible;

use alveary_core::AgentId;
use futures_util::StreamExt;
use futures_util::future::{BoxFuture, FutureExt};
use futures_util::stream::FuturesUnordered;

/// Something to be found out about an agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Errand {
    /// How it stands.
    Ask,
    /// What it means that the engine did not know it, as it said after this mark.
    Gone(u64),
}

/// Errands that are under way, and those that wait.
pub(super) struct Errands<'a> {
    begin: Box<dyn Fn(AgentId, Errand) -> BoxFuture<'a, ()> + Send + Sync + 'a>,
    at_once: usize,
    under_way: FuturesUnordered<BoxFuture<'a, AgentId>>,
    /// Those about whom something is under way.
    busy: HashSet<AgentId>,
    /// What is wanted next about each: what was asked before the latest news may not know of them.
    wanted: HashMap<AgentId, Errand>,
    /// Those about whom something is wanted and nothing is under way.
    waiting: VecDeque<AgentId>,
}

impl<'a> Errands<'a> {
    /// Does so many at once.
    pub(super) fn new(
        at_once: usize,
        begin: impl Fn(AgentId, Errand) -> BoxFuture<'a, ()> + Send + Sync + 'a,
    ) -> Self {
        Self {
            begin: Box::new(begin),
            at_once: at_once.max(1),
            under_way: FuturesUnordered::new(),
            busy: HashSet::new(),
            wanted: HashMap::new(),
            waiting: VecDeque::new(),
        }
    }

    /// Has this found out, behind whatever is being found out about the same agent.
    pub(super) fn add(&mut self, id: AgentId, errand: Errand) {
        let waits = self.wanted.insert(id.clone(), errand).is_some();
        if !waits && !self.busy.contains(&id) {
            self.waiting.push_back(id);
            self.fill();
        }
    }

    fn fill(&mut self) {
        while self.under_way.len() < self.at_once
            && let Some(id) = self.waiting.pop_front()
        {
            if let Some(errand) = self.wanted.remove(&id) {
                self.busy.insert(id.clone());
                let errand = (self.begin)(id.clone(), errand);
                self.under_way.push(errand.map(|()| id).boxed());
            }
        }
    }

    /// Goes on with them for as long as it is polled. Dropping the call loses nothing.
    pub(super) async fn run(&mut self) -> Infallible {
        while let Some(id) = self.under_way.next().await {
            self.busy.remove(&id);
            if self.wanted.contains_key(&id) {
                self.waiting.push_back(id);
            }
            self.fill();
        }
        std::future::pending().await
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use tokio::sync::Semaphore;

    use super::*;

    /// Each errand notes its beginning and waits for a permit.
    fn noted(at_once: usize) -> (Errands<'static>, Arc<Mutex<Vec<String>>>, Arc<Semaphore>) {
        let begun = Arc::new(Mutex::new(Vec::new()));
        let permits = Arc::new(Semaphore::new(0));
        let errands = Errands::new(at_once, {
            let (begun, permits) = (begun.clone(), permits.clone());
            move |id, errand| {
                let (begun, permits) = (begun.clone(), permits.clone());
                async move {
                    begun.lock().unwrap().push(format!("{id} {errand:?}"));
                    permits.acquire().await.unwrap().forget();
                }
                .boxed()
            }
        });
        (errands, begun, permits)
    }

    async fn go_on(errands: &mut Errands<'_>) {
        let until_idle = std::time::Duration::from_millis(1);
        let _ = tokio::time::timeout(until_idle, errands.run()).await;
    }

    fn id(id: &str) -> AgentId {
        AgentId::new(id).unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn so_many_are_under_way_at_once_and_no_more() {
        let (mut errands, begun, permits) = noted(2);
        for name in ["a", "b", "c", "a"] {
            errands.add(id(name), Errand::Ask);
        }
        go_on(&mut errands).await;
        assert_eq!(*begun.lock().unwrap(), ["a Ask", "b Ask"]);
        permits.add_permits(1);
        go_on(&mut errands).await;
        assert_eq!(*begun.lock().unwrap(), ["a Ask", "b Ask", "c Ask"]);
    }

    #[tokio::test(start_paused = true)]
    async fn about_one_agent_one_follows_the_other_and_the_latest_is_enough() {
        let (mut errands, begun, permits) = noted(8);
        errands.add(id("a"), Errand::Ask);
        go_on(&mut errands).await;
        for errand in [Errand::Gone(7), Errand::Ask, Errand::Gone(8)] {
            errands.add(id("a"), errand);
        }
        go_on(&mut errands).await;
        assert_eq!(*begun.lock().unwrap(), ["a Ask"]);
        permits.add_permits(2);
        go_on(&mut errands).await;
        assert_eq!(*begun.lock().unwrap(), ["a Ask", "a Gone(8)"]);
    }
}
