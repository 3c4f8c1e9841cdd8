//! Subscribe, list, follow: one stream of state that converges on the truth.

mod listing;

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_core::Stream;
use futures_core::stream::BoxStream;
use futures_util::StreamExt;
use futures_util::future::{BoxFuture, FutureExt};
use futures_util::stream::FuturesUnordered;
use tokio::time::{Instant, sleep_until};

use crate::backend::AgentBackend;
use crate::error::{Error, ErrorKind, Operation, Result};
use crate::event::{AgentEvent, EventStream, Fetch};
use crate::id::AgentId;
use crate::info::AgentInfo;
use crate::options::{EventOptions, ListOptions};
use listing::{Reached, Told, merge};

/// Where more agents than these are in doubt at once, one list of all is cheaper.
const MOST_LOOKS: usize = 32;

/// How to watch.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct WatchOptions {
    /// How often everything is listed again, since engines lose events silently: the longest time for which
    /// the last word on an agent can be wrong.
    pub relist: Duration,
    /// The first pause after a lost stream; it doubles up to [`max_delay`](Self::max_delay), with jitter.
    pub delay: Duration,
    /// The longest pause.
    pub max_delay: Duration,
}

impl Default for WatchOptions {
    fn default() -> Self {
        Self {
            relist: Duration::from_secs(30),
            delay: Duration::from_millis(50),
            max_delay: Duration::from_secs(5),
        }
    }
}

impl WatchOptions {
    /// Sets how often everything is listed again.
    #[must_use]
    pub fn with_relist(mut self, relist: Duration) -> Self {
        self.relist = relist;
        self
    }

    /// Sets the first pause after a lost stream, and the longest.
    #[must_use]
    pub fn with_delay(mut self, first: Duration, longest: Duration) -> Self {
        self.delay = first;
        self.max_delay = longest;
        self
    }
}

/// What a [`Watch`] tells.
#[derive(Debug, Clone)]
#[non_exhaustive]
#[expect(
    clippy::large_enum_variant,
    reason = "nearly all events are of the large variant"
)]
pub enum WatchEvent {
    /// The whole truth: whoever is not in it is not there.
    Snapshot(Vec<AgentInfo>),
    /// One agent is now as told here.
    Changed(AgentInfo),
    /// One agent is no more.
    Gone(AgentId),
    /// What agents are made of is on its way.
    Fetching(Fetch),
    /// Nothing is known until the next snapshot, which is on its way.
    Lost(Error),
}

/// A swarm's state as a stream that never ends: a snapshot, then changes, then a snapshot again after each
/// loss and from time to time.
///
/// Within an incarnation an agent is never told to be less far than it was told before. Transitions may
/// coalesce. Dropping it harms nobody.
#[must_use = "a stream does nothing unless it is polled"]
pub struct Watch<'a>(BoxStream<'a, WatchEvent>);

impl<'a> Watch<'a> {
    pub(crate) fn new<B: AgentBackend + ?Sized>(backend: &'a B, options: WatchOptions) -> Self {
        let watcher = Watcher {
            backend,
            delay: options.delay,
            options,
            events: None,
            subscribe_at: Instant::now(),
            relist_at: Instant::now(),
            known: HashMap::new(),
            looks: FuturesUnordered::new(),
            looked_at: HashMap::new(),
            listing: None,
            ready: VecDeque::new(),
        };
        Self(Box::pin(futures_util::stream::unfold(
            watcher,
            |mut watcher| async move {
                let event = watcher.next().await;
                Some((event, watcher))
            },
        )))
    }
}

impl Stream for Watch<'_> {
    type Item = WatchEvent;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.as_mut().poll_next(cx)
    }
}

impl fmt::Debug for Watch<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Watch")
    }
}

struct Watcher<'a, B: ?Sized> {
    backend: &'a B,
    options: WatchOptions,
    /// `None`: not subscribed.
    events: Option<EventStream>,
    subscribe_at: Instant,
    relist_at: Instant,
    /// How far each agent was told to be.
    known: HashMap<AgentId, Reached>,
    /// The engine is being asked about these, beside the events: an answer that is long in coming holds up
    /// nobody else's news.
    looks: FuturesUnordered<BoxFuture<'a, (AgentId, Result<AgentInfo>)>>,
    /// Those it is asked about, and whether something has happened to them since it was asked.
    looked_at: HashMap<AgentId, bool>,
    /// Everybody is being listed again, beside the events.
    listing: Option<Listing<'a>>,
    ready: VecDeque<WatchEvent>,
    delay: Duration,
}

struct Listing<'a> {
    answer: BoxFuture<'a, Result<Vec<AgentInfo>>>,
    told: Told,
    /// Something has happened since that only another list can tell.
    again: bool,
}

/// Waits for the list that is under way, if one is.
async fn listed(listing: &mut Option<Listing<'_>>) -> Result<Vec<AgentInfo>> {
    match listing {
        Some(listing) => (&mut listing.answer).await,
        None => std::future::pending().await,
    }
}

