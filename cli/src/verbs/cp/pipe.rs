//! Archives between streams, which are waited for, and threads, which read and write.

use std::io::{self, Read};

use alveary::TarStream;
use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream};
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::task::spawn_blocking;

use crate::failure::Failure;

/// How many pieces may lie about between the two.
const WAITING: usize = 8;

const PIECE: usize = 64 * 1024;

/// Has a thread read the archive, and gives what it makes of it.
pub(super) async fn into_reader<T: Send + 'static>(
    mut archive: TarStream,
    read: impl FnOnce(&mut dyn Read) -> Result<T, Failure> + Send + 'static,
) -> Result<T, Failure> {
    let (tell, told) = channel(WAITING);
    let reading = spawn_blocking(move || {
        let mut pieces = Pieces {
            told,
            piece: Bytes::new(),
        };
        let made = read(&mut pieces)?;
        // What is behind the end of an archive is padding, and is taken so that its sender can end.
        io::copy(&mut pieces, &mut io::sink())?;
        Ok(made)
    });
    let mut broken = None;
    while let Some(piece) = archive.next().await {
        match piece {
            // A reader that is gone says why.
            Ok(piece) => {
                if tell.send(Ok(piece)).await.is_err() {
                    break;
                }
            }
            Err(error) => {
                let _ = tell.send(Err(io::ErrorKind::UnexpectedEof.into())).await;
                broken = Some(error);
                break;
            }
        }
    }
    drop(tell);
    let made = reading.await.map_err(io::Error::other)?;
    match broken {
        Some(error) => Err(error.into()),
        None => made,
    }
}

/// What somebody sends, for who reads.
struct Pieces {
    told: Receiver<io::Result<Bytes>>,
    piece: Bytes,
}

impl Read for Pieces {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.piece.is_empty() {
            match self.told.blocking_recv() {
                Some(piece) => self.piece = piece?,
                None => return Ok(0),
            }
        }
        let length = buffer.len().min(self.piece.len());
        buffer[..length].copy_from_slice(&self.piece.split_to(length));
        Ok(length)
    }
}

/// What comes in on standard input.
pub(super) fn from_stdin() -> impl Stream<Item = io::Result<Bytes>> + Send + 'static {
    let (tell, told) = channel(WAITING);
    // Nobody waits for it: a read of a terminal or a pipe cannot be called off.
    std::thread::spawn(move || {
        let mut stdin = io::stdin().lock();
        let mut buffer = vec![0; PIECE];
        loop {
            let read = match stdin.read(&mut buffer) {
                Ok(0) => return,
                Ok(length) => Ok(Bytes::copy_from_slice(&buffer[..length])),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => Err(error),
            };
            let is_over = read.is_err();
            if tell.blocking_send(read).is_err() || is_over {
                return;
            }
        }
    });
    received(told)
}

/// What is sent, as a stream.
pub(super) fn received(
    told: Receiver<io::Result<Bytes>>,
) -> impl Stream<Item = io::Result<Bytes>> + Send + 'static {
    stream::unfold(told, |mut told| async move {
        let piece = told.recv().await?;
        Some((piece, told))
    })
}

/// What a thread writes, for who receives. `BrokenPipe`: nobody does any more.
pub(super) struct Sending(Sender<io::Result<Bytes>>);

impl Sending {
    pub(super) fn new() -> (Self, Receiver<io::Result<Bytes>>) {
        let (tell, told) = channel(WAITING);
        (Self(tell), told)
    }

    /// Tells that there is no more, since something went wrong.
    pub(super) fn fail(&self, why: &io::Error) {
        let _ = self.0.blocking_send(Err(why.kind().into()));
    }
}

impl io::Write for Sending {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let piece = Bytes::copy_from_slice(bytes);
        match self.0.blocking_send(Ok(piece)) {
            Ok(()) => Ok(bytes.len()),
            Err(_) => Err(io::ErrorKind::BrokenPipe.into()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
