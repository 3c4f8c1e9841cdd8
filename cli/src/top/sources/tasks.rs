//! What the swarm's coordinator is busy with.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::time::{Duration, SystemTime};

use alveary::{Escaped, Opened};
use alveary_agent::protocol::{Happening, TaskId, TaskStatus, TaskView, Timestamp};
use alveary_agent::{Error, EventStream, News as Event, TaskClient, TaskQuery};
use futures_util::{FutureExt, Stream, StreamExt, stream};
use tokio::time::sleep;

use super::News;
use crate::coordinating::{Names, beside, short};
use crate::top::tasks::{Task, Tasks};

/// How much time is between two readings.
const EVERY: Duration = Duration::from_secs(1);

/// The most tasks on a page.
const PAGE: u32 = 500;

/// How many are shown of those that are over.
const OVER: usize = 200;

/// Of how many open auctions the bids are asked for.
const AUCTIONS: usize = 50;

/// Where a coordinator runs beside the swarm, how its tasks stand, again and again. One may begin later.
pub(super) fn tasks(opened: &Opened) -> impl Stream<Item = News> + use<> {
    let swarm = opened.swarm.clone();
    stream::unfold((swarm, None, Duration::ZERO), async |state| {
        let (swarm, mut reader, mut pause) = state;
        loop {
            sleep(pause).await;
            pause = EVERY;
            // It may have moved, or gone.
            let way = match beside(&swarm) {
                Ok(Some(way)) => way,
                Ok(None) => continue,
                Err(failure) => {
                    let (trouble, _) = failure.in_words();
                    return Some((in_trouble(&trouble), (swarm, reader, pause)));
                }
            };
            let mut reading: Reader = reader.take().unwrap_or_default();
            let news = match reading.read(&way.0, way.1).await {
                Ok(tasks) => {
                    reader = Some(reading);
                    News::Tasks(tasks)
                }
                // It is read from its beginning, once it answers: it may be another.
                Err(error) => in_trouble(error.message()),
            };
            return Some((news, (swarm, reader, pause)));
        }
    })
}

fn in_trouble(why: &str) -> News {
    News::Tasks(Tasks {
        trouble: Some(Escaped(why).to_string()),
        ..Tasks::default()
    })
}

/// What has been read before and need not be read again: tasks that are over stay so.
#[derive(Default)]
struct Reader {
    /// Up to here all are over.
    after: Option<TaskId>,
    completed: u64,
    failed: u64,
    /// The last of them.
    over: VecDeque<TaskView>,
    events: Option<EventStream>,
    /// When the auctions that are open began, where that was heard.
    begun: HashMap<TaskId, Timestamp>,
}

impl Reader {
    async fn read(&mut self, client: &TaskClient, auction: Duration) -> Result<Tasks, Error> {
        self.hear(client).await?;
        let mut rest = self.catch_up(client).await?;
        let mut counts = BTreeMap::from([
            (TaskStatus::Completed, self.completed),
            (TaskStatus::Failed, self.failed),
        ]);
        for task in &rest {
            *counts.entry(task.status).or_default() += 1;
        }
        self.begun
            .retain(|id, _| rest.iter().any(|task| task.id == *id));
        let names = Names::ask(client).await?;
        rest.sort_by_key(place);
        let over = rest.iter().position(|task| task.status.is_over());
        let mut last = rest.split_off(over.unwrap_or(rest.len()));
        last.sort_by_key(|task| Reverse(task.created_at));
        let before = self.over.iter().rev().cloned();
        let shown = rest
            .into_iter()
            .chain(last.into_iter().chain(before).take(OVER));
        let mut tasks = Vec::new();
        for (place, task) in shown.enumerate() {
            let mut row = row(&task, &names);
            if task.status == TaskStatus::Bidding {
                row.closes = self.closes(&task, auction);
                if place < AUCTIONS {
                    self.bids(client, &task, &mut row).await?;
                }
            }
            tasks.push(row);
        }
        let counts = counts.into_iter().filter(|(_, count)| *count > 0);
        Ok(Tasks {
            counts: counts
                .map(|(status, count)| (status.as_str(), count))
                .collect(),
            list: tasks,
            trouble: None,
        })
    }

