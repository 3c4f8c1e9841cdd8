//! Running the program: in a group of its own, bounded in time and in what it says, ended with whoever waits.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, ChildStderr, ChildStdout, Command};
use tokio::time::timeout;

use crate::classify::{Class, Trouble};

/// A list of ten thousand containers.
const MAX_OUTPUT: u64 = 256 << 20;
/// More than any sentence.
const MAX_WORDS: u64 = 64 << 10;

/// How long is waited for the rest of what a program that has ended has written: something that it left behind
/// may hold its output open for ever.
const AFTERWARDS: Duration = Duration::from_millis(500);

/// The program, and where it is told that the engine is.
#[derive(Debug, Clone)]
pub(super) struct Program {
    path: String,
    host: Option<String>,
}

/// What the program is given besides its arguments. Holds values: never shown.
#[derive(Default)]
pub(super) struct Input {
    pub(super) stdin: Vec<u8>,
    pub(super) env: BTreeMap<String, String>,
}

impl Input {
    pub(super) fn none() -> Self {
        Self::default()
    }
}

/// What the program printed, and whether it was content.
pub(super) struct Output {
    pub(super) succeeded: bool,
    pub(super) stdout: Vec<u8>,
    words: String,
}

impl Output {
    pub(super) fn trouble(&self) -> Trouble {
        Trouble::said(None, self.words.clone())
    }
}

/// A program that runs. It and what it has started end with this.
#[derive(Debug)]
pub(super) struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // None where it has been waited for: its number may be another's by now.
        let pid = self.0.id().and_then(|id| i32::try_from(id).ok());
        if let Some(group) = pid.and_then(Pid::from_raw)
            && let Err(error) = kill_process_group(group, Signal::KILL)
        {
            tracing::trace!(%error, "the program had ended already");
        }
    }
}

impl Running {
    /// What it says on its way out; `None` where it was content.
    pub(super) async fn said(&mut self, stderr: ChildStderr) -> Option<Trouble> {
        let words = read(stderr, MAX_WORDS).await.unwrap_or_default();
        match self.0.wait().await {
            Ok(status) if status.success() => None,
            _ => Some(Trouble::said(None, plain(&words))),
        }
    }
}

pub(super) fn no_answer(limit: Duration) -> Trouble {
    Trouble::new(
        Class::Lost,
        format!("the program did not end within {limit:?}"),
    )
}

impl Program {
    pub(super) fn new(path: String, host: Option<String>) -> Self {
        Self { path, host }
    }

    /// Podman's program speaks Docker's language in most things.
    pub(super) fn is_podman(&self) -> bool {
        let name = self.path.rsplit('/').next().unwrap_or_default();
        name.starts_with("podman")
    }

    fn command(&self, args: &[&str], input: &Input) -> Command {
        let mut command = Command::new(&self.path);
        if let Some(host) = &self.host {
            if self.is_podman() {
                command.args(["--url", host]);
            } else {
                command
                    .env("DOCKER_HOST", host)
                    .env_remove("DOCKER_CONTEXT");
            }
        }
        command
            .args(args)
            .envs(&input.env)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true);
        command
    }

    fn spawn(&self, args: &[&str], input: &Input) -> Result<Child, Trouble> {
        self.command(args, input).spawn().map_err(|error| {
            let class = match error.kind() {
                io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied => Class::NoClient,
                _ => Class::Other,
            };
            Trouble::new(class, format!("{}: {error}", self.path))
        })
    }

    /// Starts it with nothing to read, for what it prints as it goes.
    pub(super) fn start(
        &self,
        args: &[&str],
    ) -> Result<(Running, ChildStdout, ChildStderr), Trouble> {
        let mut child = self.spawn(args, &Input::none())?;
        drop(child.stdin.take());
        let ends = child.stdout.take().zip(child.stderr.take());
        let (stdout, stderr) =
            ends.ok_or_else(|| Trouble::new(Class::Other, "the program has no ends to read"))?;
        Ok((Running(child), stdout, stderr))
    }

    /// Runs it to its end. What it prints where it is content, and else what is the matter.
    pub(super) async fn run(
        &self,
        args: &[&str],
        input: Input,
        limit: Duration,
    ) -> Result<Vec<u8>, Trouble> {
        let output = self.output(args, input, limit).await?;
        if output.succeeded {
            Ok(output.stdout)
        } else {
            Err(output.trouble())
        }
    }

    /// Runs it to its end.
    pub(super) async fn output(
        &self,
        args: &[&str],
        input: Input,
        limit: Duration,
    ) -> Result<Output, Trouble> {
        let mut running = Running(self.spawn(args, &input)?);
        let ran = timeout(limit, to_its_end(&mut running.0, input.stdin)).await;
        match ran {
            Ok(Ok(output)) => Ok(output),
            Ok(Err(error)) => Err(Trouble::new(Class::Lost, error.to_string())),
            Err(_) => Err(no_answer(limit)),
        }
    }
}

async fn to_its_end(child: &mut Child, input: Vec<u8>) -> io::Result<Output> {
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let write = async move {
        if let Some(mut stdin) = stdin {
            // One that reads nothing has its reason, and says it.
            let _ = stdin.write_all(&input).await;
        }
    };
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let status = {
        let reading = async {
            let out = read_into(stdout, MAX_OUTPUT, &mut out);
            let err = read_into(stderr, MAX_WORDS, &mut err);
            tokio::try_join!(out, err)
        };
        tokio::pin!(reading);
        let mut writing = std::pin::pin!(write);
        let (mut read, mut written) = (false, false);
        let status = loop {
            tokio::select! {
                status = child.wait() => break status?,
                () = &mut writing, if !written => written = true,
                done = &mut reading, if !read => {
                    done?;
                    read = true;
                }
            }
        };
        if !read && let Ok(done) = timeout(AFTERWARDS, &mut reading).await {
            done?;
        }
        status
    };
    Ok(Output {
        succeeded: status.success(),
        stdout: out,
        words: plain(&err),
    })
}

async fn read_into<R: AsyncRead + Unpin>(
    from: Option<R>,
    most: u64,
    into: &mut Vec<u8>,
) -> io::Result<()> {
    let Some(from) = from else {
        return Ok(());
    };
    let mut from = from.take(most);
    while from.read_buf(into).await? > 0 {}
    // What is beyond that is let go, so that nobody waits to be read.
    let mut rest = from.into_inner();
    tokio::io::copy(&mut rest, &mut tokio::io::sink()).await?;
    Ok(())
}

async fn read<R: AsyncRead + Unpin>(from: R, most: u64) -> io::Result<Vec<u8>> {
    let mut words = Vec::new();
    from.take(most).read_to_end(&mut words).await?;
    Ok(words)
}

/// What is said without the warnings around it.
fn plain(words: &[u8]) -> String {
    let text = String::from_utf8_lossy(words);
    let is_warning = |line: &str| {
        let line = line.trim_start().to_lowercase();
        line.starts_with("warning") || line.starts_with("time=") && line.contains("level=warn")
    };
    let said: Vec<&str> = text
        .lines()
        .filter(|line| !line.trim().is_empty() && !is_warning(line))
        .collect();
    said.join("\n")
}

impl fmt::Display for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the engine of `{}`", self.path)?;
        match &self.host {
            Some(host) => write!(f, " at {host}"),
            None => Ok(()),
        }
    }
}
