//! What agents write.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::SystemTime;

use bytes::Bytes;
use futures_core::Stream;
use futures_core::stream::BoxStream;
use serde::{Deserialize, Serialize};

use crate::error::Result;

/// A piece of an agent's output, or a gap in it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum LogItem {
    /// Bytes as the agent wrote them. A piece may begin or end inside a line or a character.
    Piece(LogPiece),
    /// Output that was written and is not kept any more.
    Lost {
        /// Of which stream; `None` where the engine does not tell them apart.
        stream: Option<LogStreamKind>,
        /// How much; `None` where the engine cannot say.
        bytes: Option<u64>,
    },
}

/// Bytes as an agent wrote them.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct LogPiece {
    /// Standard output or standard error.
    pub stream: LogStreamKind,
    /// What was written.
    pub bytes: Bytes,
    /// When, as exactly as the backend's [`time_resolution`](crate::LogFidelity::time_resolution) allows.
    pub at: Option<SystemTime>,
    /// Where a later read goes on behind this piece.
    pub cursor: LogCursor,
}

impl LogPiece {
    /// A piece that ends at `cursor`.
    pub fn new(
        stream: LogStreamKind,
        bytes: Bytes,
        at: Option<SystemTime>,
        cursor: LogCursor,
    ) -> Self {
        Self {
            stream,
            bytes,
            at,
            cursor,
        }
    }
}

/// A place in an agent's output. Opaque: given out with a piece, given back in
/// [`LogOptions::after`](crate::LogOptions::after).
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct LogCursor(String);

impl LogCursor {
    /// For backends: a cursor from what they need to find the place again.
    pub fn new(place: impl Into<String>) -> Self {
        Self(place.into())
    }

    /// For backends: what they made the cursor from.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Standard output or standard error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum LogStreamKind {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

impl LogStreamKind {
    /// `stdout` or `stderr`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Stdout => "stdout",
            Self::Stderr => "stderr",
        }
    }
}

/// Which of an agent's two streams are meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum LogStreams {
    /// Both.
    #[default]
    Both,
    /// Standard output alone.
    Stdout,
    /// Standard error alone.
    Stderr,
}

impl LogStreams {
    /// Whether this stream is among them.
    pub fn contains(self, stream: LogStreamKind) -> bool {
        match self {
            Self::Both => true,
            Self::Stdout => stream == LogStreamKind::Stdout,
            Self::Stderr => stream == LogStreamKind::Stderr,
        }
    }
}

/// An agent's output. Each of the two streams is in order; between them the order is the engine's.
///
/// Dropping it ends the reading and harms nobody.
#[must_use = "a stream does nothing unless it is polled"]
pub struct LogStream(BoxStream<'static, Result<LogItem>>);

impl LogStream {
    /// Takes what a backend's own stream gives.
    pub fn new(stream: impl Stream<Item = Result<LogItem>> + Send + 'static) -> Self {
        Self(Box::pin(stream))
    }

    /// Reads to the end and gives the bytes of one stream. For logs that are known to be small.
    pub async fn collect_bytes(mut self, which: LogStreamKind) -> Result<Vec<u8>> {
        use futures_util::StreamExt;
        let mut all = Vec::new();
        while let Some(item) = self.0.next().await {
            if let LogItem::Piece(piece) = item?
                && piece.stream == which
            {
                all.extend_from_slice(&piece.bytes);
            }
        }
        Ok(all)
    }
}

impl Stream for LogStream {
    type Item = Result<LogItem>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.as_mut().poll_next(cx)
    }
}

impl fmt::Debug for LogStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LogStream")
    }
}