impl<B: AgentBackend + ?Sized> Watcher<'_, B> {
    async fn next(&mut self) -> WatchEvent {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return event;
            }
            let Some(events) = &mut self.events else {
                sleep_until(self.subscribe_at).await;
                match self.backend.events(EventOptions::default()).await {
                    Ok(events) => {
                        self.events = Some(events);
                        // Nothing can be told before the first list: it is waited for.
                        let listed = self.backend.list(ListOptions::default()).await;
                        self.listed(listed);
                    }
                    Err(error) => self.lose(error),
                }
                continue;
            };
            tokio::select! {
                () = sleep_until(self.relist_at), if self.listing.is_none() => self.relist(),
                listed = listed(&mut self.listing) => self.listed(listed),
                Some((id, answer)) = self.looks.next() => self.looked(id, answer),
                event = events.next() => match event {
                    Some(Ok(event)) => self.take(event),
                    Some(Err(error)) => self.lose(error),
                    None => {
                        let error = Error::new(
                            ErrorKind::EngineUnavailable,
                            Operation::Events,
                            "the stream of events ended",
                        )
                        .with_cure("see whether the engine lives: it is listened to again");
                        self.lose(error);
                    }
                },
            }
        }
    }

    fn relist(&mut self) {
        self.listing = Some(Listing {
            answer: self.backend.list(ListOptions::default()),
            told: Told::new(),
            again: false,
        });
    }

    /// Only a list tells what has happened: one that begins now.
    fn list_soon(&mut self) {
        match &mut self.listing {
            Some(listing) => listing.again = true,
            None => self.relist_at = Instant::now(),
        }
    }

    fn listed(&mut self, listed: Result<Vec<AgentInfo>>) {
        let (told, again) = match self.listing.take() {
            Some(listing) => (listing.told, listing.again),
            None => (Told::new(), false),
        };
        let agents = match listed {
            Ok(agents) => agents,
            Err(error) => return self.lose(error),
        };
        let (agents, doubtful) = merge(agents, told);
        self.known = agents
            .iter()
            .map(|agent| (agent.id.clone(), Reached::by(agent)))
            .collect();
        // An answer to what was asked before the list may be older than that.
        for again in self.looked_at.values_mut() {
            *again = true;
        }
        self.delay = self.options.delay;
        self.relist_at = Instant::now();
        if !again {
            self.relist_at += self.options.relist;
        }
        self.ready.push_back(WatchEvent::Snapshot(agents));
        for id in doubtful {
            self.look_at(id);
        }
    }

    fn take(&mut self, event: AgentEvent) {
        match event {
            AgentEvent::Changed(info) => match self.known.get(&info.id) {
                // Of two incarnations only the engine knows which is the later.
                Some(known) if known.incarnation != info.incarnation => {
                    self.look_at(info.id);
                }
                _ => self.tell(info),
            },
            AgentEvent::Removed { id, incarnation } => match self.known.get(&id) {
                Some(known)
                    if known.incarnation == incarnation && !self.looked_at.contains_key(&id) =>
                {
                    self.gone(id);
                }
                Some(_) => self.look_at(id),
                None => {}
            },
            AgentEvent::Fetching(fetch) => self.ready.push_back(WatchEvent::Fetching(fetch)),
            AgentEvent::Lagged => self.list_soon(),
        }
    }

    fn tell(&mut self, info: AgentInfo) {
        let known = self.known.get(&info.id);
        if known.is_some_and(|known| known.is_past(&info)) {
            // A report from before what was already told: the list that came between is fresher.
            return;
        }
        self.known.insert(info.id.clone(), Reached::by(&info));
        if let Some(listing) = &mut self.listing {
            listing.told.insert(info.id.clone(), Some(info.clone()));
        }
        self.ready.push_back(WatchEvent::Changed(info));
    }

    fn gone(&mut self, id: AgentId) {
        if self.known.remove(&id).is_some() {
            if let Some(listing) = &mut self.listing {
                listing.told.insert(id.clone(), None);
            }
            self.ready.push_back(WatchEvent::Gone(id));
        }
    }

    /// Asks the engine how this one stands, or once more where it is being asked already.
    fn look_at(&mut self, id: AgentId) {
        if let Some(again) = self.looked_at.get_mut(&id) {
            *again = true;
            return;
        }
        if self.looks.len() >= MOST_LOOKS {
            self.list_soon();
            return;
        }
        self.looked_at.insert(id.clone(), false);
        let backend = self.backend;
        let look = async move {
            let answer = backend.inspect(&id).await;
            (id, answer)
        };
        self.looks.push(look.boxed());
    }

    fn looked(&mut self, id: AgentId, answer: Result<AgentInfo>) {
        if self.looked_at.remove(&id) == Some(true) {
            self.look_at(id);
            return;
        }
        match answer {
            Ok(info) => self.tell(info),
            Err(error) if error.kind() == ErrorKind::NotFound => self.gone(id),
            Err(error) => self.lose(error),
        }
    }

    /// Says at once that nothing is known; the pause comes before the next attempt.
    fn lose(&mut self, error: Error) {
        let jitter = 0.75 + fastrand::f64() / 2.0;
        self.events = None;
        self.listing = None;
        self.looks.clear();
        self.looked_at.clear();
        self.subscribe_at = Instant::now() + self.delay.mul_f64(jitter);
        self.delay = (self.delay * 2).min(self.options.max_delay);
        self.ready.push_back(WatchEvent::Lost(error));
    }
}
