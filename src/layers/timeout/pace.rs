//! Time limits on what flows: not how long it takes in all, but how long nothing comes.

use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;
use std::time::Duration;

use alveary_core::{AgentId, Error, ErrorKind, Operation, Result, TarStream};
use futures_util::{StreamExt, stream};
use tokio::time::{Instant, sleep_until, timeout};

use super::shown;

/// An archive that ends with an error when the engine is silent for longer than this while somebody reads.
pub(super) fn never_silent(archive: TarStream, limit: Duration, id: &AgentId) -> TarStream {
    let state = Some((archive, id.clone()));
    TarStream::new(stream::unfold(state, move |state| async move {
        let (mut archive, id) = state?;
        match timeout(limit, archive.next()).await {
            Ok(piece) => Some((piece?, Some((archive, id)))),
            Err(_) => {
                let silent = Error::new(
                    ErrorKind::Timeout,
                    Operation::GetFiles,
                    format!("the engine was silent for {}", shown(limit)),
                )
                .with_agent(&id)
                .with_cure("see that the engine answers, and copy them again");
                Some((Err(silent), None))
            }
        }
    }))
}

/// When an engine took the last piece of what it is given.
#[derive(Clone)]
pub(super) struct Pace(Arc<Mutex<Taken>>);

enum Taken {
    /// It has something to do since then.
    Busy(Instant),
    /// It waits for the next piece, which is not its fault.
    Waiting,
}

/// An archive, and how fast it is taken.
pub(super) fn watched(mut archive: TarStream) -> (TarStream, Pace) {
    let pace = Pace(Arc::new(Mutex::new(Taken::Busy(Instant::now()))));
    let noted = pace.clone();
    let watched = stream::poll_fn(move |cx| {
        let piece = archive.poll_next_unpin(cx);
        noted.note(match piece {
            Poll::Ready(_) => Taken::Busy(Instant::now()),
            Poll::Pending => Taken::Waiting,
        });
        piece
    });
    (TarStream::new(watched), pace)
}

impl Pace {
    fn note(&self, taken: Taken) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = taken;
    }

    /// When it has been busy with one piece for too long, as things stand.
    fn deadline(&self, limit: Duration) -> Instant {
        match *self.0.lock().unwrap_or_else(PoisonError::into_inner) {
            Taken::Busy(since) => since + limit,
            Taken::Waiting => Instant::now() + limit,
        }
    }

    /// `None`: nothing was taken for longer than the limit.
    pub(super) async fn limit<T>(
        &self,
        limit: Duration,
        call: impl Future<Output = Result<T>>,
    ) -> Option<Result<T>> {
        let mut call = pin!(call);
        loop {
            let deadline = self.deadline(limit);
            tokio::select! {
                biased;
                answer = &mut call => return Some(answer),
                () = sleep_until(deadline) => {
                    if self.deadline(limit) <= Instant::now() {
                        return None;
                    }
                }
            }
        }
    }
}
