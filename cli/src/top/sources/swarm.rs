//! Who is in the swarm.

use std::time::Duration;

use alveary::{Error, Fleet, Opened, Subscription, Supervision, SwarmManager};
use futures_util::{FutureExt, Stream, StreamExt, stream};
use tokio::time::{Interval, MissedTickBehavior, interval, sleep};

use super::News;
use crate::context::{Context, in_the_files_order};
use crate::top::row::Row;

/// How often one looks unasked.
const LOOK: Duration = Duration::from_secs(1);

/// What changes within this of another change is shown with it.
const TOGETHER: Duration = Duration::from_millis(50);

/// Looks for the swarm until it is there, or cannot be looked at.
pub(super) fn find(fleet: Fleet) -> impl Stream<Item = News> {
    let looking = stream::unfold(Some((fleet, Duration::ZERO)), |looking| async move {
        let (fleet, pause) = looking?;
        sleep(pause).await;
        match Context::open_quietly_if_recorded(fleet.clone()).await {
            Ok(Some(opened)) => Some((News::Opened(Box::new(opened)), None)),
            Ok(None) => Some((News::Absent, Some((fleet, LOOK)))),
            Err(error) => Some((News::Failed(error.into()), None)),
        }
    });
    // Opening it is asking, too.
    stream::iter([News::Asked]).chain(looking)
}

/// Who there is: at once, whenever something changes, and every now and then.
pub(super) fn agents(opened: &Opened) -> impl Stream<Item = News> + use<> {
    let asking = Asking {
        swarm: opened.swarm.clone(),
        fleet: opened.fleet.clone(),
        events: None,
        pace: pace(),
    };
    stream::unfold(asking, |mut asking| async move {
        asking.until_something_changes().await;
        let news = asking.ask().await;
        let news = news.unwrap_or_else(|error| News::Unheard(error.summary()));
        Some((news, asking))
    })
}

fn pace() -> Interval {
    let mut pace = interval(LOOK);
    pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
    pace
}

struct Asking {
    swarm: SwarmManager,
    fleet: Fleet,
    events: Option<Subscription>,
    pace: Interval,
}

impl Asking {
    async fn until_something_changes(&mut self) {
        let events = match &mut self.events {
            Some(events) => events,
            none => none.insert(self.swarm.subscribe().await),
        };
        tokio::select! {
            _ = events.next() => {
                sleep(TOGETHER).await;
                while let Some(Some(_)) = events.next().now_or_never() {}
            }
            _ = self.pace.tick() => {}
        }
    }

    async fn ask(&self) -> Result<News, Error> {
        let mut agents = self.swarm.list().await?;
        in_the_files_order(&self.fleet, &mut agents);
        let is_supervised = self.swarm.supervision()? != Supervision::Nobody;
        let rows = agents.iter().map(Row::of).collect();
        Ok(News::Agents(rows, is_supervised))
    }
}
