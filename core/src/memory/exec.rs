//! Programs that are run beside an agent: async closures like the agent itself.

use std::collections::BTreeMap;
use std::fmt;
use std::future::pending;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::BytesMut;
use futures_core::Stream;
use futures_util::stream;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, DuplexStream, duplex, empty};
use tokio::sync::watch;
use tokio::task::JoinError;
use tokio_util::task::AbortOnDropHandle;

use super::agent::{Agent, PANICKED};
use super::engine::ExecProgram;
use super::spawn::runtime;
use super::{MemoryBackend, ensure_incarnation};
use crate::error::{Error, ErrorKind, Operation, Result};
use crate::exit::ExitStatus;
use crate::facets::{Exec, ExecChunk, ExecOutput, ExecSpec, ExecStdin, Execution, TtySize};
use crate::id::AgentId;
use crate::logs::LogStreamKind;
use crate::signal::Signal;

/// How much of each stream is kept for who reads it: what a pipe keeps on Linux.
const KEPT: usize = 64 * 1024;

/// How much is read at once.
const PIECE: usize = 8 * 1024;

/// What a program is given that is run beside an agent of a [`MemoryBackend`]: whose it is, what it is given
/// to do, and its streams. See [`MemoryEngine::with_exec`](crate::MemoryEngine::with_exec).
pub struct ExecContext {
    agent: Arc<Agent>,
    args: Vec<String>,
    env: BTreeMap<String, String>,
    terminal: Option<watch::Receiver<TtySize>>,
    /// Its standard input: empty unless whoever runs it writes to it.
    pub stdin: Box<dyn AsyncRead + Send + Unpin>,
    /// Its standard output. Writing waits for who reads it.
    pub stdout: Box<dyn AsyncWrite + Send + Unpin>,
    /// Its standard error.
    pub stderr: Box<dyn AsyncWrite + Send + Unpin>,
}

impl ExecContext {
    /// Beside which agent it runs.
    pub fn id(&self) -> &AgentId {
        &self.agent.id
    }

    /// The arguments behind the program's name.
    pub fn args(&self) -> &[String] {
        &self.args
    }

    /// Its environment: the agent's, and over it what the call sets.
    pub fn env(&self) -> &BTreeMap<String, String> {
        &self.env
    }

    /// One variable of its environment.
    pub fn var(&self, key: &str) -> Option<&str> {
        self.env.get(key).map(String::as_str)
    }

    /// The present size of its terminal, if it runs on one.
    pub fn tty_size(&self) -> Option<TtySize> {
        self.terminal.as_ref().map(|size| *size.borrow())
    }

    /// Ends when its terminal has another size. Never where it runs on none.
    pub async fn resized(&mut self) -> TtySize {
        if let Some(size) = &mut self.terminal
            && size.changed().await.is_ok()
        {
            return *size.borrow_and_update();
        }
        // Nobody is left who could change it.
        pending().await
    }
}

impl fmt::Debug for ExecContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExecContext")
            .field("id", self.id())
            .field("args", &self.args)
            .field("tty", &self.tty_size())
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl Exec for MemoryBackend {
    async fn run(&self, id: &AgentId, spec: &ExecSpec) -> Result<Execution> {
        spec.validate().map_err(|error| error.with_agent(id))?;
        let agent = self.find(Operation::Exec, id)?;
        ensure_incarnation(&agent, spec.incarnation, Operation::Exec)?;
        agent.ensure_runs(Operation::Exec)?;
        if agent.motion.is_paused() {
            return Err(
                Error::new(ErrorKind::Conflict, Operation::Exec, "it is paused")
                    .with_agent(id)
                    .with_cure("have it go on first"),
            );
        }
        admit(spec).map_err(|error| error.with_agent(id))?;
        let program = self
            .exec_program_of(spec)
            .map_err(|error| error.with_agent(id))?;
        start(agent, spec, program)
    }

    fn ends_when_dropped(&self) -> bool {
        true
    }
}

