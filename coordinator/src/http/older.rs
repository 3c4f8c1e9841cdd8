//! The routes of the original, to the letter: its agents join, bid and deliver without a change.
//!
//! Where it asks nobody who they are, so do these when the coordinator takes anybody; otherwise each caller
//! shows a token, an agent speaks as itself alone, and what is no agent's business is the admin's.

#![expect(
    clippy::result_large_err,
    reason = "a refusal is a whole answer, and is given once a request"
)]

mod agents;
mod bid;
mod bidding;
mod fault;
mod form;
mod tasks;

use alveary_core::AgentId;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::app::App;
use super::guard::caller::Caller;
use super::refusal::Refusal;
pub(crate) use fault::Detail;

pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(bidding::open_tasks))
        .routes(routes!(bidding::bid))
        .routes(routes!(tasks::list, tasks::add))
        .routes(routes!(tasks::auction))
        .routes(routes!(tasks::complete))
        .routes(routes!(tasks::fail))
        .routes(routes!(agents::list))
        .routes(routes!(agents::spawn))
        .routes(routes!(agents::stop))
}

/// Lets agents in, who may look and bid and report.
fn anyone(app: &App, caller: &Caller) -> Result<(), Refusal> {
    match caller {
        Caller::Nobody if !app.takes_anybody() => {
            Err(Refusal::unauthorized("this coordinator asks for a token"))
        }
        _ => Ok(()),
    }
}

/// Lets those in who may give tasks and rule over agents.
fn ruler(app: &App, caller: &Caller) -> Result<(), Refusal> {
    anyone(app, caller)?;
    match caller {
        Caller::Agent(id) if !app.takes_anybody() => {
            Err(Refusal::forbidden(format!("agent {id} may not do this"))
                .with_cure("use the admin's token"))
        }
        _ => Ok(()),
    }
}

/// Lets somebody speak in the name of an agent.
fn speaks_for(app: &App, caller: &Caller, agent: &AgentId) -> Result<(), Refusal> {
    anyone(app, caller)?;
    match caller {
        Caller::Agent(id) if id != agent => Err(Refusal::forbidden(format!(
            "agent {id} may not speak for agent {agent}"
        ))),
        _ => Ok(()),
    }
}

/// Who reports, where that is known.
fn reporter(caller: &Caller) -> Option<&AgentId> {
    match caller {
        Caller::Agent(id) => Some(id),
        _ => None,
    }
}
