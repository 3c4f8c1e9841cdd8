//! Tar archives on their way into an agent's surroundings or out of them.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_core::Stream;
use futures_core::stream::BoxStream;
use futures_util::{StreamExt, stream};

use crate::error::{Error, ErrorKind, Operation, Result};

/// The bytes of a tar archive (POSIX pax or GNU), uncompressed, in pieces of any length.
///
/// What comes out of an agent is the agent's word. Whoever unpacks it does so beneath a directory of its own
/// and refuses whatever would leave that: absolute names, `..`, and entries that pass through a link.
#[must_use = "a stream does nothing unless it is polled"]
pub struct TarStream(BoxStream<'static, Result<Bytes>>);

impl TarStream {
    /// Takes what a backend's own stream gives.
    pub fn new(stream: impl Stream<Item = Result<Bytes>> + Send + 'static) -> Self {
        Self(Box::pin(stream))
    }

    /// An archive that is read while it is put: from a file, or from whatever writes it.
    pub fn reading(stream: impl Stream<Item = io::Result<Bytes>> + Send + 'static) -> Self {
        Self::new(stream.map(|piece| {
            piece.map_err(|error| {
                Error::new(
                    ErrorKind::InvalidSpec,
                    Operation::PutFiles,
                    "the archive cannot be read to its end",
                )
                .with_cure("see what is the matter with its source, and put it again")
                .with_source(error)
            })
        }))
    }
}

/// A whole archive in memory.
impl From<Bytes> for TarStream {
    fn from(archive: Bytes) -> Self {
        Self::new(stream::once(async { Ok(archive) }))
    }
}

impl Stream for TarStream {
    type Item = Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.as_mut().poll_next(cx)
    }
}

impl fmt::Debug for TarStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TarStream")
    }
}
