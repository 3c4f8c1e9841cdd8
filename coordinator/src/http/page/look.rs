//! Looking: everything at a glance, and one task.

use askama::Template;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Extension, Query, State};
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;

use alveary_agent::protocol::{TaskId, TaskStatus};

use super::super::app::App;
use super::super::guard::caller::Caller;
use super::super::refusal::{Reader, Refusal};
use super::super::segment::Segment;
use super::shown;
use super::view;
use super::view::{AgentRow, AuctionCard, BidRow, Happened, TaskCard, TaskRow};
use crate::{Page, TaskFilter};

/// How many open auctions are shown with their bids; the others are counted.
const AUCTIONS: usize = 12;

/// How many agents are shown; the others are counted.
const AGENTS: usize = 200;

/// How many tasks are on a page.
const TASKS: u32 = 50;

#[derive(Template)]
#[template(path = "overview.html")]
struct Overview {
    /// The last event that the page knows of: what comes after it makes it stale.
    latest: u64,
    counts: Vec<(TaskStatus, u64)>,
    auctions: Vec<AuctionCard>,
    more_auctions: usize,
    agents: Vec<AgentRow>,
    more_agents: usize,
    tasks: Vec<TaskRow>,
    wanted: Option<TaskStatus>,
    first: bool,
    next: Option<TaskId>,
    happened: Vec<Happened>,
}

#[derive(Template)]
#[template(path = "task.html")]
struct One {
    latest: u64,
    task: TaskCard,
    bids: Vec<BidRow>,
}

/// Which tasks the overview shows. What cannot be read is as good as not said: a person typed it.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Wanted {
    status: Option<String>,
    after: Option<String>,
}

pub(super) async fn overview(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    wanted: Result<Query<Wanted>, QueryRejection>,
) -> Response {
    if !caller.sees_all() {
        return Redirect::to("/login").into_response();
    }
    let wanted = wanted.map(|Query(wanted)| wanted).unwrap_or_default();
    match gather(&app, &wanted).await {
        Ok(page) => shown(&page),
        Err(error) => Refusal::from(error).told(Reader::Person),
    }
}

async fn gather(app: &App, asked: &Wanted) -> crate::Result<Overview> {
    let coordinator = app.coordinator();
    // First: what happens while the rest is read is told again, rather than missed.
    let metrics = coordinator.metrics().await?;
    let open = coordinator.auctions().await?;
    let mut auctions = Vec::new();
    for auction in open.iter().take(AUCTIONS) {
        let task = coordinator.task(auction.task).await?;
        let bids = coordinator.bids(auction.task).await?;
        auctions.push(AuctionCard::new(auction, task, &bids));
    }
    let agents = coordinator.agents().await?;
    let wanted = asked.status.as_deref().and_then(|word| word.parse().ok());
    let after = asked.after.as_deref().and_then(|id| id.parse().ok());
    let filter = TaskFilter {
        status: wanted,
        agent: None,
    };
    let page = |after| Page {
        after,
        limit: TASKS,
        newest_first: true,
    };
    let tasks = match coordinator.tasks(filter.clone(), page(after)).await {
        // The task to go on after is none: somebody's bookmark is older than the book.
        Err(_) if after.is_some() => coordinator.tasks(filter, page(None)).await?,
        other => other?,
    };
    Ok(Overview {
        latest: metrics.latest_event.0,
        counts: TaskStatus::ALL
            .into_iter()
            .map(|status| (status, metrics.tasks.get(&status).copied().unwrap_or(0)))
            .collect(),
        more_auctions: open.len().saturating_sub(AUCTIONS),
        auctions,
        more_agents: agents.len().saturating_sub(AGENTS),
        agents: agents
            .into_iter()
            .take(AGENTS)
            .map(AgentRow::from)
            .collect(),
        tasks: tasks.tasks.into_iter().map(TaskRow::from).collect(),
        wanted,
        first: after.is_none(),
        next: tasks.next,
        happened: view::happened(coordinator, metrics.latest_event).await?,
    })
}

pub(super) async fn task(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Segment(id): Segment,
) -> Response {
    if !caller.sees_all() {
        return Redirect::to("/login").into_response();
    }
    let Ok(id) = id.parse() else {
        return Refusal::not_found("there is no such task").told(Reader::Person);
    };
    match gather_one(&app, id).await {
        Ok(page) => shown(&page),
        Err(error) => Refusal::from(error).told(Reader::Person),
    }
}

async fn gather_one(app: &App, id: TaskId) -> crate::Result<One> {
    let coordinator = app.coordinator();
    let latest = coordinator.metrics().await?.latest_event.0;
    let task = coordinator.task(id).await?;
    let bids = coordinator.bids(id).await?;
    Ok(One {
        latest,
        task: TaskCard::from(task),
        bids: bids.iter().map(BidRow::from).collect(),
    })
}
