//! Writing frames to the other side: at once where the socket takes them, which it nearly always does, and by
//! a task where it does not. Who is dropped in the middle leaves no half frame behind, since nothing is
//! awaited.

use std::io;
use std::os::fd::BorrowedFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::{Buf, Bytes, BytesMut};
use tokio::net::UnixStream;
use tokio::sync::Notify;
use tokio_util::codec::Encoder;
use tokio_util::task::AbortOnDropHandle;

use super::codec;
use crate::os::socket::{Inward, Outward, split};

/// How many bytes may wait for somebody who does not read, before what he asks for waits too.
const ROOM: usize = 1 << 20;

#[derive(Debug)]
pub(crate) struct Outbox {
    shared: Arc<Shared>,
    task: AbortOnDropHandle<()>,
}

#[derive(Debug)]
struct Shared {
    socket: Outward,
    /// What the socket has not taken yet.
    rest: Mutex<BytesMut>,
    has_rest: Notify,
    /// There is room again, or never will be.
    has_changed: Notify,
    is_closed: AtomicBool,
}

/// Takes a connection apart: what comes in, and where to put what goes out.
pub(crate) fn open(stream: UnixStream) -> io::Result<(Inward, Outbox)> {
    let (inward, socket) = split(stream)?;
    let shared = Arc::new(Shared {
        socket,
        rest: Mutex::default(),
        has_rest: Notify::new(),
        has_changed: Notify::new(),
        is_closed: AtomicBool::new(false),
    });
    let task = tokio::spawn({
        let shared = Arc::clone(&shared);
        async move {
            loop {
                shared.has_rest.notified().await;
                // Whatever else is ready goes first, so that what it has to say goes with the same write.
                tokio::task::yield_now().await;
                if shared.write_rest().await.is_err() {
                    // Whoever reads finds out that the connection is closed.
                    shared.close();
                    return;
                }
            }
        }
    });
    let task = AbortOnDropHandle::new(task);
    Ok((inward, Outbox { shared, task }))
}

impl Outbox {
    pub(crate) fn is_open(&self) -> bool {
        // The task may have ended with the runtime that it ran on.
        !self.task.is_finished() && !self.shared.is_closed.load(Ordering::Acquire)
    }

    /// Sends a frame now, unless others wait before it.
    pub(crate) fn send(&self, frame: Bytes) -> io::Result<()> {
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

    /// Sends a frame together with those that are about to come.
    pub(crate) fn send_soon(&self, frame: Bytes) -> io::Result<()> {
        codec().encode(frame, &mut self.shared.lock())?;
        self.shared.has_rest.notify_one();
        Ok(())
    }

    /// Hands descriptors to the other side, which has answered everything and waits for them.
    pub(crate) async fn send_descriptors(&self, descriptors: &[BorrowedFd<'_>]) -> io::Result<()> {
        self.shared.socket.send_descriptors(descriptors).await
    }

    /// Completes when little enough waits to be written; an error once nothing will be written any more.
    pub(crate) async fn room(&self) -> io::Result<()> {
        self.until(|rest| rest.len() < ROOM).await
    }

    /// Completes when nothing will be written any more.
    pub(crate) async fn closed(&self) {
        // There is no other end of it.
        let _closed = self.until(|_| false).await;
    }

    /// Nobody reads any more.
    pub(crate) fn close(&self) {
        self.shared.close();
    }

    async fn until(&self, is_so: impl Fn(&BytesMut) -> bool) -> io::Result<()> {
        loop {
            let changed = self.shared.has_changed.notified();
            if self.shared.is_closed.load(Ordering::Acquire) {
                return Err(io::ErrorKind::BrokenPipe.into());
            }
            if is_so(&self.shared.lock()) {
                return Ok(());
            }
            changed.await;
        }
    }
}

impl Shared {
    fn close(&self) {
        self.is_closed.store(true, Ordering::Release);
        self.has_changed.notify_waiters();
    }

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
        if rest.len() < ROOM {
            self.has_changed.notify_waiters();
        }
        Ok(())
    }

    async fn write_rest(&self) -> io::Result<()> {
        loop {
            {
                let mut rest = self.lock();
                self.write(&mut rest)?;
                if rest.is_empty() {
                    return Ok(());
                }
            }
            self.socket.writable().await?;
        }
    }
}
