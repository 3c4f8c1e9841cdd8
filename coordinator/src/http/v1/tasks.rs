//! Tasks: given, listed, looked at, called off.

use alveary_agent::protocol::{BidView, NewTask, Problem, TaskId, TaskStatus, TaskView};
use alveary_core::AgentId;
use axum::Json;
use axum::extract::{Extension, State};
use http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use super::super::app::App;
use super::super::guard::caller::Caller;
use super::super::refusal::Refusal;
use super::super::segment::Segment;
use super::said::{Asked, Said};
use super::{ruler, watcher};
use crate::{IdempotencyKey, MAX_PAGE, Page, TaskFilter};

/// The most tasks in one request.
const MOST: usize = 1_000;

/// One task, or many.
#[derive(Deserialize)]
#[serde(try_from = "Value")]
pub(super) struct NewTasks(Vec<NewTask>);

impl TryFrom<Value> for NewTasks {
    type Error = serde_json::Error;

    fn try_from(said: Value) -> Result<Self, serde_json::Error> {
        match said {
            Value::Array(_) => serde_json::from_value(said).map(Self),
            one => serde_json::from_value(one).map(|one| Self(vec![one])),
        }
    }
}

/// One task, or many.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "it documents what `NewTasks` reads")]
pub(super) enum OneOrMany {
    One(NewTask),
    Many(Many),
}

/// Tasks that are given together.
#[derive(Serialize, ToSchema)]
#[schema(value_type = Vec<NewTask>, min_items = 1, max_items = 1000)]
pub(super) struct Many(Vec<NewTask>);

/// Tasks that were given.
#[derive(Serialize, ToSchema)]
pub(super) struct Given {
    tasks: Vec<TaskView>,
}

/// Which tasks are asked for.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Wanted {
    /// Those that stand so.
    status: Option<TaskStatus>,
    /// Those that this agent has, or had last.
    #[param(value_type = Option<alveary_agent::protocol::schema::AgentId>)]
    agent: Option<AgentId>,
    /// Those that come after this one: what `next` of the last page said.
    after: Option<TaskId>,
    /// How many at most.
    #[param(minimum = 1, maximum = 500, default = 100)]
    limit: Option<u32>,
    /// Which first.
    #[param(inline)]
    #[serde(default)]
    order: Order,
}

/// Which of the tasks come first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum Order {
    /// Those that were given first.
    #[default]
    Oldest,
    /// Those that were given last.
    Newest,
}

/// A page of tasks.
#[derive(Serialize, ToSchema)]
pub(super) struct Tasks {
    tasks: Vec<TaskView>,
    /// What to ask for as `after`; null on the last page.
    #[schema(required)]
    next: Option<TaskId>,
}

/// The bids for a task.
#[derive(Serialize, ToSchema)]
pub(super) struct Bids {
    bids: Vec<BidView>,
}

/// Takes tasks and opens an auction for each: all of them or none.
///
/// Under an idempotency key that was used before, the same tasks are answered as they stand now, and nothing is
/// added. The key in the header is for all of them; where each has a `key` of its own, those that were given before
/// are answered, and the others added.
#[utoipa::path(
    post, path = "/v1/tasks", tag = "tasks",
    request_body = OneOrMany,
    params(("Idempotency-Key" = Option<String>, Header,
        description = "makes handing in the same tasks again have no second effect",
        min_length = 1, max_length = 255, pattern = "^[!-~]{1,255}$")),
    responses(
        (status = CREATED, body = Given),
        (status = CONFLICT, body = Problem, description = "the key was used for other tasks, or there is one for all and one for some"),
    ),
)]
pub(super) async fn add(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
    Said(NewTasks(new)): Said<NewTasks>,
) -> Result<(StatusCode, Json<Given>), Refusal> {
    ruler(&caller)?;
    if new.is_empty() || new.len() > MOST {
        return Err(Refusal::invalid(format!(
            "there are {} tasks, and 1 to {MOST} are taken at once",
            new.len()
        )));
    }
    let key = match headers.get("idempotency-key") {
        None => None,
        Some(key) => {
            let key = key.to_str().unwrap_or_default();
            let key = IdempotencyKey::new(key);
            Some(key.map_err(|error| Refusal::invalid(error.to_string()))?)
        }
    };
    let tasks = app.coordinator().add(new, key).await?;
    Ok((StatusCode::CREATED, Json(Given { tasks })))
}

/// A page of the tasks.
#[utoipa::path(
    get, path = "/v1/tasks", tag = "tasks",
    params(Wanted),
    responses((status = OK, body = Tasks)),
)]
pub(super) async fn list(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Asked(wanted): Asked<Wanted>,
) -> Result<Json<Tasks>, Refusal> {
    watcher(&caller)?;
    let limit = wanted.limit.unwrap_or(Page::default().limit);
    if !(1..=MAX_PAGE).contains(&limit) {
        return Err(Refusal::invalid(format!(
            "a page has 1 to {MAX_PAGE} tasks, not {limit}"
        )));
    }
    let filter = TaskFilter {
        status: wanted.status,
        agent: wanted.agent,
    };
    let page = Page {
        after: wanted.after,
        limit,
        newest_first: wanted.order == Order::Newest,
    };
    let page = app.coordinator().tasks(filter, page).await?;
    Ok(Json(Tasks {
        tasks: page.tasks,
        next: page.next,
    }))
}

/// A task as it stands.
#[utoipa::path(
    get, path = "/v1/tasks/{id}", tag = "tasks",
    params(("id" = TaskId, Path, description = "the task")),
    responses((status = OK, body = TaskView), (status = NOT_FOUND, body = Problem, description = "there is no such task")),
)]
pub(super) async fn show(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    id: Segment,
) -> Result<Json<TaskView>, Refusal> {
    watcher(&caller)?;
    Ok(Json(app.coordinator().task(id.task()?).await?))
}

/// The bids for a task, the earliest first; the first thousand.
#[utoipa::path(
    get, path = "/v1/tasks/{id}/bids", tag = "tasks",
    params(("id" = TaskId, Path, description = "the task")),
    responses((status = OK, body = Bids), (status = NOT_FOUND, body = Problem, description = "there is no such task")),
)]
pub(super) async fn bids(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    id: Segment,
) -> Result<Json<Bids>, Refusal> {
    watcher(&caller)?;
    let bids = app.coordinator().bids(id.task()?).await?;
    Ok(Json(Bids { bids }))
}

/// Calls a task off: it fails, with the result "Cancelled."
#[utoipa::path(
    post, path = "/v1/tasks/{id}/cancel", tag = "tasks",
    params(("id" = TaskId, Path, description = "the task")),
    responses(
        (status = OK, body = TaskView),
        (status = NOT_FOUND, body = Problem, description = "there is no such task"),
        (status = CONFLICT, body = Problem, description = "the task is over"),
    ),
)]
pub(super) async fn cancel(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    id: Segment,
) -> Result<Json<TaskView>, Refusal> {
    ruler(&caller)?;
    Ok(Json(app.coordinator().cancel(id.task()?).await?))
}
