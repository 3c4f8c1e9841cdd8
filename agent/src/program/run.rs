//! One run of a program.

use std::io;
use std::os::unix::process::ExitStatusExt;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use serde::Serialize;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::{ChildStdin, Command};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::Program;
use super::group::Group;
use super::tail::Tail;
use crate::handler::Unable;
use crate::protocol::MAX_TEXT;

/// How long its pipes are listened to once the group is gone: somebody outside of it may hold them.
const PIPES: Duration = Duration::from_millis(500);

/// Why a run was cut short.
#[derive(Debug, Clone, Copy)]
enum Cut {
    InVain,
    TooLong(Duration),
    TooMuch,
}

impl Program {
    /// Gives the program `input` as a line of JSON, and what it prints back. When this is cancelled or dropped,
    /// no process of the program's group stays.
    pub(crate) async fn run(
        &self,
        input: &(impl Serialize + Sync),
        cancelled: CancellationToken,
    ) -> Result<String, Unable> {
        let broken =
            |error: io::Error| Unable::new(format!("`{}` could not be run: {error}", self.name()));
        let mut line = serde_json::to_vec(input).map_err(|error| broken(error.into()))?;
        line.push(b'\n');
        let mut group = Group::spawn(self.command()).map_err(|error| self.not_started(&error))?;
        let pipes = group.child();
        let (stdin, stdout, stderr) =
            (pipes.stdin.take(), pipes.stdout.take(), pipes.stderr.take());

        let (mut printed, mut tail) = (Vec::new(), Tail::default());
        let overflow = Notify::new();
        let (cut, status) = {
            let mut life = std::pin::pin!(self.live(group, &overflow, &cancelled));
            let mut talk = std::pin::pin!(async {
                tokio::join!(
                    collect(stdout, &mut printed, &overflow),
                    keep_tail(stderr, &mut tail),
                    feed(stdin, &line),
                )
            });
            tokio::select! {
                end = &mut life => {
                    // What the pipes hold is still read.
                    let _in_time = tokio::time::timeout(PIPES, talk).await;
                    end
                }
                _ = &mut talk => life.await,
            }
        }
        .map_err(broken)?;
        let cut = if printed.len() > MAX_TEXT {
            Some(Cut::TooMuch)
        } else {
            cut
        };
        self.judge(cut, status, printed, &tail.text())
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.argv[0]);
        command
            .args(&self.argv[1..])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// From the start of the leader to the end of its group.
    async fn live(
        &self,
        group: Group,
        overflow: &Notify,
        cancelled: &CancellationToken,
    ) -> io::Result<(Option<Cut>, ExitStatus)> {
        let cut = tokio::select! {
            end = group.ended() => end.map(|()| None)?,
            () = overflow.notified() => Some(Cut::TooMuch),
            () = cancelled.cancelled() => Some(Cut::InVain),
            limit = time_limit(self.time_limit) => Some(Cut::TooLong(limit)),
        };
        if cut.is_some() {
            group.ask_to_end().await?;
        }
        Ok((cut, group.finish().await?))
    }

    fn judge(
        &self,
        cut: Option<Cut>,
        status: ExitStatus,
        printed: Vec<u8>,
        tail: &str,
    ) -> Result<String, Unable> {
        let why = match (cut, status.code(), status.signal()) {
            (Some(Cut::InVain), ..) => "was called off".to_owned(),
            (Some(Cut::TooLong(limit)), ..) => {
                format!("took longer than {}", humantime::format_duration(limit))
            }
            (Some(Cut::TooMuch), ..) => {
                format!("printed more than {MAX_TEXT} bytes, which is the most that a result has")
            }
            (None, Some(0), _) => match String::from_utf8(printed) {
                Ok(result) => return Ok(without_line_end(result)),
                Err(_) => "printed a result that is not UTF-8".to_owned(),
            },
            (None, Some(code), _) => format!("ended with code {code}"),
            (None, None, Some(signal)) => format!("was ended by signal {signal}"),
            (None, None, None) => format!("ended in an unknown way ({status})"),
        };
        let name = self.name();
        Err(Unable::new(match tail {
            "" => format!("`{name}` {why}"),
            tail => format!("`{name}` {why}: {tail}"),
        }))
    }

    fn not_started(&self, error: &io::Error) -> Unable {
        let name = self.name();
        Unable::new(match error.kind() {
            io::ErrorKind::NotFound => {
                format!(
                    "there is no program `{name}` (install it where the agent runs, or name its path)"
                )
            }
            io::ErrorKind::PermissionDenied => {
                format!("`{name}` may not be run (make it executable: chmod +x)")
            }
            _ => format!("`{name}` could not be started: {error}"),
        })
    }
}

async fn time_limit(limit: Option<Duration>) -> Duration {
    match limit {
        Some(limit) => {
            tokio::time::sleep(limit).await;
            limit
        }
        None => std::future::pending().await,
    }
}

/// A result without the line break that programs put at the end of what they print.
fn without_line_end(mut text: String) -> String {
    if text.ends_with('\n') {
        text.pop();
        if text.ends_with('\r') {
            text.pop();
        }
    }
    text
}

/// Reads to the end, keeps one byte more than a result may have, and says so when it has come to that.
async fn collect(from: Option<impl AsyncRead + Unpin>, kept: &mut Vec<u8>, overflow: &Notify) {
    read_all(from, |bytes| {
        let room = (MAX_TEXT + 1).saturating_sub(kept.len());
        kept.extend_from_slice(&bytes[..bytes.len().min(room)]);
        if kept.len() > MAX_TEXT {
            overflow.notify_one();
        }
    })
    .await;
}

async fn keep_tail(from: Option<impl AsyncRead + Unpin>, tail: &mut Tail) {
    read_all(from, |bytes| tail.push(bytes)).await;
}

async fn read_all(from: Option<impl AsyncRead + Unpin>, mut take: impl FnMut(&[u8])) {
    let Some(mut from) = from else { return };
    let mut buffer = vec![0; 16 * 1024];
    loop {
        match from.read(&mut buffer).await {
            Ok(0) => return,
            Ok(count) => take(&buffer[..count]),
            Err(error) => return tracing::debug!("a program's output broke off: {error}"),
        }
    }
}

/// A program need not read what it is given.
async fn feed(stdin: Option<ChildStdin>, line: &[u8]) {
    let Some(mut stdin) = stdin else { return };
    if let Err(error) = stdin.write_all(line).await {
        tracing::debug!("a program did not read its task to the end: {error}");
    }
}
