//! `/swarm/tasks`: tasks as the original gives, lists and ends them.

use alveary_agent::protocol::{
    Description, EventId, Happening, NewTask, Sats, TaskId, TaskStatus, TaskView, Timestamp,
};
use axum::Json;
use axum::extract::{Extension, Request, State};
use futures_util::StreamExt as _;
use http::Uri;
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::super::app::App;
use super::super::guard::caller::Caller;
use super::super::refusal::Refusal;
use super::super::segment::Segment;
use super::bidding::parameter;
use super::fault::{Detail, Fault, No, Place};
use super::form::Form;
use super::{anyone, reporter, ruler};
use crate::{Page, TaskFilter};

/// The most tasks in one answer, the newest first. The original has no such bound; `/v1/tasks` has pages.
const MOST: usize = 10_000;

/// A task, with the fields that the original knows.
#[derive(Serialize, ToSchema)]
pub(super) struct TaskRow {
    id: TaskId,
    description: Description,
    status: TaskStatus,
    assigned_agent: Option<String>,
    result: Option<String>,
    created_at: Timestamp,
    completed_at: Option<Timestamp>,
}

#[derive(Serialize, ToSchema)]
pub(super) struct TaskRows {
    tasks: Vec<TaskRow>,
}

/// A task that was given.
#[derive(Serialize, ToSchema)]
pub(super) struct TaskGiven {
    task_id: TaskId,
    description: Description,
    status: TaskStatus,
}

/// A task that was given and auctioned.
#[derive(Serialize, ToSchema)]
pub(super) struct Auctioned {
    task_id: TaskId,
    description: Description,
    status: TaskStatus,
    assigned_agent: Option<String>,
    winning_bid: Option<Sats>,
}

/// How a task stands after a report.
#[derive(Serialize, ToSchema)]
pub(super) struct Standing {
    task_id: TaskId,
    status: TaskStatus,
}

#[derive(ToSchema)]
#[expect(dead_code, reason = "it documents a form")]
pub(super) struct TaskForm {
    #[schema(min_length = 1, max_length = 262_144)]
    description: String,
}

#[derive(ToSchema)]
#[expect(dead_code, reason = "it documents a form")]
pub(super) struct ResultForm {
    #[schema(min_length = 1, max_length = 262_144)]
    result: String,
}

#[derive(ToSchema)]
#[expect(dead_code, reason = "it documents a form")]
pub(super) struct ReasonForm {
    #[schema(max_length = 262_144)]
    reason: Option<String>,
}

impl From<TaskView> for TaskRow {
    fn from(task: TaskView) -> Self {
        Self {
            id: task.id,
            description: task.description,
            status: task.status,
            assigned_agent: task.assigned_agent.map(|agent| agent.to_string()),
            result: task.result,
            created_at: task.created_at,
            completed_at: task.completed_at,
        }
    }
}

/// The tasks, the newest first: all, or those that stand so.
#[utoipa::path(
    get, path = "/swarm/tasks", tag = "original",
    params(("status" = Option<String>, Query, pattern = "^(pending|bidding|assigned|running|completed|failed)?$",
        description = "only those that stand so")),
    responses(
        (status = OK, body = TaskRows),
        (status = UNPROCESSABLE_ENTITY, body = Detail, description = "there is no such status"),
    ),
)]
pub(super) async fn list(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    uri: Uri,
) -> Result<Json<TaskRows>, No> {
    anyone(&app, &caller)?;
    let query = uri.query().unwrap_or_default();
    let status = parameter(
        query,
        "status",
        "pending, bidding, assigned, running, completed or failed",
        |text| text.parse().ok(),
    )?;
    let tasks = if status == Some(TaskStatus::Assigned) {
        app.coordinator().assigned(reporter(&caller)).await?
    } else {
        newest(&app, status).await?
    };
    let tasks = tasks.into_iter().map(TaskRow::from).collect();
    Ok(Json(TaskRows { tasks }))
}

async fn newest(app: &App, status: Option<TaskStatus>) -> Result<Vec<TaskView>, No> {
    let filter = TaskFilter {
        status,
        agent: None,
    };
    let mut page = Page {
        after: None,
        limit: crate::MAX_PAGE,
        newest_first: true,
    };
    let mut all = Vec::new();
    loop {
        let mut read = app
            .coordinator()
            .tasks(filter.clone(), page.clone())
            .await?;
        all.append(&mut read.tasks);
        if read.next.is_none() || all.len() >= MOST {
            return Ok(all);
        }
        page.after = read.next;
    }
}

/// Gives a task, whose auction opens at once.
#[utoipa::path(
    post, path = "/swarm/tasks", tag = "original",
    request_body(content = TaskForm, content_type = "application/x-www-form-urlencoded"),
    responses(
        (status = OK, body = TaskGiven),
        (status = UNPROCESSABLE_ENTITY, body = Detail, description = "there is no description"),
    ),
)]
pub(super) async fn add(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    request: Request,
) -> Result<Json<TaskGiven>, No> {
    ruler(&app, &caller)?;
    let task = give(&app, request).await?;
    Ok(Json(TaskGiven {
        task_id: task.id,
        description: task.description,
        status: task.status,
    }))
}

