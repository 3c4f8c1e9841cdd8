//! `exec`: runs a program beside an agent.

use std::future::pending;
use std::io::{self, IsTerminal, Write};
use std::pin::pin;

use alveary::{
    Agent, Error, Escaped, ExecSpec, ExecStdin, Execution, ExitStatus, LogStreamKind, Operation,
    SwarmManager, TtySize, User,
};
use clap::Args;
use futures_util::StreamExt as _;
use tokio::io::AsyncWriteExt as _;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

use crate::bulk;
use crate::context::Context;
use crate::failure::{Failure, outcome_of, tell_of};
use crate::keyboard::{self, DetachKeys, Raw, Watcher};
use crate::outcome::Outcome;
use crate::output::{note, write_escaped};

/// Runs a program in an agent's surroundings
///
/// In its container, or beside it as its user, in its directory, with its environment. What it ends with is what this
/// ends with.
#[derive(Debug, Args)]
#[command(after_help = "Example: alveary exec -it echo-1 sh")]
pub(crate) struct Exec {
    /// Hand on what is typed or piped in
    #[arg(short, long)]
    interactive: bool,

    /// Run it on a terminal
    #[arg(short, long)]
    tty: bool,

    /// A variable over the agent's own; without a value, the caller's
    #[arg(short, long = "env", value_name = "KEY[=VALUE]")]
    env: Vec<String>,

    /// The directory that it runs in
    #[arg(short, long, value_name = "PATH")]
    workdir: Option<String>,

    /// As whom it runs, in numbers
    #[arg(short, long, value_name = "UID[:GID]")]
    user: Option<User>,

    /// The keys that let go of a program on a terminal
    #[arg(long, value_name = "KEYS", default_value = "ctrl-p,ctrl-q")]
    detach_keys: DetachKeys,

    /// The agent, by name, by id or by the beginning of an id
    #[arg(value_name = "AGENT", add = crate::complete::agents())]
    agent: String,

    /// The program and its arguments
    #[arg(
        value_name = "PROGRAM",
        required = true,
        trailing_var_arg = true,
        allow_hyphen_values = true
    )]
    command: Vec<String>,
}

impl Exec {
    pub(crate) async fn run(&self, context: &Context) -> Result<Outcome, Failure> {
        let swarm = context.open().await?.swarm;
        let agent = self.one(&swarm).await?;
        let size = self.terminal()?;
        let exec = swarm.backend().exec().ok_or_else(|| {
            Error::unsupported(
                Operation::Exec,
                format!(
                    "{} runs no programs beside its agents",
                    swarm.backend().kind()
                ),
                "use a backend that does",
            )
        })?;
        let running = match exec.run(agent.id(), &self.spec(size)?).await {
            Ok(running) => running,
            Err(error) => {
                tell_of(agent.name(), &error);
                return Ok(outcome_of(&error));
            }
        };
        // Before the first key, and until all is written: a terminal that is left so is of no use. Where no keys come
        // from a terminal, none is to be changed.
        let raw = size
            .filter(|_| io::stdin().is_terminal())
            .map(|_| Raw::begin())
            .transpose()?;
        let ended = self.through(running).await;
        drop(raw);
        match ended? {
            Some(status) => Ok(Outcome::of_program(&status)),
            None if exec.ends_when_dropped() => {
                note("let go: here, that ends it");
                Ok(Outcome::Done)
            }
            None => {
                note("let go: it goes on");
                Ok(Outcome::Done)
            }
        }
    }

    async fn one(&self, swarm: &SwarmManager) -> Result<Agent, Failure> {
        let mut agents = bulk::resolve(swarm, std::slice::from_ref(&self.agent)).await?;
        match (agents.pop(), agents.len()) {
            (Some(agent), 0) => Ok(agent),
            (_, others) => Err(Failure::input(
                format!("`{}` means {} agents", Escaped(&self.agent), others + 1),
                format!("say which, such as `{}-1`", Escaped(&self.agent)),
            )),
        }
    }

    /// The size of the terminal that the program is to be given, if it is to be given one.
    fn terminal(&self) -> Result<Option<TtySize>, Failure> {
        if !self.tty {
            return Ok(None);
        }
        if self.interactive && !io::stdin().is_terminal() {
            return Err(Failure::input(
                "standard input is no terminal, and the program is to have one",
                "leave out -t to hand on what is piped in",
            ));
        }
        Ok(Some(keyboard::size().unwrap_or(TtySize::new(80, 24))))
    }

