//! One connection to a keeper, shared by all who ask.

use std::collections::HashMap;
use std::io;
use std::os::fd::BorrowedFd;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::StreamExt;
use tokio::net::UnixStream;
use tokio::sync::{mpsc, oneshot};
use tokio_util::codec::FramedRead;
use tokio_util::task::AbortOnDropHandle;

use crate::wire::{self, Answer, Event, Outbox, Request, codec, decode_answer, encode};

/// Events that wait for a listener here; the keeper holds more, and says when it had to drop some.
const EVENTS: usize = 256;

#[derive(Debug)]
pub(super) struct Connection {
    outbox: Outbox,
    waiting: Waiting,
    next: AtomicU64,
    reading: AbortOnDropHandle<()>,
}

/// Those who wait for an answer, by its number. `None`: the connection is closed.
type Waiting = Arc<Mutex<Option<HashMap<u64, Waiter>>>>;

#[derive(Debug)]
enum Waiter {
    One(oneshot::Sender<Answer>),
    Events(mpsc::Sender<Event>, Option<oneshot::Sender<Answer>>),
}

impl Connection {
    pub(super) fn new(stream: UnixStream) -> io::Result<Self> {
        let (inward, outbox) = wire::open(stream)?;
        let mut answers = FramedRead::new(inward, codec());
        let waiting: Waiting = Arc::new(Mutex::new(Some(HashMap::new())));
        let reading = tokio::spawn({
            let waiting = Arc::clone(&waiting);
            async move {
                while let Some(Ok(frame)) = answers.next().await {
                    let answer = decode_answer(&frame);
                    deliver(&waiting, answer.n, answer.body).await;
                }
                // Whoever still waits learns that nothing will come.
                *lock(&waiting) = None;
            }
        });
        Ok(Self {
            outbox,
            waiting,
            next: AtomicU64::new(1),
            reading: AbortOnDropHandle::new(reading),
        })
    }

    pub(super) fn is_open(&self) -> bool {
        // The tasks may have ended with the runtime that they ran on.
        lock(&self.waiting).is_some() && !self.reading.is_finished() && self.outbox.is_open()
    }

    pub(super) async fn ask(&self, request: Request) -> io::Result<Answer> {
        let (sender, answer) = oneshot::channel();
        self.send(request, Waiter::One(sender))?;
        answer.await.map_err(|_| closed())
    }

    /// Hands over descriptors that the keeper waits for.
    pub(super) async fn send_descriptors(&self, descriptors: &[BorrowedFd<'_>]) -> io::Result<()> {
        self.outbox.send_descriptors(descriptors).await
    }

    /// What the keeper answers, and the events from then on.
    pub(super) async fn events(&self) -> io::Result<(Answer, mpsc::Receiver<Event>)> {
        let (sender, events) = mpsc::channel(EVENTS);
        let (subscribed, answer) = oneshot::channel();
        self.send(Request::Events, Waiter::Events(sender, Some(subscribed)))?;
        Ok((answer.await.map_err(|_| closed())?, events))
    }

    fn send(&self, request: Request, waiter: Waiter) -> io::Result<()> {
        let n = self.next.fetch_add(1, Ordering::Relaxed);
        let frame = encode(n, request)?;
        lock(&self.waiting)
            .as_mut()
            .ok_or_else(closed)?
            .insert(n, waiter);
        self.outbox.send(frame)
    }
}

async fn deliver(waiting: &Waiting, n: u64, answer: Answer) {
    let events = {
        let mut waiting = lock(waiting);
        let Some(waiting) = waiting.as_mut() else {
            return;
        };
        match (waiting.get_mut(&n), &answer) {
            (Some(Waiter::Events(_, subscribed @ Some(_))), _) => {
                if let Some(subscribed) = subscribed.take() {
                    // Nobody waits any more for what he asked: that is his to decide.
                    let _gone = subscribed.send(answer);
                }
                return;
            }
            (Some(Waiter::Events(events, None)), _) => Some(events.clone()),
            (Some(Waiter::One(_)), _) => None,
            (None, _) => return,
        }
    };
    match (events, answer) {
        (Some(events), answer) => {
            // What happened cannot be understood: a new list tells what came of it.
            let event = match answer {
                Answer::Event(event) => event,
                _ => Event::Lagged,
            };
            if events.send(event).await.is_err() {
                drop(
                    lock(waiting)
                        .as_mut()
                        .and_then(|waiting| waiting.remove(&n)),
                );
            }
        }
        (None, answer) => {
            let waiter = lock(waiting)
                .as_mut()
                .and_then(|waiting| waiting.remove(&n));
            if let Some(Waiter::One(waiter)) = waiter {
                let _gone = waiter.send(answer);
            }
        }
    }
}

fn closed() -> io::Error {
    io::Error::new(
        io::ErrorKind::BrokenPipe,
        "the connection to the keeper is closed",
    )
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
