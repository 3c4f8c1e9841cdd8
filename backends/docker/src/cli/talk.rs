//! A program as a connection: what is written is its standard input, what is read is its standard output.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::unix::pipe::Receiver;
use tokio::process::ChildStdin;

use super::child::Running;
use super::pipe::Pipe;

/// Dropped, it ends the program.
pub(super) struct Talk {
    pub(super) _running: Running,
    /// Whoever says something there is not to be ended for it.
    pub(super) _words: Pipe,
    /// `None` once it was shut down: only a pipe that is closed is at its end.
    pub(super) input: Option<ChildStdin>,
    pub(super) output: Receiver,
}

impl Talk {
    fn input(self: Pin<&mut Self>) -> io::Result<Pin<&mut ChildStdin>> {
        let input = self.get_mut().input.as_mut();
        input
            .map(Pin::new)
            .ok_or_else(|| io::ErrorKind::BrokenPipe.into())
    }
}

impl AsyncRead for Talk {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.output).poll_read(cx, buf)
    }
}

impl AsyncWrite for Talk {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.input()?.poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.input {
            Some(input) => Pin::new(input).poll_flush(cx),
            None => Poll::Ready(Ok(())),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.input = None;
        Poll::Ready(Ok(()))
    }
}
