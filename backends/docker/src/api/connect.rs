//! From an endpoint to a connection.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::process::Stdio;
use std::task::{Context, Poll};

use async_trait::async_trait;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use crate::classify::{Class, Trouble};
use crate::find::{Endpoint, Surroundings};
use crate::http::{Dial, Io};

/// Connects to what this process is said to use, anew each time.
pub(super) struct Direct(pub(super) Surroundings);

impl Direct {
    fn endpoint(&self) -> Result<Endpoint, Trouble> {
        let chosen = self.0.choose();
        chosen.map_err(|reasons| Trouble::new(Class::Unreachable, reasons))
    }
}

#[async_trait]
impl Dial for Direct {
    async fn dial(&self) -> Result<Box<dyn Io>, Trouble> {
        connect(&self.endpoint()?).await
    }

    fn is_local(&self) -> bool {
        self.endpoint().is_ok_and(|endpoint| endpoint.is_local())
    }
}

impl fmt::Display for Direct {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.endpoint() {
            Ok(endpoint) => write!(f, "the engine at {endpoint}"),
            Err(_) => f.write_str("an engine that is not found"),
        }
    }
}

async fn connect(endpoint: &Endpoint) -> Result<Box<dyn Io>, Trouble> {
    let said = |error: io::Error| {
        let class = match error.kind() {
            io::ErrorKind::PermissionDenied => Class::Denied,
            _ => Class::Unreachable,
        };
        Trouble::new(class, format!("{endpoint}: {error}"))
    };
    match endpoint {
        Endpoint::Unix(path) => Ok(Box::new(UnixStream::connect(path).await.map_err(said)?)),
        Endpoint::Tcp { address, tls: None } => {
            let stream = TcpStream::connect(address).await.map_err(said)?;
            stream.set_nodelay(true).map_err(said)?;
            Ok(Box::new(stream))
        }
        Endpoint::Tcp { tls: Some(_), .. } => Err(Trouble::new(
            Class::Unreachable,
            format!("{endpoint}: connections by TLS are not made here; reach the engine by ssh"),
        )),
        Endpoint::Ssh(target) => Ok(Box::new(Piped::ssh(target).map_err(said)?)),
    }
}

/// A connection through a program's standard input and output. The program ends with it.
struct Piped {
    _program: Child,
    input: ChildStdin,
    output: ChildStdout,
}

impl Piped {
    /// Talks to the engine of another host through its own `docker`, as Docker's program does.
    fn ssh(target: &str) -> io::Result<Self> {
        let mut program = Command::new("ssh");
        if let Some((host, port)) = target.rsplit_once(':') {
            program.args(["-p", port, "--", host]);
        } else {
            program.args(["--", target]);
        }
        let mut child = program
            .args(["docker", "system", "dial-stdio"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()?;
        let ends = child.stdin.take().zip(child.stdout.take());
        let (input, output) = ends.ok_or_else(|| io::Error::other("ssh has no ends to talk to"))?;
        Ok(Self {
            _program: child,
            input,
            output,
        })
    }
}

impl AsyncRead for Piped {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.output).poll_read(cx, buf)
    }
}

impl AsyncWrite for Piped {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.input).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.input).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.input).poll_shutdown(cx)
    }
}
