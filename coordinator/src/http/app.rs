//! What every route has at hand.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

use super::fleet::Fleet;
use super::guard::hosts::Hosts;
use super::guard::rate::Limiter;
use super::session::Sessions;
use super::settings::Guard;
use crate::token::Tokens;
use crate::{Bidders, Coordinator};

/// The coordinator and its door. Cloning is cheap.
#[derive(Debug, Clone)]
pub(crate) struct App(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    coordinator: Coordinator,
    tokens: Tokens,
    sessions: Sessions,
    guard: Guard,
    hosts: Hosts,
    limiter: Limiter,
    followers: Arc<Semaphore>,
    waiting: Arc<()>,
    fleet: Option<Arc<dyn Fleet>>,
    closing: CancellationToken,
}

impl App {
    pub(crate) fn new(
        coordinator: Coordinator,
        tokens: Tokens,
        guard: Guard,
        fleet: Option<Arc<dyn Fleet>>,
        listening: &[SocketAddr],
        closing: CancellationToken,
    ) -> Self {
        Self(Arc::new(Inner {
            sessions: Sessions::new(tokens.clone()),
            hosts: Hosts::new(&guard.hosts, listening),
            limiter: Limiter::new(guard.rate),
            followers: Arc::new(Semaphore::new(guard.event_clients)),
            waiting: Arc::default(),
            coordinator,
            tokens,
            guard,
            fleet,
            closing,
        }))
    }

    pub(crate) fn coordinator(&self) -> &Coordinator {
        &self.0.coordinator
    }

    pub(crate) fn tokens(&self) -> &Tokens {
        &self.0.tokens
    }

    pub(crate) fn sessions(&self) -> &Sessions {
        &self.0.sessions
    }

    pub(crate) fn guard(&self) -> &Guard {
        &self.0.guard
    }

    pub(crate) fn hosts(&self) -> &Hosts {
        &self.0.hosts
    }

    pub(crate) fn limiter(&self) -> &Limiter {
        &self.0.limiter
    }

    pub(crate) fn fleet(&self) -> Option<&dyn Fleet> {
        self.0.fleet.as_deref()
    }

    /// Ends when the server is told to: what waits or follows must not hold it up.
    pub(crate) fn closing(&self) -> &CancellationToken {
        &self.0.closing
    }

    /// A place among those who follow events, for as long as it is held; `None` if all are taken.
    pub(crate) fn follow(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.0.followers).try_acquire_owned().ok()
    }

    /// How many follow events.
    pub(crate) fn followers(&self) -> usize {
        let free = self.0.followers.available_permits();
        self.0.guard.event_clients.saturating_sub(free)
    }

    /// Somebody waits for something to happen, for as long as this is held.
    pub(crate) fn wait(&self) -> Arc<()> {
        Arc::clone(&self.0.waiting)
    }

    /// How many wait for something to happen.
    pub(crate) fn waiting(&self) -> usize {
        Arc::strong_count(&self.0.waiting).saturating_sub(1)
    }

    /// Whether somebody who proves nothing may use the original's routes.
    pub(crate) fn takes_anybody(&self) -> bool {
        self.0.coordinator.settings().bidders == Bidders::Anybody
    }
}
