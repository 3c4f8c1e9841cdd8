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
/// events are kept. It does not keep the coordinator alive.
pub struct Events {
    stream: BoxStream<'static, Result<Event>>,
    lost: bool,
}

impl Events {
    pub(super) async fn follow(clerk: Clerk, after: Option<EventId>) -> Result<Self> {
        let latest = clerk.news().latest.subscribe();
        let (after, lost) = clerk
            .call(move |desk, _| {
                let after = after.unwrap_or(desk.latest());
                Ok((after, desk.has_lost(after)))
            })
            .await?;
        let place = Place {
            clerk: clerk.downgrade(),
            latest,
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

    /// Whether events between the one asked for and the first that comes have been thrown away.
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
            if self
                .latest
                .wait_for(|latest| *latest > after)
                .await
                .is_err()
            {
                return Ok(None);
            }
            let Some(clerk) = self.clerk.upgrade() else {
                return Ok(None);
            };
            let events = clerk.call(move |desk, _| desk.events_after(after, BATCH));
            self.read = events.await?.into();
        }
    }
}
