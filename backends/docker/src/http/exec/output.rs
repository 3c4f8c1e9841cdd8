//! What a program writes, as it comes.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use alveary_core::{Error, ErrorKind, ExecChunk, ExecOutput, LogStreamKind, Operation};
use bytes::{Buf, Bytes, BytesMut};
use futures_util::stream;
use tokio::io::{AsyncReadExt, ReadHalf};
use tokio::time::timeout;

use super::{Program, Upgraded};
use crate::classify::{Class, Trouble};

/// After so long without a word it is asked whether the program still runs: what it leaves behind may hold its
/// output open for ever.
const QUIET: Duration = Duration::from_millis(200);

/// An idle program is asked about as seldom as this.
const LONGEST_QUIET: Duration = Duration::from_secs(1);

/// What the program writes, taken out of its frames as it comes.
pub(super) struct Output {
    program: Arc<Program>,
    from: ReadHalf<Upgraded>,
    buffer: BytesMut,
    framed: bool,
    /// Whose bytes come next, and how many.
    open: Option<(LogStreamKind, usize)>,
    /// For how long nothing has to come until it is asked whether the program still runs.
    quiet: Duration,
    /// The program has ended; what is there is read, and no more is waited for.
    ended: bool,
    failed: bool,
}

impl Output {
    /// `framed`: each piece says whether it is of standard output or standard error.
    pub(super) fn new(program: Arc<Program>, from: ReadHalf<Upgraded>, framed: bool) -> Self {
        Self {
            program,
            from,
            buffer: BytesMut::new(),
            framed,
            open: None,
            quiet: QUIET,
            ended: false,
            failed: false,
        }
    }

    pub(super) fn into_stream(self) -> ExecOutput {
        ExecOutput::new(stream::unfold(self, |mut output| async {
            if output.failed {
                return None;
            }
            match output.next().await {
                Ok(Some(chunk)) => Some((Ok(chunk), output)),
                Ok(None) => None,
                Err(error) => {
                    output.failed = true;
                    Some((Err(error.with_agent(&output.program.agent)), output))
                }
            }
        }))
    }

    async fn next(&mut self) -> Result<Option<ExecChunk>, Error> {
        loop {
            if let Some(chunk) = self.take()? {
                return Ok(Some(chunk));
            }
            self.buffer.reserve(64 << 10);
            match timeout(self.quiet, self.from.read_buf(&mut self.buffer)).await {
                Ok(Ok(0)) => return self.closed(),
                Ok(Ok(_)) => self.quiet = QUIET,
                Ok(Err(error)) if error.kind() == io::ErrorKind::UnexpectedEof => {
                    return self.closed();
                }
                Ok(Err(error)) => {
                    return Err(Trouble::new(Class::Lost, error.to_string()).error(Operation::Exec));
                }
                Err(_) if self.ended => return self.closed(),
                Err(_) => {
                    self.ended = matches!(self.program.ended().await, Ok(Some(_)));
                    self.quiet = if self.ended {
                        QUIET
                    } else {
                        (self.quiet * 2).min(LONGEST_QUIET)
                    };
                }
            }
        }
    }

    /// No more comes. In the midst of a frame that is no end: whatever else was written is lost.
    fn closed(&self) -> Result<Option<ExecChunk>, Error> {
        let in_a_frame =
            self.framed && (!self.buffer.is_empty() || self.open.is_some_and(|(_, left)| left > 0));
        let over = self.over();
        if !in_a_frame {
            return Ok(over);
        }
        Err(Error::new(
            ErrorKind::EngineUnavailable,
            Operation::Exec,
            "the engine broke off what the program wrote",
        )
        .with_cure("see whether the engine runs, and run the program again if that does no harm"))
    }

    fn over(&self) -> Option<ExecChunk> {
        self.program.silent.notify_one();
        None
    }

    fn take(&mut self) -> Result<Option<ExecChunk>, Error> {
        if !self.framed {
            let bytes = self.buffer.split().freeze();
            return Ok((!bytes.is_empty()).then(|| ExecChunk::new(LogStreamKind::Stdout, bytes)));
        }
        loop {
            if let Some((stream, left)) = self.open.take_if(|(_, left)| *left > 0) {
                if self.buffer.is_empty() {
                    self.open = Some((stream, left));
                    return Ok(None);
                }
                let bytes: Bytes = self.buffer.split_to(left.min(self.buffer.len())).freeze();
                self.open = Some((stream, left - bytes.len()));
                return Ok(Some(ExecChunk::new(stream, bytes)));
            }
            let Some(header) = self.buffer.first_chunk::<8>() else {
                return Ok(None);
            };
            let stream = match header {
                [1, 0, 0, 0, ..] => LogStreamKind::Stdout,
                [2, 0, 0, 0, ..] => LogStreamKind::Stderr,
                _ => {
                    return Err(Error::new(
                        ErrorKind::Engine,
                        Operation::Exec,
                        "the engine frames the output in a way unknown here",
                    )
                    .with_cure("report this, with the engine's version"));
                }
            };
            let length = u32::from_be_bytes([header[4], header[5], header[6], header[7]]);
            self.open = Some((stream, length as usize));
            self.buffer.advance(8);
        }
    }
}
