//! Writing frames to a keeper: at once where the socket takes them, which it nearly always does, and by a
//! task where it does not. A caller who is dropped leaves no half frame behind, since nothing is awaited.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::{Buf, Bytes, BytesMut};
use tokio::net::unix::OwnedWriteHalf;
use tokio::sync::Notify;
use tokio_util::codec::Encoder;
use tokio_util::task::AbortOnDropHandle;

use crate::wire::codec;

#[derive(Debug)]
pub(super) struct Outbox {
    shared: Arc<Shared>,
    task: AbortOnDropHandle<()>,
}

#[derive(Debug)]
struct Shared {
    socket: OwnedWriteHalf,
    /// What the socket has not taken yet.
    rest: Mutex<BytesMut>,
    has_rest: Notify,
}

impl Outbox {
    pub(super) fn new(socket: OwnedWriteHalf) -> Self {
        let shared = Arc::new(Shared {
            socket,
            rest: Mutex::default(),
            has_rest: Notify::new(),
        });
        let task = tokio::spawn({
            let shared = Arc::clone(&shared);
            async move {
                loop {
                    shared.has_rest.notified().await;
                    if shared.write_rest().await.is_err() {
                        // Whoever reads finds out that the connection is closed.
                        return;
                    }
                }
            }
        });
        Self {
            shared,
            task: AbortOnDropHandle::new(task),
        }
    }

    pub(super) fn is_open(&self) -> bool {
        !self.task.is_finished()
    }

    pub(super) fn send(&self, frame: Bytes) -> io::Result<()> {
        let mut rest = self.shared.lock();
        let was_empty = rest.is_empty();
        codec().encode(frame, &mut rest)?;
        if was_empty {
            self.shared.write(&mut rest)?;
            if !rest.is_empty() {
                self.shared.has_rest.notify_one();
            }
        }
        Ok(())
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, BytesMut> {
        self.rest.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes as much as the socket takes now.
    fn write(&self, rest: &mut BytesMut) -> io::Result<()> {
        while !rest.is_empty() {
            match self.socket.try_write(rest) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(len) => rest.advance(len),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    async fn write_rest(&self) -> io::Result<()> {
        loop {
            self.socket.writable().await?;
            let mut rest = self.lock();
            self.write(&mut rest)?;
            if rest.is_empty() {
                return Ok(());
            }
        }
    }
}
