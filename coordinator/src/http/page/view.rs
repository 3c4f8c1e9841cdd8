//! What the templates show, cut to what a page can hold.

use std::time::Duration;

use alveary_agent::protocol::{
    AgentStatus, AgentView, BidView, Event, EventId, Happening, TaskId, TaskStatus, TaskView,
    Timestamp,
};
use futures_util::StreamExt as _;

use crate::{AuctionView, Coordinator};

/// The most characters of a text in a list; a task's own page has all of it.
const CLIP: usize = 240;

/// How many bids an auction's card shows, the lowest first.
const BIDS: usize = 5;

/// How many events the overview shows.
const EVENTS: u64 = 12;

/// A moment: for machines, and for people until the script says how long ago it is.
pub(super) struct Moment {
    pub(super) exact: String,
    pub(super) plain: String,
}

impl From<Timestamp> for Moment {
    fn from(time: Timestamp) -> Self {
        let exact = time.to_string();
        let plain = exact.chars().take(19).collect::<String>().replace('T', " ") + " UTC";
        Self { exact, plain }
    }
}

pub(super) struct AuctionCard {
    pub(super) task: TaskId,
    pub(super) description: String,
    pub(super) wants: String,
    pub(super) auction: u32,
    pub(super) count: usize,
    pub(super) left_ms: u128,
    pub(super) left: u64,
    pub(super) bids: Vec<BidRow>,
}

impl AuctionCard {
    #[expect(
        clippy::needless_pass_by_value,
        reason = "the card takes over what the task says"
    )]
    pub(super) fn new(open: &AuctionView, task: TaskView, bids: &[BidView]) -> Self {
        let mut bids: Vec<_> = bids
            .iter()
            .filter(|bid| bid.auction == open.auction)
            .collect();
        // Stable: among equals the earliest stays first, as it does when the auction ends.
        bids.sort_by_key(|bid| bid.bid_sats);
        Self {
            task: open.task,
            description: clip(task.description.as_str()),
            wants: spaced(&task.capabilities.to_string()),
            auction: open.auction,
            count: open.bids,
            left_ms: open.left.as_millis(),
            left: rounded_up(open.left),
            bids: bids.into_iter().take(BIDS).map(BidRow::from).collect(),
        }
    }
}

pub(super) struct BidRow {
    pub(super) agent: String,
    pub(super) sats: u64,
    pub(super) auction: u32,
    pub(super) at: Moment,
}

impl From<&BidView> for BidRow {
    fn from(bid: &BidView) -> Self {
        Self {
            agent: bid.agent_id.to_string(),
            sats: bid.bid_sats.get(),
            auction: bid.auction,
            at: bid.at.into(),
        }
    }
}

pub(super) struct AgentRow {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) status: AgentStatus,
    pub(super) capabilities: String,
    pub(super) seen: Moment,
}

impl From<AgentView> for AgentRow {
    fn from(agent: AgentView) -> Self {
        Self {
            id: agent.id.to_string(),
            name: clip(&agent.name),
            status: agent.status,
            capabilities: clip(&spaced(&agent.capabilities.to_string())),
            seen: agent.last_seen.into(),
        }
    }
}

pub(super) struct TaskRow {
    pub(super) id: TaskId,
    pub(super) description: String,
    pub(super) status: TaskStatus,
    pub(super) agent: Option<String>,
    pub(super) sats: Option<u64>,
    pub(super) result: Option<String>,
    pub(super) created: Moment,
}

impl From<TaskView> for TaskRow {
    fn from(task: TaskView) -> Self {
        Self {
            id: task.id,
            description: clip(task.description.as_str()),
            status: task.status,
            agent: task.assigned_agent.map(|agent| agent.to_string()),
            sats: task.winning_bid.map(|bid| bid.get()),
            result: task.result.as_deref().map(clip),
            created: task.created_at.into(),
        }
    }
}

pub(super) struct TaskCard {
    pub(super) short: String,
    pub(super) id: TaskId,
    pub(super) description: String,
    pub(super) status: TaskStatus,
    pub(super) agent: Option<String>,
    pub(super) sats: Option<u64>,
    pub(super) wants: String,
    pub(super) result: Option<String>,
    pub(super) auctions: u32,
    pub(super) attempts: u32,
    pub(super) created: Moment,
    pub(super) completed: Option<Moment>,
}

