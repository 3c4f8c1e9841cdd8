//! `/swarm/agents` and `/swarm/spawn`: the agents, as the original lists, starts and stops them.

use alveary_agent::protocol::{AgentStatus, AgentView, Timestamp};
use alveary_core::AgentId;
use axum::Json;
use axum::extract::{Extension, Request, State};
use http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use alveary_agent::protocol::ProblemKind;

use super::super::app::App;
use super::super::guard::caller::Caller;
use super::super::refusal::Refusal;
use super::super::segment::Segment;
use super::fault::{Detail, No};
use super::form::Form;
use super::ruler;

/// An agent, with the fields that the original knows.
#[derive(Serialize, ToSchema)]
pub(super) struct AgentRow {
    id: String,
    name: String,
    status: AgentStatus,
    /// Separated by commas.
    capabilities: String,
    registered_at: Timestamp,
    last_seen: Timestamp,
}

#[derive(Serialize, ToSchema)]
pub(super) struct AgentRows {
    agents: Vec<AgentRow>,
}

#[derive(ToSchema)]
#[expect(dead_code, reason = "it documents a form")]
pub(super) struct SpawnForm {
    #[schema(min_length = 1)]
    name: String,
}

/// An agent that was started.
#[derive(Serialize, ToSchema)]
pub(super) struct Started {
    agent_id: String,
    name: String,
    pid: Option<u32>,
    status: String,
}

#[derive(Serialize, ToSchema)]
pub(super) struct Stopped {
    stopped: bool,
    agent_id: String,
}

impl From<AgentView> for AgentRow {
    fn from(agent: AgentView) -> Self {
        Self {
            id: agent.id.to_string(),
            name: agent.name,
            status: agent.status,
            capabilities: agent.capabilities.to_string(),
            registered_at: agent.registered_at,
            last_seen: agent.last_seen,
        }
    }
}

/// The agents that were heard of.
#[utoipa::path(
    get, path = "/swarm/agents", tag = "original",
    responses((status = OK, body = AgentRows)),
)]
pub(super) async fn list(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
) -> Result<Json<AgentRows>, No> {
    ruler(&app, &caller)?;
    let agents = app.coordinator().agents().await?;
    let agents = agents.into_iter().map(AgentRow::from).collect();
    Ok(Json(AgentRows { agents }))
}

/// Starts an agent of the swarm around this coordinator, where there is one.
#[utoipa::path(
    post, path = "/swarm/spawn", tag = "original",
    request_body(content = SpawnForm, content_type = "application/x-www-form-urlencoded"),
    responses(
        (status = OK, body = Started),
        (status = CONFLICT, body = Detail, description = "nothing can be started"),
        (status = UNPROCESSABLE_ENTITY, body = Detail, description = "there is no name"),
    ),
)]
pub(super) async fn spawn(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    request: Request,
) -> Result<Json<Started>, No> {
    ruler(&app, &caller)?;
    let name = Form::read(request, app.guard()).await?.required("name")?;
    let Some(fleet) = app.fleet() else {
        return Err(conflict(
            "this coordinator runs without a swarm, and starts no agents: start them yourself, or let `alveary up` run it",
        ));
    };
    let spawned = fleet.spawn(&name).await.map_err(conflict)?;
    Ok(Json(Started {
        agent_id: spawned.agent_id.to_string(),
        name: spawned.name,
        pid: spawned.pid,
        status: spawned.status,
    }))
}

/// Stops an agent of the swarm around this coordinator, where there is one.
#[utoipa::path(
    delete, path = "/swarm/agents/{id}", tag = "original",
    params(("id" = String, Path, description = "the agent")),
    responses(
        (status = OK, body = Stopped),
        (status = CONFLICT, body = Detail, description = "it could not be stopped"),
    ),
)]
pub(super) async fn stop(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Segment(id): Segment,
) -> Result<Json<Stopped>, No> {
    ruler(&app, &caller)?;
    let stopped = match (app.fleet(), AgentId::new(&id)) {
        (Some(fleet), Ok(agent)) => fleet.stop(&agent).await.map_err(conflict)?,
        _ => false,
    };
    Ok(Json(Stopped {
        stopped,
        agent_id: id,
    }))
}

fn conflict(why: impl Into<String>) -> No {
    Refusal::new(StatusCode::CONFLICT, ProblemKind::Conflict, why).into()
}
