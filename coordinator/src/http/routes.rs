//! Every route, behind one door.

use alveary_agent::protocol::ProblemKind;
use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::response::Response;
use http::{StatusCode, Uri};
use utoipa_axum::router::OpenApiRouter;

use super::app::App;
use super::refusal::{Reader, Refusal};
use super::{guard, older, openapi, page, v1, watch};

pub(crate) fn all(app: App) -> Router {
    let (described, document) = described().split_for_parts();
    described
        .merge(openapi::route(document))
        .merge(page::routes())
        .fallback(unknown)
        .method_not_allowed_fallback(wrong_method)
        .layer(from_fn_with_state(app.clone(), guard::door))
        .with_state(app)
}

/// The routes that programs use, with what the document says of them.
pub(crate) fn described() -> OpenApiRouter<App> {
    OpenApiRouter::with_openapi(openapi::frame())
        .merge(older::routes())
        .merge(v1::routes())
        .merge(watch::routes())
}

async fn unknown(uri: Uri) -> Response {
    let reader = Reader::of(uri.path());
    let message = match reader {
        // As the original says it.
        Reader::Older => "Not Found".to_owned(),
        Reader::V1 | Reader::Person => format!("there is nothing at {}", uri.path()),
    };
    Refusal::not_found(message).told(reader)
}

async fn wrong_method(uri: Uri) -> Response {
    let reader = Reader::of(uri.path());
    let message = match reader {
        Reader::Older => "Method Not Allowed".to_owned(),
        Reader::V1 | Reader::Person => format!("{} takes other methods", uri.path()),
    };
    Refusal::new(
        StatusCode::METHOD_NOT_ALLOWED,
        ProblemKind::MethodNotAllowed,
        message,
    )
    .told(reader)
}
