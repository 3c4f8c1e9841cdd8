//! A coordinator in a process of its own, and who asks it as its admin does.

use std::convert::Infallible;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use alveary_coordinator::http::{Listeners, Server};
use alveary_coordinator::{Coordinator, Database, Tokens};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::{PATIENCE, settings};

/// Serves this file at this port until it is killed.
pub(crate) fn serve(file: &Path, port: u16) -> ! {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let served: Result<Infallible, _> = runtime.block_on(async {
        let tokens = Tokens::load_or_create(&key_of(file))?;
        let database = Database::File(file.to_owned());
        let coordinator = Coordinator::open(settings(), database).await?;
        let listeners = Listeners::bind(&[SocketAddr::from(([127, 0, 0, 1], port))]).await?;
        println!("{}", listeners.addresses()[0]);
        let served = Server::new(coordinator, tokens).serve(listeners, CancellationToken::new());
        served.await?;
        Err::<_, Box<dyn std::error::Error>>("it has ended by itself".into())
    });
    let Err(error) = served;
    panic!("{error}");
}

fn key_of(file: &Path) -> PathBuf {
    file.with_extension("key")
}

/// A coordinator's process. It is killed at the latest with this.
#[derive(Debug)]
pub(crate) struct Served {
    file: PathBuf,
    child: Child,
    pub(crate) address: SocketAddr,
    pub(crate) tokens: Tokens,
}

impl Served {
    pub(crate) fn start(file: &Path) -> Self {
        let (child, address) = spawn(file, 0);
        Self {
            file: file.to_owned(),
            child,
            address,
            tokens: Tokens::load_or_create(&key_of(file)).unwrap(),
        }
    }

    /// With SIGKILL, in the middle of whatever others are asking. It is waited for by [`kill`](Self::kill).
    pub(crate) fn kill_now(&self) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
    }

    /// With SIGKILL.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// On the same file, at the same port.
    pub(crate) fn start_again(&mut self) {
        (self.child, _) = spawn(&self.file, self.address.port());
    }

    /// What the admin is answered, or nothing if the coordinator is not there, or ends in the middle.
    pub(crate) fn post(&self, path: &str, key: &str, body: &Value) -> Option<(u16, Value)> {
        let body = body.to_string();
        let head = format!(
            "POST {path} HTTP/1.0\r\nhost: {}\r\nauthorization: Bearer {}\r\n\
             content-type: application/json\r\nidempotency-key: {key}\r\ncontent-length: {}\r\n\r\n",
            self.address,
            self.tokens.admin().expose(),
            body.len(),
        );
        let mut stream = TcpStream::connect(self.address).ok()?;
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.write_all((head + &body).as_bytes()).ok()?;
        let mut read = Vec::new();
        stream.read_to_end(&mut read).ok()?;
        let mut headers = [httparse::EMPTY_HEADER; 32];
        let mut answer = httparse::Response::new(&mut headers);
        let Ok(httparse::Status::Complete(length)) = answer.parse(&read) else {
            return None;
        };
        let said = serde_json::from_slice(&read[length..]).ok()?;
        Some((answer.code?, said))
    }

    /// The same until there is an answer, from whichever coordinator.
    pub(crate) fn insist(&self, path: &str, key: &str, body: &Value) -> Value {
        let begun = Instant::now();
        loop {
            match self.post(path, key, body) {
                Some((status, said)) => {
                    assert!((200..300).contains(&status), "{status}: {said}");
                    return said;
                }
                None => assert!(begun.elapsed() < PATIENCE, "there is no coordinator"),
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        // It may have been killed already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Starts the process, and waits until it listens.
fn spawn(file: &Path, port: u16) -> (Child, SocketAddr) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .arg("serve")
        .arg(file)
        .arg(port.to_string())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    let mut said = BufReader::new(child.stdout.take().unwrap());
    said.read_line(&mut line).unwrap();
    let address = line.trim().parse();
    (
        child,
        address.unwrap_or_else(|_| panic!("the coordinator did not start: {line:?}")),
    )
}
