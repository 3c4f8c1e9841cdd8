//! A program that runs for us. It is bounded in time and in what it says, and it is ended together with all that
//! it has started.

use std::convert::Infallible;
use std::ffi::OsString;
use std::fmt;
use std::future::pending;
use std::io;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use humantime::format_duration;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};
use tokio::io::AsyncWriteExt as _;
use tokio::process::{Child, ChildStdin, Command};
use tokio::signal::unix::{Signal as Signals, SignalKind, signal};
use tokio::time::timeout;

use super::feed::Feed;
use super::pipe::Pipe;
use super::said::Said;
use super::talk::Talk;
use crate::classify::{Class, Trouble};
use crate::engine::Answer;

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
        Ok((Feed::new(running, out, err), stdin))
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
    pub(super) async fn ended(&mut self) {
        loop {
            if self.has_ended() {
                return;
            }
            if self.ends.recv().await.is_none() {
                return pending().await;
            }
        }
    }

    pub(super) fn has_ended(&mut self) -> bool {
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
    pub(super) fn end(&mut self) {
        self.has_ended();
        if let Some(pid) = self.group {
            // There may be nobody left in it.
            let _ = kill_process_group(pid, Signal::KILL);
        }
    }

    pub(super) async fn reap(&mut self) -> io::Result<ExitStatus> {
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
