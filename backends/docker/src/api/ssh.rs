//! A connection by ssh to the engine of another host, through that host's own `docker`, as Docker's program has it.

use std::fs::File;
use std::io::{self, Read as _, Seek as _};
use std::pin::{Pin, pin};
use std::process::{ExitStatus, Stdio};
use std::task::{Context, Poll, ready};

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use crate::classify::{Class, Trouble, classify};
use crate::find::SshTarget;
use crate::http::lost::Carried;

/// What a shell says of a program that it does not find.
const NO_PROGRAM: i32 = 127;

/// How much is read of what ssh says.
const MAX_WORDS: u64 = 32 << 10;

/// A run of ssh. Dropped, it is ended, with what it has started.
pub(super) struct Piped {
    whom: String,
    ssh: Child,
    /// `None` once it was shut down: only a pipe that is closed is at its end.
    input: Option<ChildStdin>,
    output: ChildStdout,
    /// A file and no pipe: a program that ssh leaves behind to share its connection may hold it open for ever.
    words: File,
    /// Whether the engine has said anything.
    heard: bool,
}

/// Its user's own settings hold, but that it asks nobody for a password: there is nobody to answer.
fn args(target: &SshTarget) -> Vec<String> {
    let mut args: Vec<String> = ["-T", "-o", "BatchMode=yes"].map(Into::into).into();
    if let Some(port) = target.port {
        args.extend(["-p".to_owned(), port.to_string()]);
    }
    args.extend(["--".to_owned(), target.who.clone(), "docker".to_owned()]);
    let socket = target.socket.as_ref();
    args.extend(socket.map(|path| format!("--host=unix://{path}")));
    args.extend(["system", "dial-stdio"].map(Into::into));
    args
}

impl Piped {
    pub(super) fn open(target: &SshTarget) -> Result<Self, Trouble> {
        let not_started = |error: io::Error| {
            let class = match error.kind() {
                io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied => Class::NoSsh,
                _ => Class::Full,
            };
            Trouble::new(class, format!("`ssh` cannot be started: {error}"))
        };
        let words = tempfile::tempfile().map_err(not_started)?;
        let mut ssh = Command::new("ssh")
            .args(args(target))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(words.try_clone().map_err(not_started)?)
            // Ctrl-C is for us: agents are stopped by this connection then.
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .map_err(not_started)?;
        let ends = ssh.stdin.take().zip(ssh.stdout.take());
        let (input, output) =
            ends.ok_or_else(|| not_started(io::Error::other("it has no ends to talk to")))?;
        Ok(Self {
            whom: target.to_string(),
            ssh,
            input: Some(input),
            output,
            words,
            heard: false,
        })
    }

    /// How it ended, once it has.
    fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let status = ready!(pin!(self.ssh.wait()).poll(cx))?;
        Poll::Ready(if status.success() {
            Ok(())
        } else {
            Err(Carried(self.trouble(status)).into_io())
        })
    }

    fn trouble(&mut self, status: ExitStatus) -> Trouble {
        let mut said = Vec::new();
        let read = self
            .words
            .rewind()
            .and_then(|()| (&self.words).take(MAX_WORDS).read_to_end(&mut said));
        let said = String::from_utf8_lossy(&said);
        let words = match read {
            Ok(_) => said.trim(),
            Err(_) => "",
        };
        let class = match classify(None, words) {
            // Whatever it was, a request may have been on its way.
            _ if self.heard => Class::Lost,
            Class::Other | Class::Refused | Class::NoProgram
                if status.code() == Some(NO_PROGRAM) =>
            {
                Class::NoDockerThere
            }
            Class::Other | Class::Refused => Class::Unreachable,
            class => class,
        };
        let words = words.replace("\r\n", "\n");
        Trouble::new(class, format!("ssh to {} ({status}): {words}", self.whom))
    }

    /// Bytes went nowhere: it is about to end, and then says why.
    fn poll_why(&mut self, cx: &mut Context<'_>, error: io::Error) -> Poll<io::Error> {
        if error.kind() != io::ErrorKind::BrokenPipe {
            return Poll::Ready(error);
        }
        self.poll_end(cx).map(|ended| ended.err().unwrap_or(error))
    }

    fn input(&mut self) -> io::Result<Pin<&mut ChildStdin>> {
        let input = self.input.as_mut();
        input
            .map(Pin::new)
            .ok_or_else(|| io::ErrorKind::BrokenPipe.into())
    }
}

impl Drop for Piped {
    fn drop(&mut self) {
        // A number that was not waited for is nobody else's.
        let group = self.ssh.id().and_then(|id| i32::try_from(id).ok());
        if let Some(group) = group.and_then(Pid::from_raw) {
            // It may have ended by itself.
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}

impl AsyncRead for Piped {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.output).poll_read(cx, buf))?;
        if buf.filled().len() > before || buf.remaining() == 0 {
            self.heard = true;
            return Poll::Ready(Ok(()));
        }
        self.poll_end(cx)
    }
}

impl AsyncWrite for Piped {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match ready!(self.input()?.poll_write(cx, bytes)) {
            Err(error) => self.poll_why(cx, error).map(Err),
            written => Poll::Ready(written),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Ok(input) = self.input() else {
            return Poll::Ready(Ok(()));
        };
        match ready!(input.poll_flush(cx)) {
            Err(error) => self.poll_why(cx, error).map(Err),
            flushed => Poll::Ready(flushed),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.input = None;
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn to(who: &str, port: Option<u16>, socket: Option<&str>) -> String {
        let (who, socket) = (who.to_owned(), socket.map(ToOwned::to_owned));
        args(&SshTarget { who, port, socket }).join(" ")
    }

    #[test]
    fn ssh_is_told_no_more_than_where_to_and_to_ask_nobody() {
        assert_eq!(
            to("me@far", None, None),
            "-T -o BatchMode=yes -- me@far docker system dial-stdio"
        );
        assert_eq!(
            to("fe80::1", Some(2222), Some("/run/d.sock")),
            "-T -o BatchMode=yes -p 2222 -- fe80::1 docker --host=unix:///run/d.sock system dial-stdio"
        );
    }
}
