//! What happens, as server-sent events.

use std::convert::Infallible;
use std::time::Duration;

use alveary_agent::protocol::{Event, EventId, Problem};
use axum::extract::{Extension, State};
use axum::response::sse;
use axum::response::{IntoResponse, Response, Sse};
use futures_core::Stream;
use futures_util::{StreamExt as _, stream};
use http::HeaderMap;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::super::app::App;
use super::super::guard::caller::Caller;
use super::super::refusal::Refusal;
use super::said::Asked;
use super::watcher;
use crate::Events;

/// How often something is sent when nothing happens, so that a dead connection is seen on both sides.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// How long a client that lost its connection waits before it comes back.
const COME_BACK: Duration = Duration::from_secs(1);

/// From where to tell.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct From {
    /// After which event; `Last-Event-ID` goes before it. From now on without either.
    after: Option<EventId>,
}

/// What is known of before is to be read anew: some events are not kept any more, or the book is another.
#[derive(Serialize, ToSchema)]
pub(super) struct Resync {
    /// How many.
    lost: u64,
}

/// An event as it is sent, field by field.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it documents what `one` and `resync` write")]
pub(super) struct Sent {
    /// The event's number; `resync` has none.
    id: Option<String>,
    /// Its kind.
    event: String,
    /// The event, or how many are lost, as JSON.
    #[schema(content_media_type = "application/json")]
    data: String,
}

/// What happens, as server-sent events: `id` is the event's number, `event` its kind, `data` the event as JSON.
///
/// After a lost connection it goes on where it was (`Last-Event-ID`). A client that is so slow, or was away so
/// long, that events are gone which it has not seen gets an event `resync` with their number, and then what
/// came after them. One that takes nothing at all is let go.
#[utoipa::path(
    get, path = "/v1/events", tag = "events",
    params(From, ("Last-Event-ID" = Option<EventId>, Header, description = "the last event that was seen")),
    responses(
        (status = OK, body = Sent, content_type = "text/event-stream"),
        (status = SERVICE_UNAVAILABLE, body = Problem, description = "as many follow as may"),
    ),
)]
pub(super) async fn follow(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Asked(from): Asked<From>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    watcher(&caller)?;
    let after = match headers.get("last-event-id") {
        None => from.after,
        Some(last) => Some(
            last.to_str()
                .ok()
                .and_then(|last| last.parse().ok())
                .ok_or_else(|| Refusal::malformed("`Last-Event-ID` is the number of an event"))?,
        ),
    };
    let place = app.follow().ok_or_else(|| {
        Refusal::unavailable(format!(
            "{} clients follow the events, and that is the most",
            app.guard().event_clients
        ))
        .with_cure("come back when one has left, or allow more")
    })?;
    let latest = app.coordinator().metrics().await?.latest_event;
    // Who saw what is not yet written saw it in another book: it was moved away, or restored from a copy.
    let elsewhere = after.is_some_and(|after| after > latest);
    let after = if elsewhere { Some(latest) } else { after };
    let events = app.coordinator().events(after).await?;
    let closing = app.closing().clone();
    let told = stream::iter(elsewhere.then(|| resync(0)))
        .chain(told(events, after))
        .take_until(closing.cancelled_owned())
        // The place is taken for as long as the stream is.
        .map(move |event| {
            let _held = &place;
            Ok::<_, Infallible>(event)
        });
    let keep_alive = sse::KeepAlive::new().interval(KEEP_ALIVE);
    Ok(Sse::new(told).keep_alive(keep_alive).into_response())
}

/// Events as they are sent. A gap in their numbers is told before what comes after it.
fn told(events: Events, after: Option<EventId>) -> impl Stream<Item = sse::Event> {
    let hello = sse::Event::default().retry(COME_BACK).comment("hello");
    let rest = events
        .scan(after, |last, event| {
            let event = match event {
                Ok(event) => event,
                Err(error) => {
                    tracing::warn!(%error, "somebody who follows events was let go");
                    return std::future::ready(None);
                }
            };
            let lost = last.map_or(0, |last| event.id.0.saturating_sub(last.0 + 1));
            *last = Some(event.id);
            let resync = (lost > 0).then(|| resync(lost));
            let sent = resync.into_iter().chain([one(&event)]);
            std::future::ready(Some(stream::iter(sent)))
        })
        .flatten();
    stream::iter([hello]).chain(rest)
}

fn one(event: &Event) -> sse::Event {
    let json = serde_json::to_value(event).unwrap_or_default();
    let kind = json["what"]["kind"].as_str().unwrap_or("event");
    sse::Event::default()
        .id(event.id.to_string())
        .event(kind)
        .data(json.to_string())
}

fn resync(lost: u64) -> sse::Event {
    let data = serde_json::json!(Resync { lost });
    sse::Event::default().event("resync").data(data.to_string())
}
