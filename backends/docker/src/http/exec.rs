//! A program run in a container, over a connection that becomes its streams.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use alveary_core::{
    Error, ErrorKind, ExecChunk, ExecOutput, ExecSpec, ExecStdin, Execution, ExitStatus,
    LogStreamKind, Operation, TtySize,
};
use bytes::{Buf, Bytes, BytesMut};
use futures_util::stream;
use hyper_util::rt::TokioIo;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::sync::Notify;
use tokio::time::{sleep, timeout};

use super::{Http, Line, SMALL, archive, query};
use crate::classify::{Class, Trouble};
use crate::engine::Ref;

type Upgraded = TokioIo<hyper::upgrade::Upgraded>;

/// After so long without a word it is asked whether the program still runs: what it leaves behind may hold its
/// output open for ever.
const QUIET: Duration = Duration::from_millis(200);

/// The longest pause between two looks at whether it has ended.
const LONGEST_PAUSE: Duration = Duration::from_millis(500);
const SHORTEST_PAUSE: Duration = Duration::from_millis(5);

/// Until then a program that neither runs nor has a code is about to run.
const LONGEST_START: Duration = Duration::from_secs(30);

/// An idle program is asked about as seldom as this.
const LONGEST_QUIET: Duration = Duration::from_secs(1);

/// What sizes a terminal where the engine cannot.
const SHELL: &str = "/bin/sh";

/// An older engine takes a terminal's size when the program runs already, and may have asked for it.
fn size_by_shell(command: &mut Vec<String>, size: TtySize) {
    let TtySize { columns, rows } = size;
    let script = format!("stty rows {rows} cols {columns} 2>/dev/null; exec \"$@\"");
    let shell = [SHELL, "-c", &script, "sh"].map(ToOwned::to_owned);
    command.splice(0..0, shell);
}

