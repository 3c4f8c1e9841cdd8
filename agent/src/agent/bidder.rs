//! Hears of open tasks and bids for those that the agent can do.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use futures_util::{StreamExt, stream};
use tokio::time::{Instant, sleep_until};

use super::session::Session;
use crate::error::Error;
use crate::patience::persist;
use crate::pricing::Quote;
use crate::protocol::{NewBid, OpenTask, TaskId};

/// How long to wait for a task to open.
pub(super) const WAIT: Duration = Duration::from_secs(25);

/// How many bids are on their way at a time. Each takes a connection, of which a fleet has many.
const AT_ONCE: usize = 4;

/// How often to ask a coordinator that cannot tell what is new, and answers at once.
const POLL: Duration = Duration::from_secs(1);

/// Bids, for ever. Gives back why it cannot go on.
///
/// It bids while the agent works, too: whoever bid for nothing but what it could begin at once would leave the
/// second of two tasks without a bid.
pub(super) async fn bid_for_all(session: Arc<Session>) -> Error {
    let mut welcomes = session.welcomes();
    welcomes.mark_unchanged();
    let mut after = None;
    let mut told = Told::default();
    loop {
        let asked = Instant::now();
        let call = || session.transport.open_tasks(after, WAIT);
        let open = tokio::select! {
            open = persist("ask for open tasks", call) => open,
            Ok(()) = welcomes.changed() => {
                // The coordinator has forgotten the agent, and may have begun a new book.
                after = None;
                told = Told::default();
                continue;
            }
        };
        let open = match open {
            Ok(open) => open,
            Err(error) => return error,
        };
        let fresh: Vec<_> = open
            .tasks
            .into_iter()
            .filter(|task| told.is_new(task))
            .collect();
        stream::iter(fresh)
            .for_each_concurrent(AT_ONCE, |task| consider(&session, task))
            .await;
        match open.after {
            Some(place) if after != Some(place) => after = Some(place),
            // Nothing new, or nobody who could tell: not at once again.
            _ => sleep_until(asked + POLL).await,
        }
    }
}

async fn consider(session: &Session, task: OpenTask) {
    let me = &session.registration;
    if !me.capabilities.cover(&task.capabilities) {
        return;
    }
    let task_id = task.task_id;
    let quote = Quote::new(task, me.agent_id.clone(), session.holding().len());
    let Some(bid_sats) = session.pricing.price(quote).await else {
        return;
    };
    let bid = NewBid {
        task_id,
        agent_id: me.agent_id.clone(),
        bid_sats,
        capabilities: me.capabilities.clone(),
    };
    match persist("bid", || session.transport.bid(&bid)).await {
        Ok(answer) if answer.accepted => tracing::debug!("bid {bid_sats} sats for task {task_id}"),
        Ok(answer) => tracing::debug!("no bid for task {task_id}: {}", answer.message),
        // A forbidden agent finds out by its heartbeat, too.
        Err(error) => tracing::warn!("failed to bid for task {task_id}: {error}"),
    }
}

/// The auctions that the agent has heard of, the last many of them.
#[derive(Debug, Default)]
struct Told {
    known: HashSet<(TaskId, u32)>,
    order: VecDeque<(TaskId, u32)>,
}

impl Told {
    const KEPT: usize = 65_536;

    fn is_new(&mut self, task: &OpenTask) -> bool {
        let auction = (task.task_id, task.auction);
        if !self.known.insert(auction) {
            return false;
        }
        self.order.push_back(auction);
        if self.order.len() > Self::KEPT
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
        true
    }
}