    fn spec(&self, size: Option<TtySize>) -> Result<ExecSpec, Failure> {
        let mut spec = ExecSpec::new(&self.command);
        for variable in &self.env {
            match variable.split_once('=') {
                Some((key, value)) => spec = spec.env(key, value),
                None => {
                    let held = std::env::var(variable).map_err(|_| {
                        Failure::input(
                            format!("the variable {} is not set here", Escaped(variable)),
                            format!("set it, or say its value: -e {}=VALUE", Escaped(variable)),
                        )
                    })?;
                    spec = spec.env(variable, held);
                }
            }
        }
        if let Some(workdir) = &self.workdir {
            spec = spec.cwd(workdir);
        }
        if let Some(user) = &self.user {
            spec = spec.user(*user);
        }
        if self.interactive {
            spec = spec.stdin();
        }
        if let Some(size) = size {
            spec = spec.tty(size);
            if let Ok(kind) = std::env::var("TERM")
                && !spec.env.contains_key("TERM")
            {
                spec = spec.env("TERM", kind);
            }
        }
        Ok(spec)
    }

    /// Carries keys in and output out until the program has ended. `None`: its user has let go of it.
    async fn through(&self, mut running: Execution) -> Result<Option<ExitStatus>, Failure> {
        let mut output = running.output.take();
        let keys = Keys {
            typed: running.stdin.is_some().then(keyboard::typed),
            to: running.stdin.take(),
            watcher: self.tty.then(|| Watcher::new(self.detach_keys.clone())),
        };
        let mut let_go = pin!(keys.until_let_go());
        let mut resized = signal(SignalKind::window_change())?;
        let escapes = !self.tty;
        while let Some(from) = &mut output {
            tokio::select! {
                chunk = from.next() => match chunk {
                    Some(chunk) => {
                        let chunk = chunk?;
                        write(chunk.stream, &chunk.bytes, escapes)?;
                    }
                    None => output = None,
                },
                () = &mut let_go => return Ok(None),
                _ = resized.recv(), if self.tty => {
                    if let Some(size) = keyboard::size() {
                        running.resize(size).await?;
                    }
                }
            }
        }
        Ok(Some(running.wait().await?))
    }
}

/// What is typed, on its way to the program.
struct Keys {
    typed: Option<mpsc::Receiver<io::Result<Vec<u8>>>>,
    to: Option<ExecStdin>,
    watcher: Option<Watcher>,
}

impl Keys {
    /// Hands on what is typed, until the keys that let go are. Where there is nothing more to hand on, never.
    async fn until_let_go(mut self) {
        while let Some(Ok(typed)) = self.next().await {
            let (bytes, let_go) = match &mut self.watcher {
                Some(watcher) => watcher.pass(&typed),
                None => (typed, false),
            };
            // A program that reads no more has a reason, and its end tells it.
            if self.hand_on(&bytes).await.is_err() {
                break;
            }
            if let_go {
                return;
            }
        }
        // The end of what is typed is the end of the program's input.
        drop(self);
        pending::<()>().await;
    }

    async fn next(&mut self) -> Option<io::Result<Vec<u8>>> {
        self.typed.as_mut()?.recv().await
    }

    async fn hand_on(&mut self, bytes: &[u8]) -> io::Result<()> {
        if let Some(to) = &mut self.to {
            to.write_all(bytes).await?;
            to.flush().await?;
        }
        Ok(())
    }
}

/// Hands on what the program writes: to a terminal that is not the program's own, harmless.
fn write(stream: LogStreamKind, bytes: &[u8], escapes: bool) -> io::Result<()> {
    let (mut stdout, mut stderr) = (io::stdout(), io::stderr());
    let (out, is_terminal): (&mut dyn Write, bool) = match stream {
        LogStreamKind::Stderr => {
            let is_terminal = stderr.is_terminal();
            (&mut stderr, is_terminal)
        }
        _ => {
            let is_terminal = stdout.is_terminal();
            (&mut stdout, is_terminal)
        }
    };
    if escapes && is_terminal {
        let mut harmless = Vec::with_capacity(bytes.len());
        for (number, line) in bytes.split(|byte| *byte == b'\n').enumerate() {
            if number > 0 {
                harmless.push(b'\n');
            }
            write_escaped(&mut harmless, line.strip_suffix(b"\r").unwrap_or(line))?;
        }
        out.write_all(&harmless)?;
    } else {
        out.write_all(bytes)?;
    }
    out.flush()
}