/// The program's standard input: at an end when it is dropped.
struct Input(Option<WriteHalf<Upgraded>>);

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

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Make<'a> {
    attach_stdin: bool,
    attach_stdout: bool,
    attach_stderr: bool,
    tty: bool,
    cmd: &'a [String],
    env: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    working_dir: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    console_size: Option<[u16; 2]>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Start {
    detach: bool,
    tty: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    console_size: Option<[u16; 2]>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Made {
    id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Looked {
    running: bool,
    exit_code: Option<i32>,
    #[serde(default)]
    can_remove: bool,
}

/// A program that was made in a container.
struct Program {
    http: Http,
    /// By which it is asked about.
    line: Line,
    id: Ref,
    podman: bool,
    begun: Instant,
    /// Nobody writes to its output any more: it has ended, or closed it.
    silent: Notify,
}

/// Runs a program in a container.
pub(crate) async fn run(
    http: &Http,
    container: &Ref,
    spec: &ExecSpec,
) -> Result<Execution, Trouble> {
    let mut command = spec.command.clone();
    if let Some(size) = spec.tty
        && !http.sizes_terminals().await?
        && archive::look(http, container, SHELL).await?.is_some()
    {
        size_by_shell(&mut command, size);
    }
    let tty = spec.tty.is_some();
    let console_size = spec.tty.map(|size| [size.rows, size.columns]);
    let make = Make {
        attach_stdin: spec.stdin,
        attach_stdout: true,
        attach_stderr: true,
        tty,
        cmd: &command,
        env: (spec.env.iter())
            .map(|(key, value)| format!("{key}={value}"))
            .collect(),
        user: spec.user.map(String::from),
        working_dir: (spec.cwd.as_ref()).map(|cwd| cwd.to_string_lossy().into_owned()),
        console_size,
    };
    let path = format!("/containers/{}/exec", container.as_str());
    let made: Made = http
        .post(&path, json(&make)?, http.patience(), SMALL)
        .await?;
    let id = Ref::new(made.id)
        .ok_or_else(|| Trouble::new(Class::Other, "it made something without an id"))?;
    let start = Start {
        detach: false,
        tty,
        console_size,
    };
    let path = format!("/exec/{}/start", id.as_str());
    let upgraded = http.upgrade(&path, json(&start)?, http.patience()).await?;
    let program = Arc::new(Program {
        http: http.clone(),
        line: Line::new(http.clone()),
        id,
        podman: http.facts().await?.podman,
        begun: Instant::now(),
        silent: Notify::new(),
    });
    let (from, to) = tokio::io::split(TokioIo::new(upgraded));
    let output = Output {
        program: Arc::clone(&program),
        from,
        buffer: BytesMut::new(),
        framed: !tty,
        open: None,
        quiet: QUIET,
        ended: false,
        failed: false,
    };
    let ending = Arc::clone(&program);
    let mut execution = Execution::new(output.into_stream(), async move { ending.end().await });
    if spec.stdin {
        execution = execution.with_stdin(ExecStdin::new(Input(Some(to))));
    }
    if let Some(size) = spec.tty {
        // An older engine takes no size with the start.
        program.resize_when_there(size).await;
        execution = execution.with_resize(move |size| {
            let program = Arc::clone(&program);
            async move { program.resize(size).await }
        });
    }
    Ok(execution)
}

fn json<T: Serialize>(value: &T) -> Result<Vec<u8>, Trouble> {
    serde_json::to_vec(value).map_err(|error| Trouble::new(Class::BadRequest, error.to_string()))
}

impl Program {
    /// How it ended, where it has.
    async fn ended(&self) -> Result<Option<ExitStatus>, Trouble> {
        let path = format!("/exec/{}/json", self.id.as_str());
        let looked: Looked = match self.line.get(&path, SMALL).await {
            Err(trouble) if is_gone(&trouble) => return Ok(Some(forgotten())),
            looked => looked?,
        };
        if looked.running {
            return Ok(None);
        }
        // Podman has a code for it before it runs, and lets it be removed only once it has ended.
        let over = !self.podman || looked.can_remove;
        match looked.exit_code.filter(|_| over) {
            Some(code) => Ok(Some(ExitStatus::Code(code))),
            // The connection is handed over before the program runs.
            None if self.begun.elapsed() < LONGEST_START => Ok(None),
            None => Ok(Some(forgotten())),
        }
    }

    async fn end(&self) -> Result<ExitStatus, Error> {
        let mut pause = SHORTEST_PAUSE;
        loop {
            match self.ended().await {
                Ok(Some(status)) => return Ok(status),
                Ok(None) => {}
                Err(trouble) if trouble.class == Class::Lost => {}
                Err(trouble) => return Err(trouble.error(Operation::Exec)),
            }
            let silent = timeout(pause, self.silent.notified()).await.is_ok();
            pause = if silent {
                SHORTEST_PAUSE
            } else {
                (pause * 2).min(LONGEST_PAUSE)
            };
        }
    }

    async fn resize(&self, size: TtySize) -> Result<(), Error> {
        match self.try_resize(size).await {
            Ok(()) => Ok(()),
            // It has ended meanwhile.
            Err(_) if matches!(self.ended().await, Ok(Some(_))) => Ok(()),
            Err(trouble) => Err(trouble.error(Operation::Exec)),
        }
    }

    async fn try_resize(&self, size: TtySize) -> Result<(), Trouble> {
        let (rows, columns) = (size.rows.to_string(), size.columns.to_string());
        let path = format!(
            "/exec/{}/resize?{}",
            self.id.as_str(),
            query(&[("h", &rows), ("w", &columns)])
        );
        self.http.done(&path, self.http.patience()).await
    }

    /// The terminal is there only when the program is.
    async fn resize_when_there(&self, size: TtySize) {
        let tried = async {
            for _ in 0..20 {
                if self.try_resize(size).await.is_ok() {
                    return;
                }
                sleep(Duration::from_millis(10)).await;
            }
        };
        // All of them within the time of one: nobody who has asked for a program waits for its terminal.
        if timeout(self.http.patience(), tried).await.is_err() {
            tracing::debug!(
                ?size,
                "the engine does not say whether the terminal has its size"
            );
        }
    }
}

/// Engines forget what ran in a container that is gone.
fn is_gone(trouble: &Trouble) -> bool {
    matches!(trouble.class, Class::NoContainer | Class::NotRunning)
        || trouble.words.to_lowercase().contains("no such exec")
}

fn forgotten() -> ExitStatus {
    ExitStatus::Unknown {
        why: "it ended, and the engine does not know how".to_owned(),
    }
}

/// What the program writes, taken out of its frames as it comes.
struct Output {
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
    fn into_stream(self) -> ExecOutput {
        ExecOutput::new(stream::unfold(self, |mut output| async {
            if output.failed {
                return None;
            }
            match output.next().await {
                Ok(Some(chunk)) => Some((Ok(chunk), output)),
                Ok(None) => None,
                Err(error) => {
                    output.failed = true;
                    Some((Err(error), output))
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
