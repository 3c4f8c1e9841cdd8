//! What a request says, or what is wrong with it.

use alveary_agent::protocol::ProblemKind;
use axum::extract::{FromRequest, FromRequestParts, Query, Request};
use http::StatusCode;
use http::request::Parts;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::super::app::App;
use super::super::body::{self, is_json, media_type};
use super::super::guard::caller::Caller;
use super::super::refusal::Refusal;

/// A body of JSON. It is not even read of somebody who shows no token.
pub(super) struct Said<T>(pub(super) T);

impl<T: DeserializeOwned> FromRequest<App> for Said<T> {
    type Rejection = Refusal;

    async fn from_request(request: Request, app: &App) -> Result<Self, Refusal> {
        let (parts, body) = request.into_parts();
        if matches!(parts.extensions.get(), None | Some(Caller::Nobody)) {
            return Err(Refusal::unauthorized("this needs a token"));
        }
        if !media_type(&parts.headers).is_some_and(|media| is_json(&media)) {
            return Err(Refusal::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                ProblemKind::UnsupportedMediaType,
                "the body has to be JSON",
            )
            .with_cure("send `Content-Type: application/json`"));
        }
        let body = body::read(body, app.guard()).await?;
        let form = serde_json::from_slice(&body)
            .map_err(|error| Refusal::malformed(format!("the body is not JSON: {error}")))?;
        if !is_of_objects(&form) {
            return Err(Refusal::invalid(
                "the body is not what is asked for: it has to be an object",
            ));
        }
        serde_json::from_slice(&body).map(Self).map_err(|error| {
            Refusal::invalid(format!("the body is not what is asked for: {error}"))
        })
    }
}

/// Whether fields have names. Without this a list of their values alone would be taken too, in the order in which they
/// happen to be declared.
fn is_of_objects(form: &Value) -> bool {
    match form {
        Value::Array(items) => items.iter().all(Value::is_object),
        other => other.is_object(),
    }
}

/// The parameters of the query. One that nobody knows is refused, since it would be ignored.
pub(super) struct Asked<T>(pub(super) T);

impl<T: DeserializeOwned> FromRequestParts<App> for Asked<T> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self, Refusal> {
        match Query::try_from_uri(&parts.uri) {
            Ok(Query(asked)) => Ok(Self(asked)),
            Err(error) => Err(Refusal::malformed(format!(
                "the query is not what is asked for: {}",
                error.body_text()
            ))),
        }
    }
}
