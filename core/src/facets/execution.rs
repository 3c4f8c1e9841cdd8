//! A program that runs in an agent's surroundings, in the hands of who started it.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_core::Stream;
use futures_core::future::BoxFuture;
use futures_core::stream::BoxStream;
use futures_util::StreamExt;
use tokio::io::AsyncWrite;

use super::TtySize;
use crate::error::{Error, ErrorKind, Operation, Result};
use crate::exit::ExitStatus;
use crate::logs::LogStreamKind;
use crate::spec::ByteSize;

/// A program that runs in an agent's surroundings.
///
/// Dropping it ends the program, by force and with what it began, where
/// [`Exec::ends_when_dropped`](crate::Exec::ends_when_dropped) says so. Its streams can be taken out of it and
/// used elsewhere; that does not keep the program.
///
/// ```
/// use alveary_core::{AgentBackend, AgentId, ByteSize, Error, ExecSpec};
///
/// async fn version(backend: &dyn AgentBackend, id: &AgentId) -> Result<Option<String>, Error> {
///     let Some(exec) = backend.exec() else { return Ok(None) };
///     let running = exec.run(id, &ExecSpec::new(["python3", "--version"])).await?;
///     let told = running.collect(ByteSize::mib(1)).await?;
///     Ok(Some(String::from_utf8_lossy(&told.stdout).into_owned()))
/// }
/// ```
#[must_use = "dropping it ends the program"]
pub struct Execution {
    /// Its standard input, where the spec asked for it. `None` once taken.
    pub stdin: Option<ExecStdin>,
    /// What it writes. `None` once taken.
    pub output: Option<ExecOutput>,
    ending: Ending,
    resize: Option<Resize>,
}

type Resize = Box<dyn FnMut(TtySize) -> BoxFuture<'static, Result<()>> + Send>;

enum Ending {
    Awaited(BoxFuture<'static, Result<ExitStatus>>),
    Known(ExitStatus),
}

impl Execution {
    /// For backends: a program by what it writes and by how it ends.
    ///
    /// `ending` is polled when somebody waits, and again after a wait that was dropped. It is dropped with the
    /// execution: what it owns is to end the program then.
    pub fn new(
        output: ExecOutput,
        ending: impl Future<Output = Result<ExitStatus>> + Send + 'static,
    ) -> Self {
        Self {
            stdin: None,
            output: Some(output),
            ending: Ending::Awaited(Box::pin(ending)),
            resize: None,
        }
    }

    /// For backends: the program reads what is written here.
    pub fn with_stdin(mut self, stdin: ExecStdin) -> Self {
        self.stdin = Some(stdin);
        self
    }