impl MemoryBackend {
    fn exec_program_of(&self, spec: &ExecSpec) -> Result<ExecProgram> {
        let name = spec.command.first().map_or("", String::as_str);
        self.engine.exec_program(name).ok_or_else(|| {
            Error::new(
                ErrorKind::InvalidSpec,
                Operation::Exec,
                format!("there is no program `{name}` in memory to run beside an agent"),
            )
            .with_cure("give the backend one by `with_exec`")
        })
    }
}

/// Refuses what a closure cannot have.
fn admit(spec: &ExecSpec) -> Result<()> {
    let asked_for = [(spec.user.is_some(), "user"), (spec.cwd.is_some(), "cwd")];
    match asked_for.iter().find(|(asked, _)| *asked) {
        None => Ok(()),
        Some((_, what)) => Err(Error::unsupported(
            Operation::Exec,
            format!("this backend gives its programs no `{what}`"),
            "leave it out, or choose a backend that can",
        )),
    }
}

fn start(agent: Arc<Agent>, spec: &ExecSpec, program: ExecProgram) -> Result<Execution> {
    let runtime = runtime(Operation::Exec).map_err(|error| error.with_agent(&agent.id))?;
    let (stdout, reads_stdout) = duplex(KEPT);
    let (stderr, reads_stderr) = duplex(KEPT);
    let (writes_stdin, stdin): (_, Box<dyn AsyncRead + Send + Unpin>) = if spec.stdin {
        let (writes, stdin) = duplex(KEPT);
        (Some(writes), Box::new(stdin))
    } else {
        (None, Box::new(empty()))
    };
    let (resizes, terminal) = match spec.tty {
        Some(size) => {
            let (resizes, terminal) = watch::channel(size);
            (Some(resizes), Some(terminal))
        }
        None => (None, None),
    };
    let mut env = agent.given.env.clone();
    env.extend(spec.env.clone());
    let context = ExecContext {
        agent: agent.clone(),
        args: spec.command.iter().skip(1).cloned().collect(),
        env,
        terminal,
        stdin,
        stdout: Box::new(stdout),
        stderr: Box::new(stderr),
    };
    let running = AbortOnDropHandle::new(runtime.spawn(async move {
        tokio::select! {
            biased;
            () = agent.ended.cancelled() => ExitStatus::Signal(Signal::KILL),
            status = agent.motion.run(async move { program(context).await }) => status,
        }
    }));
    let ending = async move {
        Ok(match running.await {
            Ok(status) => status,
            Err(error) => told(&error),
        })
    };
    let errors = if spec.tty.is_some() {
        LogStreamKind::Stdout
    } else {
        LogStreamKind::Stderr
    };
    let output = stream::select(
        pieces(LogStreamKind::Stdout, reads_stdout),
        pieces(errors, reads_stderr),
    );
    let mut execution = Execution::new(ExecOutput::new(output), ending);
    if let Some(stdin) = writes_stdin {
        execution = execution.with_stdin(ExecStdin::new(stdin));
    }
    if let Some(resizes) = resizes {
        execution = execution.with_resize(move |size| {
            resizes.send_replace(size);
            async { Ok(()) }
        });
    }
    Ok(execution)
}

/// How a program ended that did not return.
fn told(error: &JoinError) -> ExitStatus {
    if error.is_panic() {
        return ExitStatus::Code(PANICKED);
    }
    ExitStatus::Unknown {
        why: "the runtime that ran it has ended".to_owned(),
    }
}

fn pieces(
    stream: LogStreamKind,
    reader: DuplexStream,
) -> impl Stream<Item = Result<ExecChunk>> + Send {
    stream::unfold(Some(reader), move |reader| async move {
        let mut reader = reader?;
        let mut piece = BytesMut::with_capacity(PIECE);
        match reader.read_buf(&mut piece).await {
            Ok(0) => None,
            Ok(_) => Some((Ok(ExecChunk::new(stream, piece.freeze())), Some(reader))),
            Err(error) => {
                let failed = Error::new(
                    ErrorKind::Engine,
                    Operation::Exec,
                    "what the program writes cannot be read",
                )
                .with_cure("run it again only if a second one does no harm");
                Some((Err(failed.with_source(error)), None))
            }
        }
    })
}
