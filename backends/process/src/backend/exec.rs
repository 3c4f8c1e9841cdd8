//! Running programs beside local processes. What they read and write goes through nobody but us.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use alveary_core::{
    AgentId, Error, ErrorKind, Exec, ExecChunk, ExecOutput, ExecSpec, ExecStdin, Execution,
    ExitStatus, LogStreamKind, Operation, Result,
};
use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use futures_core::Stream;
use futures_util::stream;
use tokio::io::AsyncWrite;
use tokio::net::unix::pipe::{Receiver, Sender};
use tokio::sync::watch;
use tokio_util::task::AbortOnDropHandle;

use super::{Keeping, ProcessBackend};
use crate::keep::Errand;
use crate::os::streams::{self, Ours};

/// How much is read at once.
const PIECE: usize = 16 * 1024;

type Status = watch::Receiver<Option<ExitStatus>>;

/// The program has the environment with which the agent was started, and is where the agent's main process is
/// now. Beside it are its descendants: they are left when it ends by itself, and end with it when it is
/// dropped.
#[async_trait]
impl Exec for ProcessBackend {
    async fn run(&self, id: &AgentId, spec: &ExecSpec) -> Result<Execution> {
        spec.validate().map_err(|error| error.with_agent(id))?;
        let opened = match spec.tty {
            Some(size) => streams::terminal(size, spec.stdin),
            None => streams::pipes(spec.stdin),
        };
        let (ours, theirs) = opened.map_err(|error| {
            let what = "no streams can be had for the program";
            crate::trouble::from_io(Operation::Exec, what, error).with_agent(id)
        })?;
        let errand = Errand::new(id, spec);
        match &self.0.keeping {
            Keeping::Here(here) => {
                let mut program = here.keep().await?.run_beside(&errand, &theirs)?;
                Ok(execution(ours, async move { program.ended().await }))
            }
            Keeping::Apart(client) => {
                let mut program = client.run_beside(id, errand, theirs).await?;
                Ok(execution(ours, async move { program.ended().await }))
            }
        }
    }

    fn ends_when_dropped(&self) -> bool {
        true
    }
}

/// The program in the hands of who runs it. It is ended when `ended` is dropped.
fn execution(ours: Ours, ended: impl Future<Output = ExitStatus> + Send + 'static) -> Execution {
    // Known also to those who only read.
    let (told, mut status) = watch::channel(None);
    let watching = AbortOnDropHandle::new(tokio::spawn(async move {
        told.send_replace(Some(ended.await));
    }));
    let output = match ours.stderr {
        Some(stderr) => ExecOutput::new(stream::select(
            pieces(LogStreamKind::Stdout, ours.stdout, Some(status.clone())),
            pieces(LogStreamKind::Stderr, stderr, Some(status.clone())),
        )),
        // The kernel hangs a terminal up with the session that it belongs to.
        None => ExecOutput::new(pieces(LogStreamKind::Stdout, ours.stdout, None)),
    };
    let mut execution = Execution::new(output, async move {
        let _watching = watching;
        let known = status.wait_for(Option::is_some).await;
        Ok(known
            .ok()
            .and_then(|known| known.clone())
            .unwrap_or_else(|| ExitStatus::Unknown {
                why: "the runtime that waited for it has ended".to_owned(),
            }))
    });
    if let Some(stdin) = ours.stdin {
        execution = execution.with_stdin(ExecStdin::new(Stdin(Some(stdin))));
    }
    if let Some(terminal) = ours.terminal {
        let terminal = Arc::new(terminal);
        execution = execution.with_resize(move |size| {
            let terminal = Arc::clone(&terminal);
            async move {
                terminal.resize(size).map_err(|error| {
                    let what = "its terminal cannot be given another size";
                    crate::trouble::from_io(Operation::Exec, what, error)
                })
            }
        });
    }
    execution
}

/// What comes through a pipe until all its other ends are closed, or the program has ended and what it wrote
/// has been read: processes that it has left may hold the pipe for ever.
fn pieces(
    kind: LogStreamKind,
    pipe: Receiver,
    status: Option<Status>,
) -> impl Stream<Item = Result<ExecChunk>> + Send {
    stream::unfold(Some((pipe, status, false)), move |state| async move {
        let (pipe, mut status, mut over) = state?;
        loop {
            match if over { take_rest(&pipe) } else { take(&pipe) } {
                Ok(None) => return None,
                Ok(Some(bytes)) => {
                    return Some((Ok(ExecChunk::new(kind, bytes)), Some((pipe, status, over))));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock && over => return None,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Some((Err(unreadable(error)), None)),
            }
            tokio::select! {
                readable = pipe.readable() => if let Err(error) = readable {
                    return Some((Err(unreadable(error)), None));
                },
                () = until_over(&mut status) => over = true,
            }
        }
    })
}

/// `None`: nothing will come any more.
fn take(pipe: &Receiver) -> io::Result<Option<Bytes>> {
    let mut piece = BytesMut::with_capacity(PIECE);
    match pipe.try_read_buf(&mut piece) {
        Ok(0) => Ok(None),
        Ok(_) => Ok(Some(piece.freeze())),
        // So a terminal tells that nobody has its other side open.
        Err(error) if error.raw_os_error() == Some(libc::EIO) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The same, by the kernel's word and not by what the runtime has heard of it yet: what was written before the
/// end is there at the end.
fn take_rest(pipe: &Receiver) -> io::Result<Option<Bytes>> {
    let mut piece = vec![0; PIECE];
    let len = rustix::io::retry_on_intr(|| rustix::io::read(pipe, &mut piece))?;
    piece.truncate(len);
    Ok((len > 0).then(|| piece.into()))
}

async fn until_over(status: &mut Option<Status>) {
    match status {
        // That nobody will tell any more is an end too: it was dropped.
        Some(status) => drop(status.wait_for(Option::is_some).await),
        None => std::future::pending().await,
    }
}

fn unreadable(error: io::Error) -> Error {
    let what = "what the program writes cannot be read";
    Error::new(ErrorKind::Engine, Operation::Exec, what)
        .with_cure("run it again only if a second one does no harm")
        .with_source(error)
}

/// A pipe, or a terminal, that is closed when it is shut down.
struct Stdin(Option<Sender>);

impl Stdin {
    fn open(&mut self) -> io::Result<Pin<&mut Sender>> {
        let open = self.0.as_mut().map(Pin::new);
        open.ok_or_else(|| io::ErrorKind::BrokenPipe.into())
    }
}

impl AsyncWrite for Stdin {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.open()?.poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.open() {
            Ok(open) => open.poll_flush(cx),
            Err(_) => Poll::Ready(Ok(())),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0 = None;
        Poll::Ready(Ok(()))
    }
}
