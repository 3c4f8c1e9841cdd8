//! What is typed, on its way to the program.

use std::future::pending;
use std::io;

use alveary::ExecStdin;
use bytes::{Buf as _, BytesMut};
use futures_util::FutureExt as _;
use tokio::io::AsyncWriteExt as _;
use tokio::sync::mpsc::Receiver;

use crate::keyboard::Watcher;

/// How much of it may wait for a program that reads nothing. Until then the keys that let go are heard.
const WAITING: usize = 1 << 20;

/// What is typed and where it goes.
pub(super) struct Keys {
    typed: Option<Receiver<io::Result<Vec<u8>>>>,
    watcher: Option<Watcher>,
    /// The program's until the keys that let go are met.
    waiting: BytesMut,
    to: Option<ExecStdin>,
    flushed: bool,
}

impl Keys {
    pub(super) fn new(
        typed: Option<Receiver<io::Result<Vec<u8>>>>,
        to: Option<ExecStdin>,
        watcher: Option<Watcher>,
    ) -> Self {
        Self {
            typed,
            watcher,
            waiting: BytesMut::new(),
            to,
            flushed: true,
        }
    }

    /// Hands on what is typed, until the keys that let go are. Where there is nothing more to hand on, never.
    pub(super) async fn until_let_go(mut self) {
        while self.typed.is_some() || self.is_waiting() {
            // What a program does not read is no reason not to hear that its user wants to let go of it.
            let (room, waits) = (self.waiting.len() < WAITING, self.is_waiting());
            let let_go = tokio::select! {
                typed = next(&mut self.typed), if room => self.take(typed),
                handed = hand_on(&mut self.to, &mut self.waiting, &mut self.flushed), if waits => match handed {
                    Ok(()) => false,
                    // A program that reads no more has a reason, and its end tells it.
                    Err(_) => break,
                },
            };
            if let_go {
                // What was typed before that is the program's still, if it takes it.
                let _ = hand_on(&mut self.to, &mut self.waiting, &mut self.flushed).now_or_never();
                return;
            }
        }
        // The end of what is typed is the end of the program's input.
        drop(self);
        pending::<()>().await;
    }

    fn is_waiting(&self) -> bool {
        !self.waiting.is_empty() || !self.flushed
    }

    /// Whether its user lets go.
    fn take(&mut self, typed: Option<io::Result<Vec<u8>>>) -> bool {
        let Some(Ok(typed)) = typed else {
            self.typed = None;
            return false;
        };
        let (bytes, let_go) = match &mut self.watcher {
            Some(watcher) => watcher.pass(&typed),
            None => (typed, false),
        };
        if self.to.is_some() {
            self.waiting.extend_from_slice(&bytes);
        }
        let_go
    }
}

async fn next(typed: &mut Option<Receiver<io::Result<Vec<u8>>>>) -> Option<io::Result<Vec<u8>>> {
    match typed {
        Some(typed) => typed.recv().await,
        None => pending().await,
    }
}

/// Hands on as much as is taken at once. May be called off: what was not taken waits still.
async fn hand_on(
    to: &mut Option<ExecStdin>,
    waiting: &mut BytesMut,
    flushed: &mut bool,
) -> io::Result<()> {
    let Some(to) = to else { return Ok(()) };
    if !waiting.is_empty() {
        let taken = to.write(waiting).await?;
        if taken == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        waiting.advance(taken);
        *flushed = false;
    }
    to.flush().await?;
    *flushed = true;
    Ok(())
}
