//! What a program that runs for us writes, as it comes and to its end.

use std::io;
use std::time::Duration;

use humantime::format_duration;
use tokio::time::timeout;

use super::child::Running;
use super::pipe::Pipe;
use super::said::Said;
use crate::classify::{Class, Trouble};
use crate::engine::Answer;

/// How much of what a program says on standard error is kept.
const MAX_WORDS: usize = 32 << 10;

/// A child that is listened to.
pub(super) struct Feed {
    pub(super) running: Running,
    /// The child itself has ended, and all that it wrote was read.
    over: bool,
    /// Standard error bears more than words, and is kept whole.
    err_is_data: bool,
    pub(super) out: Pipe,
    pub(super) err: Pipe,
}

impl Feed {
    pub(super) fn new(running: Running, out: Pipe, err: Pipe) -> Self {
        Self {
            running,
            over: false,
            err_is_data: false,
            out,
            err,
        }
    }

    /// Keeps all of standard error, for one who takes out of it what came.
    pub(super) fn with_both(mut self) -> Self {
        self.err_is_data = true;
        self
    }

    /// Takes what the child has written by now; whether there was anything.
    pub(super) fn take(&mut self) -> Answer<bool> {
        let out = self.out.take().map_err(|error| broke_off(&error))?;
        let err = self.err.take().map_err(|error| broke_off(&error))?;
        if !self.err_is_data {
            self.err.held.truncate(MAX_WORDS);
        }
        Ok(out || err)
    }

    /// Waits until the child writes more. `false`: it has ended and writes no more, whoever else holds its
    /// outputs.
    ///
    /// `Class::Lost`: nothing came for as long as `patience`.
    pub(super) async fn more(&mut self, patience: Option<Duration>) -> Answer<bool> {
        loop {
            let ended = self.over || self.running.has_ended();
            // After the look: what it wrote before its end is all there now.
            if self.take()? {
                return Ok(true);
            }
            if ended {
                self.over = true;
                return Ok(false);
            }
            let before = (self.out.held.len(), self.err.held.len());
            let next = async {
                tokio::select! {
                    read = self.out.readable() => read,
                    read = self.err.readable() => read,
                    () = self.running.ended() => Ok(()),
                }
            };
            let next = match patience {
                None => next.await,
                Some(limit) => timeout(limit, next).await.map_err(|_| {
                    Trouble::new(
                        Class::Lost,
                        format!("nothing came for {}", format_duration(limit)),
                    )
                })?,
            };
            next.map_err(|error| broke_off(&error))?;
            let now = (self.out.held.len(), self.err.held.len());
            if now != before {
                return Ok(true);
            }
        }
    }

    /// The whole lines that it has written to its standard output, taken out.
    pub(super) fn lines(&mut self) -> Vec<String> {
        let held = &mut self.out.held;
        let end = held
            .iter()
            .rposition(|byte| *byte == b'\n')
            .map_or(0, |newline| newline + 1);
        let lines = held.split_to(end);
        String::from_utf8_lossy(&lines)
            .lines()
            .map(ToOwned::to_owned)
            .collect()
    }

    /// How it ended, and what is left of what it wrote, after [`more`](Self::more) said that no more comes.
    /// Whoever still holds its outputs is ended.
    pub(super) async fn finish(&mut self) -> Answer<Said> {
        if !(self.out.is_closed() && self.err.is_closed()) {
            self.running.end();
        }
        let status = self
            .running
            .reap()
            .await
            .map_err(|error| broke_off(&error))?;
        let stdout = std::mem::take(&mut self.out.held);
        Ok(Said::new(status, stdout, &self.err.held))
    }
}

fn broke_off(error: &io::Error) -> Trouble {
    Trouble::new(
        Class::Lost,
        format!("what the program says cannot be read: {error}"),
    )
}