    /// For backends: the program runs on a terminal, whose size is changed by this.
    pub fn with_resize<F>(mut self, mut resize: impl FnMut(TtySize) -> F + Send + 'static) -> Self
    where
        F: Future<Output = Result<()>> + Send + 'static,
    {
        self.resize = Some(Box::new(move |size| Box::pin(resize(size))));
        self
    }

    /// Waits until the program has ended, and says how. Asked again, it says the same.
    ///
    /// Standard input is closed first unless it was taken, as [`std::process::Child::wait`] does. Nothing of
    /// what the program writes is read by this: one that writes much ends only while somebody reads it. Where
    /// an engine tells no signals, a program that one ended has the code 128 and its number. The wait may be
    /// dropped and begun anew.
    pub async fn wait(&mut self) -> Result<ExitStatus> {
        self.stdin = None;
        let status = match &mut self.ending {
            Ending::Known(status) => return Ok(status.clone()),
            Ending::Awaited(ending) => ending.await,
        };
        self.ending = Ending::Known(match &status {
            Ok(status) => status.clone(),
            Err(error) => ExitStatus::Unknown {
                why: error.message().to_owned(),
            },
        });
        status
    }

    /// Tells the program that its terminal now has this size. Nothing happens where it has ended.
    ///
    /// `InvalidSpec`: it runs on none, or the size is none.
    pub async fn resize(&mut self, size: TtySize) -> Result<()> {
        if size.columns == 0 || size.rows == 0 {
            return Err(no_terminal("a terminal has a column and a row at least"));
        }
        match &mut self.resize {
            Some(resize) => resize(size).await,
            None => Err(no_terminal("the program runs on no terminal")),
        }
    }

    /// Closes its standard input, reads all that it writes, and waits for its end.
    ///
    /// `OutOfResources`: it wrote more than `at_most`; it is dropped then, and so it is with the call.
    pub async fn collect(mut self, at_most: ByteSize) -> Result<Collected> {
        self.stdin = None;
        let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
        let mut room = usize::try_from(at_most.0).unwrap_or(usize::MAX);
        while let Some(output) = &mut self.output
            && let Some(chunk) = output.next().await
        {
            let ExecChunk { stream, bytes } = chunk?;
            room = room.checked_sub(bytes.len()).ok_or_else(|| {
                Error::new(
                    ErrorKind::OutOfResources,
                    Operation::Exec,
                    format!("the program wrote more than {at_most}"),
                )
                .with_cure("read its output piece by piece, or allow more")
            })?;
            match stream {
                LogStreamKind::Stdout => stdout.extend_from_slice(&bytes),
                LogStreamKind::Stderr => stderr.extend_from_slice(&bytes),
            }
        }
        let status = self.wait().await?;
        Ok(Collected {
            status,
            stdout,
            stderr,
        })
    }
}

fn no_terminal(why: &str) -> Error {
    Error::new(ErrorKind::InvalidSpec, Operation::Exec, why)
        .with_cure("run it with a `tty`, and give a size above zero")
}

impl fmt::Debug for Execution {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ended = match &self.ending {
            Ending::Awaited(_) => None,
            Ending::Known(status) => Some(status),
        };
        f.debug_struct("Execution")
            .field("stdin", &self.stdin)
            .field("output", &self.output)
            .field("ended", &ended)
            .finish_non_exhaustive()
    }
}

/// How a program ended, and all that it wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Collected {
    /// How it ended.
    pub status: ExitStatus,
    /// What it wrote to its standard output, or to its terminal.
    pub stdout: Vec<u8>,
    /// What it wrote to its standard error.
    pub stderr: Vec<u8>,
}

/// Bytes as a program wrote them.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ExecChunk {
    /// To which of its streams; on a terminal that is standard output.
    pub stream: LogStreamKind,
    /// What it wrote. May begin or end inside a line or a character.
    pub bytes: Bytes,
}

impl ExecChunk {
    /// Bytes of this stream.
    pub fn new(stream: LogStreamKind, bytes: Bytes) -> Self {
        Self { stream, bytes }
    }
}

/// What a program writes, byte for byte, each of its streams in order.
///
/// Little of it is kept: whoever does not read holds the program up. It ends when the program has ended and
/// all that it wrote has been read; processes that it leaves behind do not keep it open. Dropping it does not
/// end the program, but nothing that it writes from then on is kept, and it may be told so by SIGPIPE.
#[must_use = "a stream does nothing unless it is polled"]
pub struct ExecOutput(BoxStream<'static, Result<ExecChunk>>);

impl ExecOutput {
    /// Takes what a backend's own stream gives.
    pub fn new(stream: impl Stream<Item = Result<ExecChunk>> + Send + 'static) -> Self {
        Self(Box::pin(stream))
    }
}

impl Stream for ExecOutput {
    type Item = Result<ExecChunk>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.poll_next_unpin(cx)
    }
}

impl fmt::Debug for ExecOutput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ExecOutput")
    }
}

/// The standard input of a program: whatever writes to an [`AsyncWrite`] writes to it.
///
/// Shutting it down or dropping it closes the program's input. A terminal's cannot be closed: there, end of
/// file is a character that is typed (Ctrl-D, byte 4). Writing waits while the program does not read,
/// and fails with [`BrokenPipe`](io::ErrorKind::BrokenPipe) when it cannot any more.
pub struct ExecStdin(Pin<Box<dyn AsyncWrite + Send>>);

impl ExecStdin {
    /// Takes a backend's own writer, which is to close the program's input when it is dropped, too.
    pub fn new(writer: impl AsyncWrite + Send + 'static) -> Self {
        Self(Box::pin(writer))
    }
}

impl AsyncWrite for ExecStdin {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.0.as_mut().poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.as_mut().poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.as_mut().poll_shutdown(cx)
    }
}

impl fmt::Debug for ExecStdin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ExecStdin")
    }
}
