//! What happens at a coordinator, as it is told over HTTP.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::stream::BoxStream;
use futures_util::{Stream, StreamExt, TryStreamExt};
use reqwest::Response;
use tokio_util::codec::{FramedRead, LinesCodec, LinesCodecError};
use tokio_util::io::StreamReader;

use crate::error::{Error, ErrorKind, Result};
use crate::protocol::Event;

/// The longest line: an event holds a text of at most [`MAX_TEXT`](crate::protocol::MAX_TEXT) bytes, which JSON may
/// write six times as long.
const LONGEST: usize = 2 * 1024 * 1024;

/// How long nothing may come. A coordinator to which nothing happens says so every fifteen seconds.
const SILENCE: Duration = Duration::from_secs(45);

/// What a coordinator tells to those who follow it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum News {
    /// What happened.
    Event(Event),
    /// Events are gone that have not been told here: what is known is to be looked at anew.
    Missed,
}

/// What happens, in order, until the connection ends or the coordinator falls silent. An error is the last item.
#[must_use = "a stream does nothing unless it is polled"]
pub struct EventStream(BoxStream<'static, Result<News>>);

impl EventStream {
    pub(super) fn of(response: Response) -> Self {
        let bytes = response.bytes_stream().map_err(std::io::Error::other);
        let lines = LinesCodec::new_with_max_length(LONGEST);
        let lines = FramedRead::new(StreamReader::new(bytes), lines);
        let news = futures_util::stream::unfold(Some(lines), async |lines| {
            let mut lines = lines?;
            loop {
                let line = match tokio::time::timeout(SILENCE, lines.next()).await {
                    Ok(Some(Ok(line))) => line,
                    Ok(Some(Err(error))) => return Some((Err(broken(error)), None)),
                    Ok(None) => return None,
                    Err(_) => return Some((Err(silent()), None)),
                };
                // An event is one line of data. What else is sent is for browsers, and to be heard at all.
                if let Some(data) = line.strip_prefix("data:") {
                    let told = read(data.trim_start());
                    return Some((told, Some(lines)));
                }
            }
        });
        Self(news.boxed())
    }
}

/// A kind of event that is newer than this program is none that anybody here waits for.
fn read(data: &str) -> Result<News> {
    if let Ok(event) = serde_json::from_str(data) {
        return Ok(News::Event(event));
    }
    match serde_json::from_str::<serde_json::Value>(data) {
        Ok(_) => Ok(News::Missed),
        Err(error) => Err(Error::new(
            ErrorKind::Protocol,
            format!("what is told of events is not what a coordinator says: {error}"),
        )
        .with_cure("see whether this is a coordinator's URL")
        .with_source(error)),
    }
}

fn broken(error: LinesCodecError) -> Error {
    let kind = match &error {
        LinesCodecError::MaxLineLengthExceeded => ErrorKind::Protocol,
        LinesCodecError::Io(_) => ErrorKind::Unavailable,
    };
    Error::new(kind, "the coordinator's events broke off")
        .with_cure("follow them again, from the last that came")
        .with_source(error)
}

fn silent() -> Error {
    Error::new(ErrorKind::Unavailable, "the coordinator has fallen silent")
        .with_cure("follow its events again, from the last that came")
}

impl Stream for EventStream {
    type Item = Result<News>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.as_mut().poll_next(cx)
    }
}

impl fmt::Debug for EventStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EventStream")
    }
}
