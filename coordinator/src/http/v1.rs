//! `/v1`: everything that the original has not. Each question needs a token.

mod agents;
#[expect(
    unused_qualifications,
    reason = "what utoipa writes for `params` is qualified"
)]
mod events;
mod said;
#[expect(
    unused_qualifications,
    reason = "what utoipa writes for `params` is qualified"
)]
mod tasks;
mod work;

use alveary_core::AgentId;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::app::App;
use super::guard::caller::Caller;
use super::refusal::Refusal;

pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(tasks::list, tasks::add))
        .routes(routes!(tasks::show))
        .routes(routes!(tasks::bids))
        .routes(routes!(tasks::cancel))
        .routes(routes!(work::complete))
        .routes(routes!(work::fail))
        .routes(routes!(work::claim))
        .routes(routes!(work::heartbeat))
        .routes(routes!(agents::list, agents::register))
        .routes(routes!(agents::leave))
        .routes(routes!(events::follow))
}

/// Lets those in who may change everything.
fn ruler(caller: &Caller) -> Result<(), Refusal> {
    match caller {
        Caller::Admin => Ok(()),
        Caller::Session => {
            Err(Refusal::forbidden("a browser's session only reads")
                .with_cure("use the admin's token"))
        }
        Caller::Agent(id) => Err(Refusal::forbidden(format!("agent {id} may not do this"))
            .with_cure("use the admin's token")),
        Caller::Nobody => Err(Refusal::unauthorized("this needs the admin's token")),
    }
}

/// Lets those in who may see everything.
fn watcher(caller: &Caller) -> Result<(), Refusal> {
    if caller.sees_all() {
        Ok(())
    } else {
        ruler(caller)
    }
}

/// Lets somebody speak in the name of an agent.
fn speaks_for(caller: &Caller, agent: &AgentId) -> Result<(), Refusal> {
    match caller {
        Caller::Agent(id) if id == agent => Ok(()),
        Caller::Agent(id) => Err(Refusal::forbidden(format!(
            "agent {id} may not speak for agent {agent}"
        ))
        .with_cure("send the agent's own token")),
        _ => ruler(caller),
    }
}
