//! Reading what a request carries, within bounds.

use alveary_agent::protocol::ProblemKind;
use axum::body::Body;
use bytes::{Bytes, BytesMut};
use http::header::CONTENT_TYPE;
use http::{HeaderMap, StatusCode};
use http_body_util::BodyExt as _;

use super::refusal::Refusal;
use super::settings::Guard;

/// How many times the longest body is read and thrown away before a client is cut off.
///
/// A client that sends first and reads then would otherwise see a broken connection instead of the answer.
const PATIENCE: usize = 16;

/// The whole body, if it is short enough and comes soon enough.
pub(crate) async fn read(body: Body, guard: &Guard) -> Result<Bytes, Refusal> {
    match tokio::time::timeout(guard.body_time, whole(body, guard.body)).await {
        Ok(read) => read,
        Err(_) => Err(Refusal::new(
            StatusCode::REQUEST_TIMEOUT,
            ProblemKind::Unavailable,
            format!(
                "the body did not come within {} s",
                guard.body_time.as_secs()
            ),
        )),
    }
}

async fn whole(mut body: Body, most: usize) -> Result<Bytes, Refusal> {
    let mut kept = BytesMut::new();
    let mut seen = 0_usize;
    while let Some(frame) = body.frame().await {
        let frame =
            frame.map_err(|error| Refusal::malformed(format!("the body broke off: {error}")))?;
        let Ok(data) = frame.into_data() else {
            continue;
        };
        seen = seen.saturating_add(data.len());
        if seen <= most {
            kept.extend_from_slice(&data);
        } else if seen > most.saturating_mul(PATIENCE) {
            break;
        } else {
            kept = BytesMut::new();
        }
    }
    if seen <= most {
        return Ok(kept.freeze());
    }
    Err(Refusal::new(
        StatusCode::PAYLOAD_TOO_LARGE,
        ProblemKind::TooLarge,
        format!("the body has more than {most} bytes"),
    )
    .with_cure("send less at once"))
}

/// What a body is said to be: the essence of its `Content-Type`, in small letters.
pub(crate) fn media_type(headers: &HeaderMap) -> Option<String> {
    let said = headers.get(CONTENT_TYPE)?.to_str().unwrap_or("?");
    let essence = said.split(';').next().unwrap_or_default();
    Some(essence.trim().to_ascii_lowercase())
}

/// Whether a media type is JSON.
pub(crate) fn is_json(media_type: &str) -> bool {
    media_type == "application/json"
        || (media_type.starts_with("application/") && media_type.ends_with("+json"))
}
