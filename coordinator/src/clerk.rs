//! The thread that the desk belongs to, and the way to it.
//!
//! SQLite is asked by one thread, one turn after the other: nobody waits for a lock on the file, and no turn ever
//! sees half of another. The turns that wait together share one transaction, so that many who write at once pay for
//! one commit. Each can fail alone, and nobody is answered before the commit.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::thread;

use alveary_agent::protocol::{EventId, Happening, Timestamp};
use alveary_core::AgentId;
use tokio::sync::futures::Notified;
use tokio::sync::{Notify, mpsc, oneshot, watch};
use tokio::time::Instant;

use crate::desk::{Desk, Moment, Turn};
use crate::error::{Error, Result};
use crate::settings::{Settings, ShowClock};
use crate::store::{Database, Store};

/// How many turns may wait. Who comes then waits to be let in.
const WAITING: usize = 1024;

/// How many of them share a transaction at most: the first is not kept waiting by an endless row of others.
const TOGETHER: usize = 256;

/// Takes a turn, and leaves what is to be done when the file has kept it, or has not.
type Act = Box<dyn FnOnce(&mut Desk) -> Answer + Send>;
type Answer = Box<dyn FnOnce(&mut Desk, Result<()>) + Send>;
type Look = Box<dyn FnOnce(&Desk) + Send>;

enum Call {
    /// Changes something.
    Turn(Act),
    /// Changes nothing. It is taken between the transactions: nobody is told what may yet be undone.
    Look(Look),
    End,
}

/// The way to the desk.
#[derive(Clone)]
pub(crate) struct Clerk {
    calls: mpsc::Sender<Call>,
    news: Arc<News>,
    clock: ShowClock,
}

/// The way to the desk of somebody who does not keep it open.
pub(crate) struct WeakClerk {
    calls: mpsc::WeakSender<Call>,
    news: Weak<News>,
    clock: ShowClock,
}

/// What has become known, for those who wait for it.
#[derive(Debug)]
pub(crate) struct News {
    /// The last event.
    pub(crate) latest: watch::Sender<EventId>,
    /// The last event by which an auction opened.
    pub(crate) opened: watch::Sender<EventId>,
    /// When something is next due.
    pub(crate) due: watch::Sender<Option<Instant>>,
    /// For each agent that waits: that it has won something.
    won: Mutex<HashMap<AgentId, Arc<Notify>>>,
    /// Whether the desk is closed.
    pub(crate) ended: watch::Sender<bool>,
}

/// What an agent waits on. Nothing is left of it when nobody waits any more.
#[derive(Debug)]
pub(crate) struct Won {
    notify: Arc<Notify>,
    agent: AgentId,
    news: Arc<News>,
}

impl Won {
    /// Something is won from now on.
    pub(crate) fn notified(&self) -> Notified<'_> {
        self.notify.notified()
    }
}

impl Drop for Won {
    fn drop(&mut self) {
        let mut waiting = self.news.waiting();
        // Ours and the one in the list: nobody else can get one without the lock.
        if Arc::strong_count(&self.notify) == 2 {
            waiting.remove(&self.agent);
        }
    }
}

/// Says that the desk is gone, whatever ended its thread: who waits for the end is not left waiting.
struct Ends(Arc<News>);

impl Drop for Ends {
    fn drop(&mut self) {
        self.0.ended.send_replace(true);
    }
}

impl News {
    /// Those who wait for what they win.
    fn waiting(&self) -> MutexGuard<'_, HashMap<AgentId, Arc<Notify>>> {
        self.won.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until the desk is closed.
    pub(crate) async fn ended(&self) {
        // The sender is ours: waiting cannot fail.
        let _ = self.ended.subscribe().wait_for(|ended| *ended).await;
    }

    fn publish(&self, desk: &mut Desk) {
        let events = desk.take_events();
        let mut opened = None;
        for event in &events {
            match &event.what {
                Happening::AuctionOpened { .. } => opened = Some(event.id),
                Happening::Assigned { agent, .. } => {
                    if let Some(waiting) = self.waiting().get(agent) {
                        waiting.notify_waiters();
                    }
                }
                _ => {}
            }
        }
        if let Some(opened) = opened {
            self.opened.send_replace(opened);
        }
        if !events.is_empty() {
            self.latest.send_replace(desk.latest());
        }
        let due = desk.next_due();
        self.due
            .send_if_modified(|known| std::mem::replace(known, due) != due);
    }
}

