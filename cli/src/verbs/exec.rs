//! `exec`: runs a program beside an agent.

mod keys;
mod out;

use std::io::{self, IsTerminal};
use std::path::Path;
use std::pin::pin;

use alveary::{
    Agent, Error, ErrorKind, Escaped, ExecSpec, Execution, ExitStatus, LogStreamKind, Operation,
    SwarmManager, TtySize, User,
};
use clap::{Args, ValueHint};
use futures_util::StreamExt as _;
use tokio::signal::unix::{SignalKind, signal};

use crate::bulk;
use crate::context::Context;
use crate::failure::{Failure, outcome_of, tell_of};
use crate::keyboard::{self, DetachKeys, Raw, Watcher};
use crate::outcome::Outcome;
use crate::output::note;
use crate::typed;
use keys::Keys;
use out::Out;

/// Runs a program in an agent's surroundings
///
/// In its container, or beside it as its user, in its directory, with its environment. What it ends with is what this
/// ends with: 126 where it cannot be executed, and 127 where it is not there.
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

    /// A file of variables, over the agent's own and under those of --env
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    env_file: Vec<String>,

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
        let spec = self.spec(size)?;
        spec.validate()
            .map_err(|error| about_flags(error.with_agent(agent.id()).with_name(agent.name())))?;
        let running = match exec.run(agent.id(), &spec).await {
            Ok(running) => running,
            Err(error) => {
                tell_of(agent.name(), &about_flags(error.clone()));
                return Ok(unbegun(&error));
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
        match ended.map_err(|failure| failure.of(agent.name()))? {
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
        typed::are_there(&self.env_file)?;
        for file in &self.env_file {
            let variables = alveary::read_env_file(Path::new(file))
                .map_err(|error| typed::not_of_variables(file, error.message()))?;
            for (key, value) in variables {
                spec = spec.env(key, value);
            }
        }
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
        let typed = running.stdin.is_some().then(keyboard::typed);
        let watcher = self.tty.then(|| Watcher::new(self.detach_keys.clone()));
        let keys = Keys::new(typed, running.stdin.take(), watcher);
        let mut let_go = pin!(keys.until_let_go());
        let mut resized =
            signal(SignalKind::window_change()).map_err(Failure::system("listen to signals"))?;
        let mut stdout = Out::new(io::stdout(), self.tty);
        let mut stderr = Out::new(io::stderr(), self.tty);
        while let Some(from) = &mut output {
            tokio::select! {
                chunk = from.next() => match chunk {
                    Some(chunk) => {
                        let chunk = chunk?;
                        match chunk.stream {
                            LogStreamKind::Stderr => stderr.piece(&chunk.bytes)?,
                            _ => stdout.piece(&chunk.bytes)?,
                        }
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
        stdout.end()?;
        stderr.end()?;
        Ok(Some(running.wait().await?))
    }
}

/// What a program is told to have ended with that could not be begun, as in a shell: it is there, or it is not.
const CANNOT_BE_RUN: u8 = 126;
const IS_NOT_THERE: u8 = 127;

/// How backends say that there is none, or no folder for it: engines do not tell the two apart.
const NOT_THERE: [&str; 3] = [
    "there is no program",
    "does not exist",
    "is not in the image",
];

/// What the shell is told of a program that did not begin. One that did may have ended with anything else.
fn unbegun(error: &Error) -> Outcome {
    if error.kind() != ErrorKind::InvalidSpec {
        return outcome_of(error);
    }
    let is_not_there = |words: &&str| error.message().contains(words);
    Outcome::Program(if NOT_THERE.iter().any(is_not_there) {
        IS_NOT_THERE
    } else {
        CANNOT_BE_RUN
    })
}

/// The same with a cure that speaks of what was typed.
fn about_flags(error: Error) -> Error {
    let cure = error.cure().map(|cure| typed::cure(cure, "--workdir"));
    match cure {
        Some(cure) => error.with_cure(cure),
        None => error,
    }
}
