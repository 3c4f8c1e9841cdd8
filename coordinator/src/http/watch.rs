//! Whether it is well, and numbers about it, for who watches from outside. They name nobody and need no token.

mod exposition;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header::CONTENT_TYPE;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::app::App;
use super::refusal::{Reader, Refusal};

pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(healthz))
        .routes(routes!(metrics))
}

/// How it is.
#[derive(Serialize, ToSchema)]
struct Health {
    /// Always `ok`; what is not well is answered 503.
    status: &'static str,
    version: &'static str,
}

/// Whether it answers, its file included.
#[utoipa::path(
    get, path = "/healthz", tag = "watch",
    responses((status = OK, body = Health)),
)]
async fn healthz(State(app): State<App>) -> Response {
    match app.coordinator().metrics().await {
        Ok(_) => Json(Health {
            status: "ok",
            version: env!("CARGO_PKG_VERSION"),
        })
        .into_response(),
        Err(error) => Refusal::unavailable(error.to_string()).told(Reader::Person),
    }
}

/// Numbers about it, as Prometheus reads them.
#[utoipa::path(
    get, path = "/metrics", tag = "watch",
    responses((status = OK, body = String, content_type = "text/plain")),
)]
async fn metrics(State(app): State<App>) -> Response {
    match app.coordinator().metrics().await {
        Ok(metrics) => {
            let clients = exposition::Clients {
                following: app.followers(),
                waiting: app.waiting(),
            };
            let kind = [(CONTENT_TYPE, alveary_core::Exposition::CONTENT_TYPE)];
            (kind, exposition::of(&metrics, clients)).into_response()
        }
        Err(error) => Refusal::from(error).told(Reader::Person),
    }
}