    /// Hears which auctions have begun.
    async fn hear(&mut self, client: &TaskClient) -> Result<(), Error> {
        let events = match &mut self.events {
            Some(events) => events,
            none => none.insert(client.events(None).await?),
        };
        loop {
            match events.next().now_or_never() {
                Some(Some(Ok(Event::Event(event)))) => {
                    if let Happening::AuctionOpened { task, .. } = event.what {
                        self.begun.insert(task, event.at);
                    }
                }
                Some(Some(Ok(Event::Missed))) => {}
                Some(Some(Err(error))) => return Err(error),
                Some(None) => {
                    self.events = None;
                    return Ok(());
                }
                None => return Ok(()),
            }
        }
    }

    /// Those behind the last up to which all are over.
    async fn catch_up(&mut self, client: &TaskClient) -> Result<Vec<TaskView>, Error> {
        let mut query = TaskQuery::default().with_limit(PAGE);
        query.after = self.after;
        let mut rest = Vec::new();
        loop {
            let page = client.tasks(&query).await?;
            for task in page.tasks {
                if !rest.is_empty() || !task.status.is_over() {
                    rest.push(task);
                    continue;
                }
                match task.status {
                    TaskStatus::Completed => self.completed += 1,
                    _ => self.failed += 1,
                }
                self.after = Some(task.id);
                self.over.push_back(task);
                if self.over.len() > OVER {
                    self.over.pop_front();
                }
            }
            match page.next {
                Some(next) => query.after = Some(next),
                None => return Ok(rest),
            }
        }
    }

    /// When this task's auction ends at the latest. Of one that began anew before anybody listened, nobody knows.
    fn closes(&self, task: &TaskView, auction: Duration) -> Option<SystemTime> {
        let begun = match self.begun.get(&task.id) {
            Some(begun) => *begun,
            None if task.auctions <= 1 => task.created_at,
            None => return None,
        };
        Some(moment(begun) + auction)
    }

    async fn bids(
        &self,
        client: &TaskClient,
        task: &TaskView,
        row: &mut Task,
    ) -> Result<(), Error> {
        let bids = client.bids(task.id).await?;
        let bids: Vec<_> = bids
            .iter()
            .filter(|bid| bid.auction == task.auctions)
            .collect();
        row.bids = Some(bids.len());
        let lowest = bids.iter().map(|bid| bid.bid_sats).min();
        row.sats = lowest.map(|sats| sats.to_string());
        Ok(())
    }
}

/// In which order tasks are shown: what is to be decided first, then what is under way.
fn place(task: &TaskView) -> u8 {
    match task.status {
        TaskStatus::Bidding => 0,
        TaskStatus::Running => 1,
        TaskStatus::Assigned => 2,
        TaskStatus::Pending => 3,
        TaskStatus::Completed | TaskStatus::Failed => 4,
    }
}

fn row(task: &TaskView, names: &Names) -> Task {
    let agent = task.assigned_agent.as_ref();
    let agent = agent.map(|agent| names.of(agent)).unwrap_or_default();
    Task {
        id: task.id.to_string(),
        short: short(task.id),
        description: Escaped(task.description.as_str()).to_string(),
        status: task.status.as_str(),
        agent: Escaped(&agent).to_string(),
        sats: task.winning_bid.map(|sats| sats.to_string()),
        bids: None,
        closes: None,
        given: moment(task.created_at),
    }
}

fn moment(at: Timestamp) -> SystemTime {
    let millis = u64::try_from(at.as_millis()).unwrap_or_default();
    SystemTime::UNIX_EPOCH + Duration::from_millis(millis)
}