impl From<TaskView> for TaskCard {
    fn from(task: TaskView) -> Self {
        Self {
            short: short(task.id),
            id: task.id,
            description: task.description.to_string(),
            status: task.status,
            agent: task.assigned_agent.map(|agent| agent.to_string()),
            sats: task.winning_bid.map(|bid| bid.get()),
            wants: spaced(&task.capabilities.to_string()),
            result: task.result,
            auctions: task.auctions,
            attempts: task.attempts,
            created: task.created_at.into(),
            completed: task.completed_at.map(Moment::from),
        }
    }
}

/// An event in a sentence; where it is about a task, that is the sentence's subject.
pub(super) struct Happened {
    pub(super) at: Moment,
    pub(super) text: String,
    pub(super) task: Option<(TaskId, String)>,
}

impl From<Event> for Happened {
    fn from(event: Event) -> Self {
        let (task, text) = sentence(event.what);
        Self {
            at: event.at.into(),
            text: clip(&text),
            task: task.map(|task| (task, short(task))),
        }
    }
}

fn sentence(what: Happening) -> (Option<TaskId>, String) {
    match what {
        Happening::TaskAdded { task } => (Some(task), "was given".to_owned()),
        Happening::AuctionOpened { task, auction: 1 } => {
            (Some(task), "is open for bids".to_owned())
        }
        Happening::AuctionOpened { task, auction } => (
            Some(task),
            format!("is open for bids again (auction {auction})"),
        ),
        Happening::BidPlaced { task, agent, sats } => {
            (Some(task), format!("has a bid: {agent}, {sats} sats"))
        }
        Happening::Assigned {
            task, agent, sats, ..
        } => (Some(task), format!("goes to {agent} for {sats} sats")),
        Happening::Started { task, agent, .. } => (Some(task), format!("is begun by {agent}")),
        Happening::Superseded {
            task, agent, why, ..
        } => (Some(task), format!("is taken from {agent}: {why}")),
        Happening::LateReport { task, agent, .. } => (
            Some(task),
            format!("is reported by {agent}, too late: refused"),
        ),
        Happening::Completed { task, agent } => (Some(task), format!("is done by {agent}")),
        Happening::Failed { task, reason, .. } => (Some(task), format!("has failed: {reason}")),
        Happening::AgentRegistered { agent, name } if agent.as_str() == name => {
            (None, format!("Agent {agent} is here"))
        }
        Happening::AgentRegistered { agent, name } => {
            (None, format!("Agent {agent} ({name}) is here"))
        }
        Happening::AgentChanged { agent, status } => (None, format!("Agent {agent} is {status}")),
        _ => (None, "Something happened".to_owned()),
    }
}

/// The last few events up to `latest`, the newest first.
pub(super) async fn happened(
    coordinator: &Coordinator,
    latest: EventId,
) -> crate::Result<Vec<Happened>> {
    /// How long to wait for events that should be there, and are not if the book forgets at once.
    const PATIENCE: Duration = Duration::from_millis(500);
    let before = EventId(latest.0.saturating_sub(EVENTS));
    if before == latest {
        return Ok(Vec::new());
    }
    let mut events = coordinator.events(Some(before)).await?;
    let mut happened = Vec::new();
    while let Ok(Some(event)) = tokio::time::timeout(PATIENCE, events.next()).await {
        let event = event?;
        let last = event.id >= latest;
        happened.push(Happened::from(event));
        if last {
            break;
        }
    }
    happened.reverse();
    Ok(happened)
}

fn clip(text: &str) -> String {
    match text.char_indices().nth(CLIP) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// The first part of a task's id, which is enough for people.
fn short(task: TaskId) -> String {
    task.to_string().chars().take(8).collect()
}

fn spaced(commas: &str) -> String {
    commas.replace(',', ", ")
}

fn rounded_up(left: Duration) -> u64 {
    left.as_secs() + u64::from(left.subsec_nanos() > 0)
}
