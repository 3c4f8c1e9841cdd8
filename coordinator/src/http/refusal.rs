//! How a request is told no.

use std::time::Duration;

use alveary_agent::protocol::{Problem, ProblemDetail, ProblemKind};
use axum::Json;
use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, StatusCode};
use serde_json::json;

/// A request that is not done, and why. As a response it has the form of `/v1`.
#[derive(Debug)]
pub(crate) struct Refusal {
    status: StatusCode,
    kind: ProblemKind,
    message: String,
    cure: Option<String>,
    retry_after: Option<Duration>,
}

/// Who reads a refusal, and so which form it has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reader {
    /// A client of the original: `{"detail": …}`.
    Older,
    /// A client of `/v1`: `{"error": {…}}`.
    V1,
    /// Somebody with a browser.
    Person,
}

impl Reader {
    /// Who asks for this path.
    pub(crate) fn of(path: &str) -> Self {
        let under = |prefix| {
            path.strip_prefix(prefix)
                .is_some_and(|rest: &str| rest.is_empty() || rest.starts_with('/'))
        };
        if under("/internal") || under("/swarm") {
            Self::Older
        } else if under("/v1") {
            Self::V1
        } else {
            Self::Person
        }
    }
}

impl Refusal {
    pub(crate) fn new(status: StatusCode, kind: ProblemKind, message: impl Into<String>) -> Self {
        Self {
            status,
            kind,
            message: message.into(),
            cure: None,
            retry_after: None,
        }
    }

    /// What was said cannot be read as what it should be.
    pub(crate) fn malformed(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, ProblemKind::Invalid, message)
    }

    /// What was said can be read, and cannot be right.
    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            ProblemKind::Invalid,
            message,
        )
    }

    pub(crate) fn not_found(message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, ProblemKind::NotFound, message)
    }

    pub(crate) fn unauthorized(message: impl Into<String>) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, ProblemKind::Unauthorized, message).with_cure(
            "send `Authorization: Bearer <token>` with the admin's token or the agent's own",
        )
    }

    pub(crate) fn forbidden(message: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, ProblemKind::Forbidden, message)
    }

    /// Something is used up that comes back.
    pub(crate) fn unavailable(message: impl Into<String>) -> Self {
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            ProblemKind::Unavailable,
            message,
        )
        .after(Duration::from_secs(1))
    }

    pub(crate) fn with_cure(mut self, cure: impl Into<String>) -> Self {
        self.cure = Some(cure.into());
        self
    }

    pub(crate) fn after(mut self, wait: Duration) -> Self {
        self.retry_after = Some(wait);
        self
    }

    /// The same in the form that its reader knows.
    pub(crate) fn told(self, reader: Reader) -> Response {
        let Self {
            status,
            kind,
            message,
            cure,
            retry_after,
        } = self;
        let mut response = match reader {
            Reader::V1 => {
                let mut problem = ProblemDetail::new(kind, message);
                problem.cure = cure;
                (status, Json(Problem::from(problem))).into_response()
            }
            Reader::Older => (status, Json(json!({ "detail": message }))).into_response(),
            Reader::Person => {
                let text = match cure {
                    Some(cure) => format!("{message} ({cure})\n"),
                    None => format!("{message}\n"),
                };
                let plain = [(CONTENT_TYPE, "text/plain; charset=utf-8")];
                (status, plain, text).into_response()
            }
        };
        let headers = response.headers_mut();
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if let Some(wait) = retry_after {
            // Whole seconds are all that the header can say, and too early is worse than too late.
            let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds.max(1)));
        }
        response
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        self.told(Reader::V1)
    }
}

impl From<crate::Error> for Refusal {
    fn from(error: crate::Error) -> Self {
        let ProblemDetail {
            kind,
            message,
            cure,
            ..
        } = error.problem().error;
        let refusal = Self {
            cure,
            ..Self::new(status_of(kind), kind, message)
        };
        match kind {
            ProblemKind::Internal => {
                tracing::error!(%error, "a request failed");
                refusal
            }
            ProblemKind::Unavailable => refusal.after(Duration::from_secs(1)),
            _ => refusal,
        }
    }
}

/// The status that says a kind.
fn status_of(kind: ProblemKind) -> StatusCode {
    match kind {
        ProblemKind::Invalid => StatusCode::UNPROCESSABLE_ENTITY,
        ProblemKind::Unauthorized => StatusCode::UNAUTHORIZED,
        ProblemKind::Forbidden => StatusCode::FORBIDDEN,
        ProblemKind::NotFound => StatusCode::NOT_FOUND,
        ProblemKind::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
        ProblemKind::Superseded | ProblemKind::Conflict => StatusCode::CONFLICT,
        ProblemKind::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        ProblemKind::UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        ProblemKind::TooManyRequests => StatusCode::TOO_MANY_REQUESTS,
        ProblemKind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_path_has_its_reader() {
        for (path, reader) in [
            ("/internal/tasks", Reader::Older),
            ("/swarm", Reader::Older),
            ("/swarmed", Reader::Person),
            ("/v1/tasks", Reader::V1),
            ("/v10", Reader::Person),
            ("/", Reader::Person),
        ] {
            assert_eq!(Reader::of(path), reader, "{path}");
        }
    }

    #[test]
    fn a_wait_is_told_in_whole_seconds_and_never_too_short() {
        for (wait, told) in [(0, "1"), (1, "1"), (1_000, "1"), (1_001, "2")] {
            let wait = Duration::from_millis(wait);
            let response = Refusal::unavailable("full").after(wait).into_response();
            assert_eq!(response.headers()[RETRY_AFTER], told);
        }
    }
}