impl Clerk {
    /// Opens the book, on a thread of its own, which ends when all ways to it are dropped.
    pub(crate) async fn start(database: Database, settings: Settings) -> Result<Self> {
        let clock = settings.clock.clone();
        let (calls, queue) = mpsc::channel(WAITING);
        let (ready, opened) = oneshot::channel();
        let at = moment(&clock);
        let news = Arc::new(News {
            latest: watch::Sender::default(),
            opened: watch::Sender::default(),
            due: watch::Sender::default(),
            won: Mutex::default(),
            ended: watch::Sender::new(false),
        });
        let published = Ends(Arc::clone(&news));
        thread::Builder::new()
            .name("coordinator".to_owned())
            .spawn(move || {
                let Ends(published) = &published;
                let opened =
                    Store::open(&database).and_then(|store| Desk::open(store, settings, at));
                match opened {
                    Ok(mut desk) => {
                        published.publish(&mut desk);
                        published.latest.send_replace(desk.latest());
                        if ready.send(Ok(())).is_ok() {
                            serve(desk, queue, published);
                        }
                    }
                    Err(error) => {
                        // Nobody hears it who does not wait for it.
                        let _ = ready.send(Err(error));
                    }
                }
            })
            .map_err(|error| {
                Error::new(
                    alveary_agent::protocol::ProblemKind::Unavailable,
                    format!("the coordinator's thread cannot be started: {error}"),
                )
                .with_cure("let this user have more processes")
                .with_source(error)
            })?;
        opened.await.map_err(|_| Error::ended())??;
        Ok(Self { calls, news, clock })
    }

    /// Takes a turn at the desk. A dropped call may have had its effect or not.
    pub(crate) async fn turn<T: Send + 'static>(
        &self,
        act: impl FnOnce(&mut Turn<'_>) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.turn_and(act, |_, _| Ok(())).await
    }

    /// The same; `undo` is another turn, which puts right what was done for a caller who is gone before it has its
    /// answer.
    pub(crate) async fn turn_and<T: Send + 'static>(
        &self,
        act: impl FnOnce(&mut Turn<'_>) -> Result<T> + Send + 'static,
        undo: impl FnOnce(&mut Turn<'_>, T) -> Result<()> + Send + 'static,
    ) -> Result<T> {
        let at = moment(&self.clock);
        let (answer, answered) = oneshot::channel();
        let act = move |desk: &mut Desk| -> Answer {
            let outcome = desk.turn(at, act);
            Box::new(move |desk, kept| {
                // A refusal, too, may rest on what was not kept.
                if let Err(Ok(value)) = answer.send(kept.and(outcome))
                    && let Err(error) = desk.turn(at, |turn| undo(turn, value))
                {
                    tracing::warn!("what was done for a caller who is gone stands: {error}");
                }
            })
        };
        let call = Call::Turn(Box::new(act));
        self.calls.send(call).await.map_err(|_| Error::ended())?;
        answered.await.map_err(|_| Error::ended())?
    }

    /// Takes a turn for which nobody waits. Where too many wait already it is left out.
    pub(crate) fn tell(&self, act: impl FnOnce(&mut Turn<'_>) -> Result<()> + Send + 'static) {
        let at = moment(&self.clock);
        let act = move |desk: &mut Desk| -> Answer {
            let outcome = desk.turn(at, act);
            Box::new(move |_, kept| {
                if let Err(error) = kept.and(outcome) {
                    tracing::warn!("a sign of life was lost: {error}");
                }
            })
        };
        if let Err(error) = self.calls.try_send(Call::Turn(Box::new(act))) {
            tracing::debug!("a sign of life was left out: {error}");
        }
    }

    /// Looks at what is there. What was told to anybody before is in it.
    pub(crate) async fn look<T: Send + 'static>(
        &self,
        look: impl FnOnce(&Desk, Moment) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let at = moment(&self.clock);
        let (answer, answered) = oneshot::channel();
        let look = move |desk: &Desk| {
            // Who is gone does not want to know.
            let _ = answer.send(look(desk, at));
        };
        let call = Call::Look(Box::new(look));
        self.calls.send(call).await.map_err(|_| Error::ended())?;
        answered.await.map_err(|_| Error::ended())?
    }

    /// What an agent waits on for its next task.
    pub(crate) fn won(&self, agent: &AgentId) -> Won {
        let mut waiting = self.news.waiting();
        Won {
            notify: Arc::clone(waiting.entry(agent.clone()).or_default()),
            agent: agent.clone(),
            news: Arc::clone(&self.news),
        }
    }

    pub(crate) fn news(&self) -> &News {
        &self.news
    }

    pub(crate) fn downgrade(&self) -> WeakClerk {
        WeakClerk {
            calls: self.calls.downgrade(),
            news: Arc::downgrade(&self.news),
            clock: self.clock.clone(),
        }
    }

    /// Whether the desk is closed.
    pub(crate) fn has_ended(&self) -> bool {
        *self.news.ended.borrow()
    }

    /// Ends the thread after the turns that wait already, and waits until the file is closed.
    pub(crate) async fn end(&self) {
        // Where it cannot be told it has ended, or is about to.
        let _ = self.calls.send(Call::End).await;
        self.news.ended().await;
    }
}

impl WeakClerk {
    /// The way to the desk, if anybody keeps it open.
    pub(crate) fn upgrade(&self) -> Option<Clerk> {
        Some(Clerk {
            calls: self.calls.upgrade()?,
            news: self.news.upgrade()?,
            clock: self.clock.clone(),
        })
    }
}

impl fmt::Debug for Clerk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Clerk").finish_non_exhaustive()
    }
}

