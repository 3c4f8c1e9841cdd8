//! A program that runs for us. It is bounded in time and in what it says, and it is ended together with all that
//! it has started.

use std::convert::Infallible;
use std::ffi::OsString;
use std::fmt;
use std::future::pending;
use std::io;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use bytes::BytesMut;
use humantime::format_duration;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};
use tokio::io::AsyncWriteExt as _;
use tokio::net::unix::pipe::Receiver;
use tokio::process::{Child, ChildStdin, Command};
use tokio::signal::unix::{Signal as Signals, SignalKind, signal};
use tokio::time::timeout;

use super::said::Said;
use super::talk::Talk;
use crate::classify::{Class, Trouble};
use crate::engine::Answer;

/// How much is read from a pipe at a time.
const PIECE: usize = 64 << 10;

/// How much of what a program says on standard error is kept.
const MAX_WORDS: usize = 32 << 10;

/// A program, and the environment that it is run in: that one and no other.
#[derive(Clone)]
pub(super) struct Program {
    pub(super) name: String,
    pub(super) env: Vec<(OsString, OsString)>,
}

/// One run of it to its end.
pub(super) struct Call {
    args: Vec<String>,
    /// What it reads on standard input. May hold anybody's secrets: never shown.
    input: Option<Vec<u8>>,
    limit: Duration,
    /// The most that it may say on standard output.
    most: usize,
}

impl Call {
    pub(super) fn new(args: impl IntoIterator<Item = impl Into<String>>, limit: Duration) -> Self {
        Self {
            args: args.into_iter().map(Into::into).collect(),
            input: None,
            limit,
            most: 1 << 20,
        }
    }

    pub(super) fn at_most(mut self, most: usize) -> Self {
        self.most = most;
        self
    }

    pub(super) fn with_input(mut self, input: Vec<u8>) -> Self {
        self.input = Some(input);
        self
    }
}

impl Program {
    /// Runs it to its end.
    ///
    /// `Class::Lost`: it took too long or said too much, and was ended; what it had asked of the engine may be
    /// carried out nevertheless.
    pub(super) async fn run(&self, call: Call) -> Answer<Said> {
        let (mut feed, stdin) = self.spawn(&call.args, call.input.is_some())?;
        let talk = async {
            while feed.more(None).await? {
                if feed.out.held.len() > call.most {
                    return Err(Trouble::new(
                        Class::Lost,
                        format!("`{}` said more than {} bytes", self.name, call.most),
                    ));
                }
            }
            feed.finish().await
        };
        let feeding = async {
            // A program that does not read its input to the end has a reason, and tells it.
            if let Some((mut stdin, input)) = stdin.zip(call.input) {
                let _ = stdin.write_all(&input).await;
            }
            pending::<Infallible>().await
        };
        let talked = timeout(call.limit, async {
            tokio::select! {
                said = talk => said,
                never = feeding => match never {},
            }
        });
        match talked.await {
            Ok(said) => said,
            Err(_) => Err(Trouble::new(
                Class::Lost,
                format!(
                    "`{}` did not end within {}",
                    self.name,
                    format_duration(call.limit)
                ),
            )),
        }
    }

    /// Starts it, to be listened to as long as one likes.
    pub(super) fn open(&self, args: &[String]) -> Answer<Feed> {
        let (feed, _) = self.spawn(args, false)?;
        Ok(feed)
    }

    /// Starts it, to be talked with.
    pub(super) fn talk(&self, args: &[String]) -> Answer<Talk> {
        let (feed, input) = self.spawn(args, true)?;
        let output = feed.out.from;
        let output = output.ok_or_else(|| Trouble::new(Class::Other, "it has no output"))?;
        Ok(Talk {
            _running: feed.running,
            _words: feed.err,
            input,
            output,
        })
    }

    fn spawn(&self, args: &[String], with_input: bool) -> Answer<(Feed, Option<ChildStdin>)> {
        let ours = |error: io::Error| {
            Trouble::new(
                Class::Other,
                format!("`{}` cannot be listened to: {error}", self.name),
            )
        };
        // Before the child is there, so that its end is not missed.
        let ends = signal(SignalKind::child()).map_err(ours)?;
        let mut child = Command::new(&self.name)
            .args(args)
            .env_clear()
            .envs(self.env.iter().map(|(key, value)| (key, value)))
            .stdin(if with_input {
                Stdio::piped()
            } else {
                Stdio::null()
            })
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .spawn()
            .map_err(|error| self.not_started(&error))?;
        let pipes = child.stdout.take().zip(child.stderr.take());
        let stdin = child.stdin.take();
        let pid = child
            .id()
            .and_then(|pid| Pid::from_raw(i32::try_from(pid).ok()?));
        let running = Running {
            child,
            group: pid,
            ends,
        };
        let Some((stdout, stderr)) = pipes else {
            return Err(Trouble::new(Class::Other, "it has no output"));
        };
        let out = Pipe::new(stdout.into_owned_fd()).map_err(ours)?;
        let err = Pipe::new(stderr.into_owned_fd()).map_err(ours)?;
        let feed = Feed {
            running,
            over: false,
            err_is_data: false,
            out,
            err,
        };
        Ok((feed, stdin))
    }

