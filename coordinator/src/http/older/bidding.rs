//! `/internal`: what is open for bids, and bids.

use std::time::Duration;

use alveary_agent::protocol::{EventId, NewBid, OpenTask, Sats};
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
use crate::desk::NO_AUCTION;

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
    /// What it asks.
    bid_sats: Whole,
    /// What it can do, separated by commas; what drives a terminal or hides is no part of it.
    #[schema(
        required = false,
        default = "",
        pattern = "^[^\\u0000-\\u001f\\u007f-\\u009f\\u200b-\\u200f\\u2028-\\u202e\\u2060-\\u2069\\ufeff\u{e0000}-\u{e007f}]*$"
    )]
    capabilities: Option<String>,
}

/// A whole number, or a text that writes one.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "it documents what is read field by field")]
enum Whole {
    Number(Sats),
    Written(WrittenNumber),
}

/// A whole number, written.
#[derive(Serialize, ToSchema)]
#[schema(value_type = String, pattern = r"^\s*\+?0{0,9}[1-9][0-9]{0,14}(\.0{1,9})?\s*$")]
struct WrittenNumber(String);

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
        ("wait" = Option<String>, Query, pattern = "^([0-9]{1,9}(ms|s|m)?)?$",
         description = "how long to wait for one, such as `5s`, `500ms` or `1m`, seconds without a unit; \
                        what is longer than the coordinator waits is cut to that"),
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
    let _waits = (!wait.is_zero()).then(|| app.wait());
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
            let new = NewBid::new(task_id, read.agent_id.clone(), read.bid_sats)
                .with_capabilities(read.capabilities);
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

/// `5s`, `500ms`, `1m`, or a number of seconds: to the letter what the document says, and nothing besides.
fn duration(text: &str) -> Option<Duration> {
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, unit) = text.split_at(digits);
    if !(1..=9).contains(&digits) {
        return None;
    }
    let number = number.parse::<u64>().ok()?;
    match unit {
        "ms" => Some(Duration::from_millis(number)),
        "" | "s" => Some(Duration::from_secs(number)),
        "m" => Some(Duration::from_mins(number)),
        _ => None,
    }
}

/// A parameter of the query, by its last value. An empty one is as good as none.
pub(super) fn parameter<T>(
    query: &str,
    name: &'static str,
    what: &str,
    read: impl Fn(&str) -> Option<T>,
) -> Result<Option<T>, Fault> {
    let given = form_urlencoded::parse(query.as_bytes()).filter(|(key, _)| key == name);
    let Some((_, value)) = given.last().filter(|(_, value)| !value.is_empty()) else {
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
