//! What is polled for an agent: counted in time, and held still while the agent is paused.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

/// The motion of one agent: its program, and whatever runs beside it.
#[derive(Default)]
pub(super) struct Motion {
    state: Mutex<State>,
    /// Nothing is being polled any more, or everything may be again.
    turned: Notify,
}

#[derive(Default)]
struct State {
    paused: bool,
    /// How many polls are under way now.
    polling: usize,
    /// Whom to wake when it goes on.
    held: Vec<Waker>,
    used: Duration,
}

impl Motion {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How much time all polls have taken up to now.
    pub(super) fn used(&self) -> Duration {
        self.state().used
    }

    pub(super) fn is_paused(&self) -> bool {
        self.state().paused
    }

    /// Lets nothing be polled from now on. Whether that is a change.
    pub(super) fn pause(&self) -> bool {
        !std::mem::replace(&mut self.state().paused, true)
    }

    /// Lets everything be polled again. Whether that is a change.
    pub(super) fn resume(&self) -> bool {
        let mut state = self.state();
        let was = std::mem::take(&mut state.paused);
        let held = std::mem::take(&mut state.held);
        drop(state);
        held.into_iter().for_each(Waker::wake);
        self.turned.notify_waiters();
        was
    }

    /// Waits until no poll is under way, or it goes on.
    pub(super) async fn still(&self) {
        loop {
            let mut turned = pin!(self.turned.notified());
            // Listening before looking: a turn between the two is not missed.
            turned.as_mut().enable();
            if self.is_settled() {
                return;
            }
            turned.await;
        }
    }

    fn is_settled(&self) -> bool {
        let state = self.state();
        state.polling == 0 || !state.paused
    }

    /// Runs something of the agent's.
    pub(super) async fn run<T>(&self, future: impl Future<Output = T>) -> T {
        let mut future = pin!(future);
        poll_fn(|cx| {
            let mut state = self.state();
            if state.paused {
                if !state.held.iter().any(|held| held.will_wake(cx.waker())) {
                    state.held.push(cx.waker().clone());
                }
                return Poll::Pending;
            }
            state.polling += 1;
            drop(state);
            let _polled = Polled {
                motion: self,
                since: Instant::now(),
            };
            future.as_mut().poll(cx)
        })
        .await
    }
}

/// One poll that is under way. It ends also where the program panics.
struct Polled<'a> {
    motion: &'a Motion,
    since: Instant,
}

impl Drop for Polled<'_> {
    fn drop(&mut self) {
        let mut state = self.motion.state();
        state.used += self.since.elapsed();
        state.polling -= 1;
        let still = state.paused && state.polling == 0;
        drop(state);
        if still {
            self.motion.turned.notify_waiters();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[tokio::test]
    async fn what_is_paused_is_not_polled_and_goes_on_where_it_was() {
        let (motion, polls) = (Arc::new(Motion::default()), Arc::new(AtomicUsize::new(0)));
        let running = {
            let (motion, polls) = (motion.clone(), polls.clone());
            tokio::spawn(async move {
                let counting = async {
                    while polls.fetch_add(1, Ordering::Relaxed) < 1000 {
                        tokio::task::yield_now().await;
                    }
                };
                motion.run(counting).await;
            })
        };
        tokio::task::yield_now().await;
        assert!(motion.pause());
        motion.still().await;
        let held_at = polls.load(Ordering::Relaxed);
        assert!(held_at > 0);
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
        assert_eq!(polls.load(Ordering::Relaxed), held_at);
        assert!(motion.resume());
        running.await.unwrap();
        assert!(motion.used() > Duration::ZERO);
    }

    #[tokio::test]
    async fn what_pauses_itself_goes_on_when_another_has_it_go_on() {
        let motion = Arc::new(Motion::default());
        let itself = {
            let motion = motion.clone();
            tokio::spawn(async move {
                let pausing = async {
                    motion.pause();
                    motion.still().await;
                };
                motion.run(pausing).await;
            })
        };
        while !motion.is_paused() {
            tokio::task::yield_now().await;
        }
        assert!(!itself.is_finished());
        motion.resume();
        itself.await.unwrap();
    }
}