    fn not_started(&self, error: &io::Error) -> Trouble {
        let class = match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied => Class::NoClient,
            io::ErrorKind::ArgumentListTooLong => Class::NoLine,
            io::ErrorKind::OutOfMemory | io::ErrorKind::WouldBlock => Class::Full,
            _ => Class::Other,
        };
        Trouble::new(class, format!("`{}` cannot be started: {error}", self.name))
    }
}

impl fmt::Debug for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Program").field(&self.name).finish()
    }
}

/// A child and its process group. Dropped, both are ended by force.
pub(super) struct Running {
    child: Child,
    /// As long as the child is not reaped, this number is its group's and nobody else's.
    group: Option<Pid>,
    ends: Signals,
}

impl Running {
    /// Completes when the child has ended, without reaping it. What it has started may go on.
    async fn ended(&mut self) {
        loop {
            if self.has_ended() {
                return;
            }
            if self.ends.recv().await.is_none() {
                return pending().await;
            }
        }
    }

    fn has_ended(&mut self) -> bool {
        let Some(pid) = self.group else {
            return true;
        };
        let look = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        match waitid(WaitId::Pid(pid), look) {
            Ok(None) => false,
            Ok(Some(_)) => true,
            // Somebody else has reaped it: the number may be anybody's by now.
            Err(_) => {
                self.group = None;
                true
            }
        }
    }

    /// Ends the group, if its number is still the group's.
    fn end(&mut self) {
        self.has_ended();
        if let Some(pid) = self.group {
            // There may be nobody left in it.
            let _ = kill_process_group(pid, Signal::KILL);
        }
    }

    async fn reap(&mut self) -> io::Result<ExitStatus> {
        self.group = None;
        self.child.wait().await
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // The runtime reaps the child afterwards.
        self.end();
    }
}

/// What was read of one of a child's outputs, and where more comes from.
pub(super) struct Pipe {
    from: Option<Receiver>,
    scratch: Box<[u8]>,
    pub(super) held: BytesMut,
}

impl Pipe {
    fn new(fd: io::Result<std::os::fd::OwnedFd>) -> io::Result<Self> {
        Ok(Self {
            from: Some(Receiver::from_owned_fd(fd?)?),
            scratch: vec![0; PIECE].into_boxed_slice(),
            held: BytesMut::new(),
        })
    }

    /// Nobody writes any more.
    pub(super) fn is_closed(&self) -> bool {
        self.from.is_none()
    }

    /// Reads what is there, past what the runtime knows of it: it learns of data only some time after they have
    /// come.
    fn take(&mut self) -> io::Result<bool> {
        let Some(from) = &self.from else {
            return Ok(false);
        };
        let read = loop {
            match rustix::io::read(from, &mut self.scratch[..]) {
                Err(rustix::io::Errno::INTR) => {}
                read => break read,
            }
        };
        match read {
            Ok(0) => {
                self.from = None;
                Ok(false)
            }
            Ok(length) => {
                self.held.extend_from_slice(&self.scratch[..length]);
                Ok(true)
            }
            Err(rustix::io::Errno::AGAIN) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Completes when something may be there. Never, where nobody writes.
    async fn readable(&mut self) -> io::Result<()> {
        let Some(from) = &self.from else {
            return pending().await;
        };
        from.readable().await?;
        // Makes the runtime wait anew, where it was mistaken.
        match from.try_read_buf(&mut self.held) {
            Ok(0) => self.from = None,
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }
}

/// A child that is listened to.
pub(super) struct Feed {
    running: Running,
    /// The child itself has ended, and all that it wrote was read.
    over: bool,
    /// Standard error bears more than words, and is kept whole.
    err_is_data: bool,
    pub(super) out: Pipe,
    pub(super) err: Pipe,
}

impl Feed {
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
