//! A part of a path that names something.

use std::convert::Infallible;

use alveary_agent::protocol::TaskId;
use axum::extract::{FromRequestParts, Path};
use http::request::Parts;

use super::app::App;
use super::refusal::Refusal;

/// A part of the path, as it was written.
pub(crate) struct Segment(pub(crate) String);

impl FromRequestParts<App> for Segment {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Infallible> {
        // What is no text names nothing, and neither does an empty one.
        let segment = Path::<String>::from_request_parts(parts, app).await;
        Ok(Self(segment.map(|Path(text)| text).unwrap_or_default()))
    }
}

impl Segment {
    /// The task that it names. What cannot be a task's id is no task's.
    pub(crate) fn task(&self) -> Result<TaskId, Refusal> {
        self.0
            .parse()
            .map_err(|_| Refusal::not_found(format!("there is no task `{}`", self.0)))
    }
}
