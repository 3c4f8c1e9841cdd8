//! Agents: they present themselves, leave, and are listed.

use alveary_agent::protocol::schema::AgentId as AgentIdSchema;
use alveary_agent::protocol::{AgentView, Registration, Welcome};
use alveary_core::AgentId;
use axum::Json;
use axum::extract::{Extension, State};
use http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use super::super::app::App;
use super::super::guard::caller::Caller;
use super::super::refusal::Refusal;
use super::super::segment::Segment;
use super::said::Said;
use super::{ruler, speaks_for, watcher};

/// The agents that were heard of.
#[derive(Serialize, ToSchema)]
pub(super) struct Agents {
    agents: Vec<AgentView>,
}

/// The agents that were heard of.
#[utoipa::path(
    get, path = "/v1/agents", tag = "agents",
    responses((status = OK, body = Agents)),
)]
pub(super) async fn list(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
) -> Result<Json<Agents>, Refusal> {
    watcher(&caller)?;
    let agents = app.coordinator().agents().await?;
    Ok(Json(Agents { agents }))
}

/// An agent presents itself. Again: what it says now is what holds.
#[utoipa::path(
    post, path = "/v1/agents", tag = "agents",
    request_body = Registration,
    responses((status = OK, body = Welcome)),
)]
pub(super) async fn register(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Said(registration): Said<Registration>,
) -> Result<Json<Welcome>, Refusal> {
    speaks_for(&caller, &registration.agent_id)?;
    Ok(Json(app.coordinator().register(registration).await?))
}

/// An agent goes. What it holds is auctioned again at once; of one that is not known, nothing.
#[utoipa::path(
    delete, path = "/v1/agents/{id}", tag = "agents",
    params(("id" = AgentIdSchema, Path, description = "the agent")),
    responses((status = NO_CONTENT, description = "it is gone")),
)]
pub(super) async fn leave(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    id: Segment,
) -> Result<StatusCode, Refusal> {
    match AgentId::new(&id.0) {
        Ok(agent) => {
            speaks_for(&caller, &agent)?;
            app.coordinator().gone(&agent).await?;
        }
        Err(error) => {
            ruler(&caller)?;
            return Err(Refusal::invalid(error.to_string()));
        }
    }
    Ok(StatusCode::NO_CONTENT)
}
