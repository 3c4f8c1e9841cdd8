//! `/internal`: what is open for bids, and bids.

use std::time::Duration;

use alveary_agent::protocol::{EventId, NewBid, OpenTask};
use axum::Json;
use axum::body::Body;
use axum::extract::{Extension, State};
use axum::response::{AppendHeaders, IntoResponse, Response};
use http::{HeaderMap, Uri};
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::super::app::App;
use super::super::body;
use super::super::guard::caller::Caller;
use super::fault::{Detail, Fault, No, Place};
use super::{anyone, bid as reading, reporter, speaks_for};

/// What the coordinator says of a bid for a task that is over.
const NO_AUCTION: &str = "No open auction for this task — it may have already closed.";

/// Up to where in the book an answer tells.
pub(crate) const AFTER: &str = "x-alveary-after";

/// A bid, as it is sent.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it documents what is read field by field")]
#[expect(clippy::struct_field_names, reason = "the names are those of the wire")]
pub(super) struct Bid {
    /// For which task.
    task_id: String,
    /// Who bids.
    #[schema(pattern = "^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")]
    agent_id: String,
    /// What it asks. A text that writes a whole number is taken too.
    #[schema(minimum = 1, maximum = 9_007_199_254_740_991_u64)]
    bid_sats: u64,
    /// What it can do, separated by commas.
    #[schema(required = false, default = "")]
    capabilities: Option<String>,
}

/// What became of a bid.
#[derive(Serialize, ToSchema)]
pub(super) struct BidAnswered {
    accepted: bool,
    task_id: String,
    agent_id: String,
    message: String,
}

/// The tasks that are open for bids.
///
/// Without parameters as the original. With `wait` it answers when there is one, or when the time is over; with
/// `after` only with those whose auction opened after that event.
#[utoipa::path(
    get, path = "/internal/tasks", tag = "original",
    params(
        ("wait" = Option<String>, Query, description = "how long to wait for one, such as `5s`, at most 30 s"),
        ("after" = Option<EventId>, Query, description = "what `x-alveary-after` of the last answer said"),
    ),
    responses(
        (status = OK, body = Vec<OpenTask>,
         headers(("x-alveary-after" = EventId, description = "what to send as `after` the next time"))),
        (status = UNPROCESSABLE_ENTITY, body = Detail, description = "`wait` or `after` cannot be read"),
    ),
)]
pub(super) async fn open_tasks(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    uri: Uri,
) -> Result<Response, No> {
    anyone(&app, &caller)?;
    let query = uri.query().unwrap_or_default();
    let wait = parameter(query, "wait", "how long to wait, such as `5s`", duration)?;
    let after = parameter(query, "after", "the number of an event", |text| {
        text.parse::<EventId>().ok()
    })?;
    if let Some(agent) = reporter(&caller) {
        app.coordinator().seen(agent);
    }
    let wait = wait.unwrap_or_default().min(app.guard().longest_wait);
    let open = tokio::select! {
        open = app.coordinator().open_tasks(after, wait) => open?,
        () = app.closing().cancelled() => {
            app.coordinator().open_tasks(after, Duration::ZERO).await?
        }
    };
    let told = open.after.map(|after| (AFTER, after.to_string()));
    Ok((AppendHeaders(told), Json(open.tasks)).into_response())
}

/// Bids for a task.
///
/// Bids of unknown agents and repeated bids are taken. That there is no auction is an answer.
#[utoipa::path(
    post, path = "/internal/bids", tag = "original",
    request_body = Bid,
    responses(
        (status = OK, body = BidAnswered),
        (status = UNPROCESSABLE_ENTITY, body = Detail, description = "the bid has not the right form"),
    ),
)]
pub(super) async fn bid(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<BidAnswered>, No> {
    anyone(&app, &caller)?;
    let body = body::read(body, app.guard()).await?;
    let read = reading::read(&headers, &body)?;
    speaks_for(&app, &caller, &read.agent_id)?;
    let answer = match read.task_id.parse() {
        Ok(task_id) => {
            let new = NewBid {
                task_id,
                agent_id: read.agent_id.clone(),
                bid_sats: read.bid_sats,
                capabilities: read.capabilities,
            };
            let answer = app.coordinator().bid(new).await?;
            (answer.accepted, answer.message)
        }
        // What is no task's id has no auction, as little as a task that is over.
        Err(_) => (false, NO_AUCTION.to_owned()),
    };
    let (accepted, message) = answer;
    Ok(Json(BidAnswered {
        accepted,
        task_id: read.task_id,
        agent_id: read.agent_id.to_string(),
        message,
    }))
}

/// `5s`, `500ms`, or a number of seconds.
fn duration(text: &str) -> Option<Duration> {
    match text.parse::<u32>() {
        Ok(seconds) => Some(Duration::from_secs(seconds.into())),
        Err(_) => humantime::parse_duration(text).ok(),
    }
}

/// A parameter of the query, by its last value.
pub(super) fn parameter<T>(
    query: &str,
    name: &'static str,
    what: &str,
    read: impl Fn(&str) -> Option<T>,
) -> Result<Option<T>, Fault> {
    let given = form_urlencoded::parse(query.as_bytes()).filter(|(key, _)| key == name);
    let Some((_, value)) = given.last() else {
        return Ok(None);
    };
    match read(&value) {
        Some(value) => Ok(Some(value)),
        None => Err(Fault::new(
            "value_error",
            [Place::Name("query"), Place::Name(name)],
            format!("Value error, it should be {what}"),
            Value::String(value.into_owned()),
        )
        .with(json!({ "error": {} }))),
    }
}
