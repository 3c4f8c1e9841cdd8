//! An agent's work: it claims what it has won, says that it lives, and reports.

use std::time::Duration;

use alveary_agent::protocol::{
    Claim, ClaimRequest, Completion, Failure, Problem, Pulse, PulseAnswer, TaskId, TaskView,
};
use alveary_core::AgentId;
use axum::Json;
use axum::extract::{Extension, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;

use super::super::app::App;
use super::super::guard::caller::Caller;
use super::super::refusal::Refusal;
use super::super::segment::Segment;
use super::said::Said;
use super::{ruler, speaks_for};

/// Gives an agent the next task that it has won.
///
/// Waits for one as long as the request says, at most 30 s. A running attempt of the agent that is not among those
/// that it says it holds is given out again: its claim's answer was lost.
#[utoipa::path(
    post, path = "/v1/claims", tag = "work",
    request_body = ClaimRequest,
    responses(
        (status = OK, body = Claim),
        (status = NO_CONTENT, description = "there is none"),
        (status = NOT_FOUND, body = Problem, description = "the agent is not registered"),
    ),
)]
pub(super) async fn claim(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Said(mut request): Said<ClaimRequest>,
) -> Result<Response, Refusal> {
    speaks_for(&caller, &request.agent_id)?;
    request.wait = request.wait.min(app.guard().longest_wait);
    let at_once = request.clone().with_wait(Duration::ZERO);
    let _waits = (!request.wait.is_zero()).then(|| app.wait());
    let claim = tokio::select! {
        claim = app.coordinator().claim(request) => claim?,
        () = app.closing().cancelled() => app.coordinator().claim(at_once).await?,
    };
    Ok(match claim {
        Some(claim) => Json(claim).into_response(),
        None => StatusCode::NO_CONTENT.into_response(),
    })
}

/// Says that an agent lives and works, and hears which of its attempts are not its own any more.
#[utoipa::path(
    post, path = "/v1/heartbeats", tag = "work",
    request_body = Pulse,
    responses(
        (status = OK, body = PulseAnswer),
        (status = NOT_FOUND, body = Problem, description = "the agent is not registered"),
    ),
)]
pub(super) async fn heartbeat(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Said(pulse): Said<Pulse>,
) -> Result<Json<PulseAnswer>, Refusal> {
    speaks_for(&caller, &pulse.agent_id)?;
    Ok(Json(app.coordinator().heartbeat(pulse).await?))
}

/// Delivers a task's result. The same result of the same attempt again is no error.
#[utoipa::path(
    post, path = "/v1/tasks/{id}/complete", tag = "work",
    params(("id" = TaskId, Path, description = "the task")),
    request_body = Completion,
    responses(
        (status = OK, body = TaskView),
        (status = NOT_FOUND, body = Problem, description = "there is no such task"),
        (status = CONFLICT, body = Problem, description = "the attempt is over; the report is recorded"),
    ),
)]
pub(super) async fn complete(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    id: Segment,
    Said(completion): Said<Completion>,
) -> Result<Json<TaskView>, Refusal> {
    let by = reporter(&caller)?;
    Ok(Json(
        app.coordinator()
            .complete(id.task()?, by, completion)
            .await?,
    ))
}

/// Says that a task could not be done.
#[utoipa::path(
    post, path = "/v1/tasks/{id}/fail", tag = "work",
    params(("id" = TaskId, Path, description = "the task")),
    request_body = Failure,
    responses(
        (status = OK, body = TaskView),
        (status = NOT_FOUND, body = Problem, description = "there is no such task"),
        (status = CONFLICT, body = Problem, description = "the attempt is over; the report is recorded"),
    ),
)]
pub(super) async fn fail(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    id: Segment,
    Said(failure): Said<Failure>,
) -> Result<Json<TaskView>, Refusal> {
    let by = reporter(&caller)?;
    Ok(Json(app.coordinator().fail(id.task()?, by, failure).await?))
}

/// Whose attempt it has to be: an agent's own, and for the admin anybody's.
fn reporter(caller: &Caller) -> Result<Option<&AgentId>, Refusal> {
    match caller {
        Caller::Agent(id) => Ok(Some(id)),
        _ => ruler(caller).map(|()| None),
    }
}
