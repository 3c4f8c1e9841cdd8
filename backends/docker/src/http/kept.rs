//! Connections that were dear to make, kept for a while for who comes next.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hyper::client::conn::http1::SendRequest;
use tokio::sync::{Notify, Semaphore, SemaphorePermit};
use tokio::time::Instant;

use super::{Inner, Sent};

/// For how long one is kept that nobody uses.
const IDLE: Duration = Duration::from_secs(20);

/// So many are made at once: a server of ssh turns away who comes with ten others that are not logged in yet.
const AT_ONCE: usize = 4;

/// Those that bear nothing at this moment, the one that did last at the end.
pub(super) struct Kept {
    idle: Mutex<Vec<(Instant, SendRequest<Sent>)>>,
    /// One more is there.
    back: Notify,
    making: Semaphore,
}

impl Default for Kept {
    fn default() -> Self {
        Self {
            idle: Mutex::default(),
            back: Notify::new(),
            making: Semaphore::new(AT_ONCE),
        }
    }
}

impl Kept {
    fn idle(&self) -> MutexGuard<'_, Vec<(Instant, SendRequest<Sent>)>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self) -> Option<SendRequest<Sent>> {
        let mut idle = self.idle();
        while let Some((_, kept)) = idle.pop() {
            if kept.is_ready() {
                return Some(kept);
            }
        }
        None
    }

    /// One that is there, or comes back while others are made; else the turn to make one.
    pub(super) async fn one_or_turn(
        &self,
    ) -> Result<SendRequest<Sent>, Option<SemaphorePermit<'_>>> {
        loop {
            if let Some(kept) = self.take() {
                return Ok(kept);
            }
            tokio::select! {
                biased;
                () = self.back.notified() => {}
                // Nobody ever closes it.
                turn = self.making.acquire() => {
                    return self.take().ok_or(turn.ok());
                }
            }
        }
    }

    /// Keeps it as soon as its answer was read to the end; one whose answer was not is of no further use.
    pub(super) fn keep(of: &Arc<Inner>, mut sender: SendRequest<Sent>) {
        // Kept or not, it does not outlive who could use it.
        let of = Arc::downgrade(of);
        tokio::spawn(async move {
            if sender.ready().await.is_err() {
                return;
            }
            let Some(inner) = of.upgrade() else { return };
            inner.kept.idle().push((Instant::now(), sender));
            inner.kept.back.notify_one();
            drop(inner);
            tokio::time::sleep(IDLE).await;
            if let Some(inner) = of.upgrade() {
                inner
                    .kept
                    .idle()
                    .retain(|(since, _)| since.elapsed() < IDLE);
            }
        });
    }
}
