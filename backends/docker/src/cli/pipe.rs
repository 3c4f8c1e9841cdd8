//! One output of a program that runs for us.

use std::future::pending;
use std::io;

use bytes::BytesMut;
use tokio::net::unix::pipe::Receiver;

/// How much is read from a pipe at a time.
const PIECE: usize = 64 << 10;

/// What was read of one of a child's outputs, and where more comes from.
pub(super) struct Pipe {
    pub(super) from: Option<Receiver>,
    scratch: Box<[u8]>,
    pub(super) held: BytesMut,
}

impl Pipe {
    pub(super) fn new(fd: io::Result<std::os::fd::OwnedFd>) -> io::Result<Self> {
        Ok(Self {
            from: Some(Receiver::from_owned_fd(fd?)?),
            scratch: vec![0; PIECE].into_boxed_slice(),
            held: BytesMut::new(),
        })
    }

    /// Nobody writes any more.
    pub(super) fn is_closed(&self) -> bool {
        self.from.is_none()
    }

    /// Reads what is there, past what the runtime knows of it: it learns of data only some time after they have
    /// come.
    pub(super) fn take(&mut self) -> io::Result<bool> {
        let Some(from) = &self.from else {
            return Ok(false);
        };
        let read = loop {
            match rustix::io::read(from, &mut self.scratch[..]) {
                Err(rustix::io::Errno::INTR) => {}
                read => break read,
            }
        };
        match read {
            Ok(0) => {
                self.from = None;
                Ok(false)
            }
            Ok(length) => {
                self.held.extend_from_slice(&self.scratch[..length]);
                Ok(true)
            }
            Err(rustix::io::Errno::AGAIN) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Completes when something may be there. Never, where nobody writes.
    pub(super) async fn readable(&mut self) -> io::Result<()> {
        let Some(from) = &self.from else {
            return pending().await;
        };
        from.readable().await?;
        // Makes the runtime wait anew, where it was mistaken.
        match from.try_read_buf(&mut self.held) {
            Ok(0) => self.from = None,
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }
}