/// Gives a task, and answers when its auction is over.
#[utoipa::path(
    post, path = "/swarm/tasks/auction", tag = "original",
    request_body(content = TaskForm, content_type = "application/x-www-form-urlencoded"),
    responses(
        (status = OK, body = Auctioned),
        (status = UNPROCESSABLE_ENTITY, body = Detail, description = "there is no description"),
    ),
)]
pub(super) async fn auction(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    request: Request,
) -> Result<Json<Auctioned>, No> {
    ruler(&app, &caller)?;
    let before = app.coordinator().metrics().await?.latest_event;
    let task = give(&app, request).await?;
    let _waits = app.wait();
    let won = tokio::select! {
        won = outcome(&app, before, task.id) => won?,
        () = app.closing().cancelled() => {
            return Err(Refusal::unavailable("the coordinator ends").into());
        }
    };
    let (status, assigned_agent, winning_bid) = match won {
        Some((agent, sats)) => (TaskStatus::Assigned, Some(agent), Some(sats)),
        None => (TaskStatus::Failed, None, None),
    };
    Ok(Json(Auctioned {
        task_id: task.id,
        description: task.description,
        status,
        assigned_agent,
        winning_bid,
    }))
}

/// Who won a task's auction, and for what.
async fn outcome(app: &App, before: EventId, wanted: TaskId) -> Result<Option<(String, Sats)>, No> {
    let mut events = app.coordinator().events(Some(before)).await?;
    while let Some(event) = events.next().await {
        match event?.what {
            Happening::Assigned {
                task, agent, sats, ..
            } if task == wanted => return Ok(Some((agent.to_string(), sats))),
            Happening::Failed { task, .. } if task == wanted => return Ok(None),
            _ => {}
        }
    }
    Err(Refusal::unavailable("the coordinator has ended").into())
}

async fn give(app: &App, request: Request) -> Result<TaskView, No> {
    const NAME: &str = "description";
    let mut form = Form::read(request, app.guard()).await?;
    let description = form.required(NAME)?;
    let description = Description::new(&description).map_err(|error| {
        Fault::new(
            "value_error",
            [Place::Name("body"), Place::Name(NAME)],
            format!("Value error, {error}"),
            Value::Null,
        )
        .with(json!({ "error": {} }))
    })?;
    let added = app
        .coordinator()
        .add(vec![NewTask::new(description)], None)
        .await?;
    let [task] = <[TaskView; 1]>::try_from(added)
        .map_err(|_| Refusal::unavailable("the coordinator did not say what became of the task"))?;
    Ok(task)
}

/// Takes a task's result from the agent that it is assigned to.
#[utoipa::path(
    post, path = "/swarm/tasks/{id}/complete", tag = "original",
    params(("id" = String, Path, description = "the task")),
    request_body(content = ResultForm, content_type = "application/x-www-form-urlencoded"),
    responses(
        (status = OK, body = Standing),
        (status = NOT_FOUND, body = Detail, description = "there is no such task"),
        (status = CONFLICT, body = Detail, description = "the task is not open"),
        (status = UNPROCESSABLE_ENTITY, body = Detail, description = "there is no result"),
    ),
)]
pub(super) async fn complete(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Segment(id): Segment,
    request: Request,
) -> Result<Json<Standing>, No> {
    anyone(&app, &caller)?;
    let result = Form::read(request, app.guard()).await?.required("result")?;
    let task = known(&id)?;
    let done = app
        .coordinator()
        .complete_assigned(task, reporter(&caller), result)
        .await;
    standing(done)
}

/// Takes word from the agent that a task is assigned to that it could not be done.
#[utoipa::path(
    post, path = "/swarm/tasks/{id}/fail", tag = "original",
    params(("id" = String, Path, description = "the task")),
    request_body(content = ReasonForm, content_type = "application/x-www-form-urlencoded"),
    responses(
        (status = OK, body = Standing),
        (status = NOT_FOUND, body = Detail, description = "there is no such task"),
        (status = CONFLICT, body = Detail, description = "the task is not open"),
        (status = UNPROCESSABLE_ENTITY, body = Detail, description = "the reason is too long"),
    ),
)]
pub(super) async fn fail(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Segment(id): Segment,
    request: Request,
) -> Result<Json<Standing>, No> {
    anyone(&app, &caller)?;
    let mut form = Form::read(request, app.guard()).await?;
    let reason = form.optional("reason").unwrap_or_default();
    let task = known(&id)?;
    let failed = app
        .coordinator()
        .fail_assigned(task, reporter(&caller), reason)
        .await;
    standing(failed)
}

/// What the original says of a task that is not there.
fn no_task() -> No {
    Refusal::not_found("Task not found").into()
}

fn known(id: &str) -> Result<TaskId, No> {
    id.parse().map_err(|_| no_task())
}

fn standing(reported: crate::Result<TaskView>) -> Result<Json<Standing>, No> {
    use alveary_agent::protocol::ProblemKind;
    match reported {
        Ok(task) => Ok(Json(Standing {
            task_id: task.id,
            status: task.status,
        })),
        Err(error) if error.kind() == ProblemKind::NotFound => Err(no_task()),
        Err(error) => Err(error.into()),
    }
}
