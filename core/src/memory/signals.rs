//! The signals that an agent has been sent and has not taken yet.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use tokio::sync::Notify;

use crate::signal::Signal;

/// Of signals that nobody takes, this many are kept.
const KEPT: usize = 64;

#[derive(Default)]
pub(super) struct PendingSignals {
    queue: Mutex<VecDeque<Signal>>,
    sent: Notify,
}

impl PendingSignals {
    pub(super) fn send(&self, signal: Signal) {
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        if queue.len() < KEPT {
            queue.push_back(signal);
        }
        drop(queue);
        self.sent.notify_one();
    }

    pub(super) async fn next(&self) -> Signal {
        loop {
            // A permit that is left over from a signal already taken only makes us look once more.
            let queued = self
                .queue
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .pop_front();
            match queued {
                Some(signal) => return signal,
                None => self.sent.notified().await,
            }
        }
    }
}
