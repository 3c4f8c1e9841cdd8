//! What was asked and answered, for tests to look at and to wait for.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;
use tokio::time::Instant;

use super::head::RequestHead;
use super::rule::{Method, Pattern};

/// How many requests are remembered: the oldest are forgotten first.
const MOST: usize = 50_000;
/// How much of a path or a query is remembered.
const LONGEST: usize = 4 << 10;

/// A request that the proxy has seen.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Seen {
    /// `GET`, `POST`, …
    pub method: String,
    /// Without the version of the API, and without the query.
    pub path: String,
    /// What follows the `?`, as it was sent.
    pub query: String,
    /// When its head was there.
    pub at: std::time::Instant,
    /// The status of the engine's answer, once there is one, whether or not the client is told.
    pub answered: Option<u16>,
    /// Whether nothing more comes of it: its answer was passed back, or broke off, or nobody waits for it.
    pub over: bool,
}

/// Which of the requests that were seen.
#[derive(Debug, Clone, Copy)]
pub(super) struct Number(u64);

#[derive(Debug, Default)]
pub(super) struct Record {
    requests: Mutex<Requests>,
    changed: watch::Sender<()>,
}

#[derive(Debug, Default)]
struct Requests {
    kept: VecDeque<Seen>,
    forgotten: u64,
}

impl Record {
    fn requests(&self) -> MutexGuard<'_, Requests> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn arrived(&self, head: &RequestHead) -> Number {
        let cut = |text: &str| text.chars().take(LONGEST).collect();
        let seen = Seen {
            method: head.method.clone(),
            path: cut(&head.path),
            query: cut(&head.query),
            at: Instant::now().into_std(),
            answered: None,
            over: false,
        };
        let mut requests = self.requests();
        if requests.kept.len() == MOST {
            requests.kept.pop_front();
            requests.forgotten += 1;
        }
        requests.kept.push_back(seen);
        let number = requests.forgotten + requests.kept.len() as u64 - 1;
        drop(requests);
        self.changed.send_replace(());
        Number(number)
    }

    pub(super) fn answered(&self, number: Number, status: u16) {
        self.change(number, |seen| seen.answered = Some(status));
    }

    pub(super) fn over(&self, number: Number) {
        self.change(number, |seen| seen.over = true);
    }

    fn change(&self, number: Number, change: impl FnOnce(&mut Seen)) {
        let mut requests = self.requests();
        let at = number.0.checked_sub(requests.forgotten);
        let at = at.and_then(|at| usize::try_from(at).ok());
        if let Some(seen) = at.and_then(|at| requests.kept.get_mut(at)) {
            change(seen);
        }
        drop(requests);
        self.changed.send_replace(());
    }

    pub(super) fn seen(&self, method: Method, pattern: &Pattern) -> Vec<Seen> {
        let requests = self.requests();
        let meant = |seen: &&Seen| method.is(&seen.method) && pattern.matches(&seen.path);
        requests.kept.iter().filter(meant).cloned().collect()
    }

    /// The `nth` request, counted from 1, of those meant that are also `ready`.
    pub(super) async fn nth(
        &self,
        method: Method,
        pattern: &Pattern,
        nth: usize,
        ready: impl Fn(&Seen) -> bool,
    ) -> Seen {
        let mut changed = self.changed.subscribe();
        loop {
            let mut meant = self.seen(method, pattern).into_iter().filter(&ready);
            if let Some(seen) = meant.nth(nth.saturating_sub(1)) {
                return seen;
            }
            // The sender is here.
            let _ = changed.changed().await;
        }
    }
}
