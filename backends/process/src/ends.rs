//! Telling those who follow an agent's output that it may have ended: one stream of events for all of them,
//! since a keeper that told each of a thousand what happens to every other would do nothing else.

use std::collections::HashMap;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use alveary_core::{AgentEvent, AgentId, EventStream, Result};
use futures_util::StreamExt;
use tokio::sync::Notify;
use tokio_util::task::AbortOnDropHandle;

/// Events that break off are not asked for again sooner than this, so that a keeper that is gone is not
/// besieged.
const PAUSE: Duration = Duration::from_millis(100);

/// Where followers ask to be told.
#[derive(Debug, Default)]
pub(crate) struct Ends(Mutex<Option<Listening>>);

#[derive(Debug)]
struct Listening {
    followers: Followers,
    task: AbortOnDropHandle<()>,
}

type Followers = Arc<Mutex<HashMap<AgentId, Vec<Weak<Notify>>>>>;

impl Ends {
    /// Wakes the returned follower, once, when the agent may have ended, when events may have been missed, and
    /// when they begin or end to be heard. It then looks for itself, and asks again if it is to be woken again.
    ///
    /// Needs a tokio runtime around it, on which `subscribe` runs if nobody listens yet.
    pub(crate) fn follow<F>(&self, id: &AgentId, subscribe: impl FnOnce() -> F) -> Arc<Notify>
    where
        F: Future<Output = Result<EventStream>> + Send + 'static,
    {
        let mut listening = lock(&self.0);
        // The events may have ended, and the runtime that listened to them too.
        let listening = match &mut *listening {
            Some(listening) if !listening.task.is_finished() => listening,
            over => over.insert(Listening::start(subscribe())),
        };
        let follower = Arc::new(Notify::new());
        let mut followers = lock(&listening.followers);
        let of_agent = followers.entry(id.clone()).or_default();
        of_agent.retain(|follower| follower.strong_count() > 0);
        of_agent.push(Arc::downgrade(&follower));
        follower
    }
}

impl Listening {
    fn start(subscribe: impl Future<Output = Result<EventStream>> + Send + 'static) -> Self {
        let followers = Followers::default();
        let task = tokio::spawn({
            let followers = Arc::clone(&followers);
            async move {
                // Why nothing can be heard they learn when they look.
                if let Ok(mut events) = subscribe.await {
                    wake_all(&followers);
                    while let Some(Ok(event)) = events.next().await {
                        match event {
                            AgentEvent::Changed(info) if info.state.has_ended() => {
                                wake(&followers, &info.id);
                            }
                            AgentEvent::Removed { id, .. } => wake(&followers, &id),
                            AgentEvent::Lagged => wake_all(&followers),
                            _ => {}
                        }
                    }
                }
                tokio::time::sleep(PAUSE).await;
                wake_all(&followers);
            }
        });
        Self {
            followers,
            task: AbortOnDropHandle::new(task),
        }
    }
}

fn wake(followers: &Followers, id: &AgentId) {
    let of_agent = lock(followers).remove(id);
    for follower in of_agent.iter().flatten().filter_map(Weak::upgrade) {
        follower.notify_one();
    }
}

fn wake_all(followers: &Followers) {
    for follower in lock(followers).values().flatten().filter_map(Weak::upgrade) {
        follower.notify_one();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
