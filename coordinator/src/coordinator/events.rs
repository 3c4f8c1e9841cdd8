//! What happens, as a stream.

use std::collections::VecDeque;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use alveary_agent::protocol::{Event, EventId};
use futures_core::Stream;
use futures_util::stream::{self, BoxStream};
use tokio::sync::watch;

use crate::clerk::{Clerk, WeakClerk};
use crate::error::Result;

/// How many events are read at once.
const BATCH: u32 = 256;

/// What happens, in order and without a gap, until the coordinator ends or an event cannot be read.
///
/// It is read from the book as fast as it is taken: who is slow misses nothing and holds nobody up, as long as the
/// events are kept. Each event's number is the one before and one; where it is not, those between were thrown away.
/// It does not keep the coordinator alive.
pub struct Events {
    stream: BoxStream<'static, Result<Event>>,
    lost: bool,
}

impl Events {
    pub(super) async fn follow(clerk: Clerk, after: Option<EventId>) -> Result<Self> {
        let latest = clerk.news().latest.subscribe();
        let (after, lost) = clerk.look(move |desk, _| Ok(desk.place(after))).await?;
        let place = Place {
            clerk: clerk.downgrade(),
            latest,
            ended: clerk.news().ended.subscribe(),
            after,
            read: VecDeque::new(),
        };
        let stream = stream::try_unfold(place, async |mut place| {
            let next = place.next().await?;
            Ok(next.map(|event| (event, place)))
        });
        Ok(Self {
            stream: Box::pin(stream),
            lost,
        })
    }

    /// Whether events between the one asked for and the first that comes have been thrown away, or the one asked for
    /// is of another book.
    pub fn has_lost(&self) -> bool {
        self.lost
    }
}

impl Stream for Events {
    type Item = Result<Event>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.stream.as_mut().poll_next(cx)
    }
}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Events")
            .field("lost", &self.lost)
            .finish_non_exhaustive()
    }
}

/// Where somebody is in the book.
struct Place {
    clerk: WeakClerk,
    latest: watch::Receiver<EventId>,
    ended: watch::Receiver<bool>,
    after: EventId,
    read: VecDeque<Event>,
}

impl Place {
    /// The next event, when there is one; `None` when there will be none.
    async fn next(&mut self) -> Result<Option<Event>> {
        loop {
            if let Some(event) = self.read.pop_front() {
                self.after = event.id;
                return Ok(Some(event));
            }
            let after = self.after;
            let news = tokio::select! {
                news = self.latest.wait_for(|latest| *latest > after) => news.is_ok(),
                _ = self.ended.wait_for(|ended| *ended) => false,
            };
            let clerk = self
                .clerk
                .upgrade()
                .filter(|clerk| news && !clerk.has_ended());
            let Some(clerk) = clerk else {
                return Ok(None);
            };
            let events = clerk.look(move |desk, _| desk.events_after(after, BATCH));
            match events.await {
                Ok(events) => self.read = events.into(),
                Err(_) if clerk.has_ended() => return Ok(None),
                Err(error) => return Err(error),
            }
        }
    }
}
