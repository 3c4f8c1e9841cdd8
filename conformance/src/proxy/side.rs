//! The two ends that the proxy stands between: what was read of each and not yet passed on.

use std::io;
use std::time::Duration;

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt, Interest};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};

use super::framing::Framing;
use super::gate::Gate;
use super::head::{self, AnswerHead, MAX_HEAD, RequestHead};

/// How much is read ahead of what can be passed on.
const READ_AHEAD: usize = 64 << 10;
/// The longest request that is held as a whole.
const MAX_HELD: usize = 16 << 20;
/// How often a client that has said all is looked at: nothing tells when it goes for good.
const LOOK: Duration = Duration::from_millis(20);

#[derive(Debug)]
pub(super) struct Incoming {
    read: OwnedReadHalf,
    pub(super) buffer: BytesMut,
}

impl Incoming {
    /// Reads what there is: 0 at the end. May be dropped and called again.
    pub(super) async fn fill(&mut self) -> io::Result<usize> {
        self.buffer.reserve(READ_AHEAD);
        self.read.read_buf(&mut self.buffer).await
    }

    /// A whole head, still in the buffer; `None` where the other end has nothing more to say.
    async fn head<T>(
        &mut self,
        parse: impl Fn(&[u8]) -> io::Result<Option<T>>,
    ) -> io::Result<Option<T>> {
        loop {
            if let Some(head) = parse(&self.buffer)? {
                return Ok(Some(head));
            }
            if self.buffer.len() > MAX_HEAD {
                return Err(io::Error::other("a head without an end"));
            }
            if self.fill().await? == 0 {
                return if self.buffer.is_empty() {
                    Ok(None)
                } else {
                    Err(io::ErrorKind::UnexpectedEof.into())
                };
            }
        }
    }
}

/// The engine's end.
#[derive(Debug)]
pub(super) struct Engine {
    pub(super) incoming: Incoming,
    pub(super) write: OwnedWriteHalf,
}

impl Engine {
    pub(super) fn new(stream: UnixStream) -> Self {
        let (read, write) = stream.into_split();
        let buffer = BytesMut::new();
        Self {
            incoming: Incoming { read, buffer },
            write,
        }
    }
}

impl Incoming {
    pub(super) async fn answer_head(&mut self, method: &str) -> io::Result<AnswerHead> {
        let head = self.head(|bytes| head::answer(bytes, method)).await?;
        head.ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
    }
}

/// The client's end, as far as it is read.
#[derive(Debug)]
pub(super) struct Client {
    incoming: Incoming,
    /// How much of the buffer belongs to the request under way and can go.
    ready: usize,
    body: Framing,
    has_ended: bool,
}

/// The client is no longer there.
#[derive(Debug)]
pub(super) struct Gone;

impl Client {
    pub(super) fn new(read: OwnedReadHalf) -> Self {
        let buffer = BytesMut::new();
        Self {
            incoming: Incoming { read, buffer },
            ready: 0,
            body: Framing::Length(0),
            has_ended: false,
        }
    }

    /// The next request, of which nothing has been passed on.
    pub(super) async fn request(&mut self) -> io::Result<Option<RequestHead>> {
        self.incoming.head(head::request).await
    }

    /// From here on this request is under way.
    pub(super) fn begin(&mut self, head: &mut RequestHead) {
        self.ready = head.length;
        self.body = std::mem::replace(&mut head.body, Framing::Length(0));
    }

    /// Whether the request has been passed on as a whole.
    pub(super) fn has_passed(&self) -> bool {
        self.ready == 0 && self.body.is_done()
    }

    /// Reads the request to its end and takes it.
    pub(super) async fn take_whole(&mut self) -> io::Result<Vec<u8>> {
        loop {
            self.frame()?;
            if self.body.is_done() {
                let whole = self.incoming.buffer.split_to(self.ready);
                self.ready = 0;
                return Ok(whole.to_vec());
            }
            if self.ready > MAX_HELD {
                return Err(io::Error::other("a request too long to be held"));
            }
            if self.incoming.fill().await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }

    /// Finds out how much of what was read belongs to the request.
    fn frame(&mut self) -> io::Result<()> {
        while !self.body.is_done() {
            let bytes = &self.incoming.buffer[self.ready..];
            let part = self.body.part(bytes)?;
            if part.length == 0 {
                break;
            }
            self.body.take(&bytes[..part.length])?;
            self.ready += part.length;
        }
        Ok(())
    }

    /// Passes on the rest of the request, then (in a tunnel) whatever comes, and ends when the client has
    /// gone. May be dropped at any point and called again.
    pub(super) async fn pass(
        &mut self,
        to: &mut OwnedWriteHalf,
        is_tunnel: bool,
        gate: &Gate,
    ) -> io::Result<Gone> {
        loop {
            self.frame()?;
            if is_tunnel {
                self.ready = self.incoming.buffer.len();
            }
            if self.ready > 0 {
                gate.pass().await;
                let written = to.write(&self.incoming.buffer[..self.ready]).await;
                match written {
                    Ok(n) => {
                        self.incoming.buffer.advance(n);
                        self.ready -= n;
                    }
                    // It may have answered before it had read all.
                    Err(_) => return self.leaves().await,
                }
            } else if self.has_ended {
                return self.leaves().await;
            } else if self.incoming.buffer.len() >= READ_AHEAD {
                // More than one request ahead: who does that is not looked at any more.
                std::future::pending::<()>().await;
            } else if self.incoming.fill().await? == 0 {
                if self.is_gone() {
                    return Ok(Gone);
                }
                self.has_ended = true;
                to.shutdown().await?;
            }
        }
    }

    async fn leaves(&self) -> io::Result<Gone> {
        while !self.is_gone() {
            tokio::time::sleep(LOOK).await;
        }
        Ok(Gone)
    }

    /// Whether the other end is closed both ways, and not only says nothing more.
    fn is_gone(&self) -> bool {
        let stream: &UnixStream = self.incoming.read.as_ref();
        let ready = stream.try_io(Interest::WRITABLE, || {
            rustix::net::send(stream, &[], rustix::net::SendFlags::NOSIGNAL)?;
            Ok(())
        });
        matches!(ready, Err(error) if error.kind() == io::ErrorKind::BrokenPipe)
    }
}
