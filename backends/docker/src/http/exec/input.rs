//! The standard input of a program.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncWrite, AsyncWriteExt, WriteHalf};

use super::Upgraded;

/// The program's standard input: at an end when it is dropped.
pub(super) struct Input(pub(super) Option<WriteHalf<Upgraded>>);

impl Drop for Input {
    fn drop(&mut self) {
        if let Some(mut to) = self.0.take()
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            runtime.spawn(async move {
                if let Err(error) = to.shutdown().await {
                    tracing::trace!(%error, "the program had ended already");
                }
            });
        }
    }
}

impl Input {
    fn to(self: Pin<&mut Self>) -> io::Result<Pin<&mut WriteHalf<Upgraded>>> {
        let to = self.get_mut().0.as_mut();
        to.map(Pin::new)
            .ok_or_else(|| io::ErrorKind::BrokenPipe.into())
    }
}

impl AsyncWrite for Input {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.to()?.poll_write(cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.to()?.poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.to()?.poll_shutdown(cx)
    }
}
