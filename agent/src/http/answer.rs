//! What a coordinator answers, within bounds.

use std::time::Duration;

use reqwest::header::{LOCATION, RETRY_AFTER};
use reqwest::{Response, StatusCode};
use serde::de::DeserializeOwned;

use crate::error::{Error, ErrorKind, Result};
use crate::protocol::Problem;

/// The most bytes of an answer.
const MOST: usize = 32 * 1024 * 1024;

/// The most bytes of a refusal.
const MOST_OF_A_REFUSAL: usize = 64 * 1024;

/// The longest that a coordinator can ask to be left alone.
const LONGEST_PAUSE: Duration = Duration::from_mins(1);

/// The answer, if it says that the thing is done.
pub(super) async fn good(response: Response) -> Result<Response> {
    let status = response.status();
    if status.is_success() {
        return Ok(response);
    }
    let url = response.url().clone();
    if status.is_redirection() {
        let to = response
            .headers()
            .get(LOCATION)
            .and_then(|to| to.to_str().ok());
        return Err(Error::new(
            ErrorKind::Protocol,
            format!(
                "{url} answers that it is elsewhere: {}",
                to.unwrap_or("and not where")
            ),
        )
        .with_cure("give the coordinator's own URL"));
    }
    let pause = pause(&response);
    let said = said(response).await;
    let kind = kind(status);
    let message = match &said {
        Some((message, _)) => message.clone(),
        None => format!("{url} answers {status}"),
    };
    let mut error = Error::new(kind, message);
    if let Some(cure) = said.and_then(|(_, cure)| cure).or_else(|| cure(status)) {
        error = error.with_cure(cure);
    }
    if let Some(pause) = pause {
        error = error.with_after(pause);
    }
    Err(error)
}

fn kind(status: StatusCode) -> ErrorKind {
    match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => ErrorKind::Forbidden,
        StatusCode::NOT_FOUND | StatusCode::GONE => ErrorKind::NotFound,
        StatusCode::CONFLICT => ErrorKind::Superseded,
        StatusCode::TOO_MANY_REQUESTS => ErrorKind::Busy,
        StatusCode::BAD_REQUEST
        | StatusCode::PAYLOAD_TOO_LARGE
        | StatusCode::UNSUPPORTED_MEDIA_TYPE
        | StatusCode::UNPROCESSABLE_ENTITY => ErrorKind::Invalid,
        StatusCode::REQUEST_TIMEOUT => ErrorKind::Unavailable,
        status if status.is_server_error() => ErrorKind::Unavailable,
        _ => ErrorKind::Protocol,
    }
}

fn cure(status: StatusCode) -> Option<String> {
    let forbidden = matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN);
    forbidden.then(|| {
        "name the file that holds this agent's token by COORDINATOR_TOKEN_FILE or --token-file"
            .to_owned()
    })
}

fn pause(response: &Response) -> Option<Duration> {
    let seconds = response.headers().get(RETRY_AFTER)?.to_str().ok()?;
    Some(Duration::from_secs(seconds.parse().ok()?).min(LONGEST_PAUSE))
}

/// What a refusal says, and its cure: as `/v1` says it, or as the older routes do.
async fn said(response: Response) -> Option<(String, Option<String>)> {
    #[derive(serde::Deserialize)]
    struct Older {
        detail: serde_json::Value,
    }
    let body = body(response, MOST_OF_A_REFUSAL).await.ok()?;
    if let Ok(problem) = serde_json::from_slice::<Problem>(&body) {
        return Some((problem.error.message, problem.error.cure));
    }
    match serde_json::from_slice::<Older>(&body).ok()?.detail {
        serde_json::Value::String(text) => Some((text, None)),
        other => Some((other.to_string(), None)),
    }
}

/// What the answer holds.
pub(super) async fn json<T: DeserializeOwned>(response: Response) -> Result<T> {
    let url = response.url().clone();
    let body = body(response, MOST).await?;
    serde_json::from_slice(&body).map_err(|error| {
        Error::new(
            ErrorKind::Protocol,
            format!("what {url} answers is not what a coordinator says: {error}"),
        )
        .with_cure(
            "see whether this is a coordinator's URL, of a version that goes with this agent's",
        )
        .with_source(error)
    })
}

/// Reads the answer to its end, so that the connection can be used again.
pub(super) async fn discard(response: Response) -> Result<()> {
    body(response, MOST).await.map(|_| ())
}

async fn body(mut response: Response, most: usize) -> Result<Vec<u8>> {
    let broken = |error: reqwest::Error| {
        Error::new(ErrorKind::Unavailable, "the coordinator's answer broke off")
            .with_cure("ask again")
            .with_source(error.without_url())
    };
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(broken)? {
        if body.len() + chunk.len() > most {
            return Err(Error::new(
                ErrorKind::Protocol,
                format!("{} answers with more than {most} bytes", response.url()),
            )
            .with_cure("see whether this is a coordinator's URL"));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}