fn moment(clock: &ShowClock) -> Moment {
    let since = clock
        .now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap_or_default();
    Moment {
        now: Instant::now(),
        shown: Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX)),
    }
}

fn serve(mut desk: Desk, mut queue: mpsc::Receiver<Call>, news: &News) {
    let (mut answers, mut looks) = (Vec::new(), Vec::new());
    let mut ends = false;
    while !ends && let Some(call) = queue.blocking_recv() {
        let mut next = Some(call);
        while let Some(call) = next {
            match call {
                Call::Turn(act) => answers.push(act(&mut desk)),
                Call::Look(look) => looks.push(look),
                Call::End => ends = true,
            }
            let full = answers.len() + looks.len() >= TOGETHER;
            let is_last = ends || full || desk.has_broken();
            next = if is_last { None } else { queue.try_recv().ok() };
        }
        let kept = desk.commit();
        for answer in answers.drain(..) {
            answer(&mut desk, kept.clone());
        }
        // There is something to commit again where somebody was gone.
        if let Err(error) = desk.commit() {
            tracing::warn!("what was done for callers who are gone stands: {error}");
        }
        if let Err(error) = desk.forget() {
            tracing::warn!("old events could not be thrown away: {error}");
        }
        news.publish(&mut desk);
        for look in looks.drain(..) {
            look(&desk);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_has_waited_leaves_nothing_behind() {
        let clerk = Clerk::start(Database::Memory, Settings::default());
        let clerk = clerk.await.unwrap();
        let id = AgentId::new("a").unwrap();
        let (one, another) = (clerk.won(&id), clerk.won(&id));
        drop(one);
        assert_eq!(clerk.news().waiting().len(), 1, "another waits still");
        drop(another);
        assert_eq!(clerk.news().waiting().len(), 0);
    }

    #[tokio::test]
    async fn a_desk_that_breaks_leaves_nobody_waiting() {
        let clerk = Clerk::start(Database::Memory, Settings::default());
        let clerk = clerk.await.unwrap();
        let broken = clerk.turn::<()>(|_| panic!("as a fault of ours would"));
        assert!(broken.await.is_err());
        clerk.end().await;
        assert!(clerk.has_ended());
        assert!(clerk.turn(|_| Ok(())).await.is_err());
    }
}
