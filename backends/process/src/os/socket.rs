//! The two directions of a connection, each of which wakes its owner only for what it waits for.
//!
//! A socket that is registered for both, as tokio's own is, wakes its owner also whenever the other side has
//! read what was written: for each answer one more switch between two processes, in the middle of a start.

use std::io::{self, Read, Write};
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream as Socket;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::io::unix::AsyncFd;
use tokio::io::{AsyncRead, Interest, ReadBuf};
use tokio::net::UnixStream;

use super::passing;

/// What comes in.
#[derive(Debug)]
pub(crate) struct Inward(AsyncFd<Arc<Socket>>);

/// What goes out.
#[derive(Debug)]
pub(crate) struct Outward(Arc<Socket>);

/// Takes a connection apart.
pub(crate) fn split(stream: UnixStream) -> io::Result<(Inward, Outward)> {
    let socket = Arc::new(stream.into_std()?);
    // SAFETY: the socket is closed when the last `Arc` of it goes, and the registration holds one.
    let inward =
        unsafe { AsyncFd::register_with_interest(Arc::clone(&socket), Interest::READABLE) };
    Ok((Inward(inward?), Outward(socket)))
}

impl AsyncRead for Inward {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            let mut ready = ready!(self.0.poll_read_ready(context))?;
            let read = ready.try_io(|socket| {
                let mut socket: &Socket = socket.get_ref();
                socket.read(buffer.initialize_unfilled())
            });
            match read {
                Ok(Ok(len)) => {
                    buffer.advance(len);
                    return Poll::Ready(Ok(()));
                }
                Ok(Err(error)) if error.kind() == io::ErrorKind::Interrupted => {}
                Ok(Err(error)) => return Poll::Ready(Err(error)),
                Err(_nothing_there_yet) => {}
            }
        }
    }
}

impl Inward {
    /// Takes descriptors that the other side hands over, when nothing else is under way.
    pub(crate) async fn receive_descriptors(&self) -> io::Result<Vec<OwnedFd>> {
        loop {
            let mut ready = self.0.readable().await?;
            match ready.try_io(|socket| passing::receive(socket.get_ref())) {
                Ok(received) => return received,
                Err(_nothing_there_yet) => {}
            }
        }
    }
}

impl Outward {
    /// Hands descriptors to the other side.
    pub(crate) async fn send_descriptors(&self, descriptors: &[BorrowedFd<'_>]) -> io::Result<()> {
        loop {
            match passing::send(&self.0, descriptors) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.writable().await?,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                sent => return sent,
            }
        }
    }

    /// Writes as much as the socket takes now. `WouldBlock`: nothing.
    pub(crate) fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        let mut socket: &Socket = &self.0;
        loop {
            match socket.write(bytes) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                written => return written,
            }
        }
    }

    /// Completes when the socket takes some again.
    pub(crate) async fn writable(&self) -> io::Result<()> {
        // A registration of its own, and only for as long as it is waited for.
        let socket = self.0.try_clone()?;
        // SAFETY: the registration owns the socket, which is closed with it.
        let registered = unsafe { AsyncFd::register_with_interest(socket, Interest::WRITABLE) };
        registered?.writable().await?.retain_ready();
        Ok(())
    }
}
