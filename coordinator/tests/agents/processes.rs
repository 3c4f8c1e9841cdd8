//! Other processes: a coordinator with its folder, and agents.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use alveary_agent::protocol::{EventId, Happening, TaskId};
use alveary_agent::{Agent, AgentBuilder, HttpTransport, TokenFile};
use alveary_coordinator::{Coordinator, Database, Tokens};
use futures_util::StreamExt as _;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::net::TcpStream;
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use super::acts::ACT;
use super::bed::{PATIENCE, id};

/// A process of a trial's, which ends with it.
pub(crate) struct Process {
    child: Child,
    pub(crate) stdin: ChildStdin,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Process {
    pub(crate) fn start(mut command: Command) -> Self {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        Self {
            stdin: child.stdin.take().unwrap(),
            lines: BufReader::new(child.stdout.take().unwrap()).lines(),
            child,
        }
    }

    /// The next line that it prints.
    pub(crate) async fn line(&mut self) -> String {
        let line = tokio::time::timeout(PATIENCE, self.lines.next_line()).await;
        line.expect("it prints nothing")
            .unwrap()
            .expect("it has ended")
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.child.id().unwrap()).unwrap();
        kill_process(Pid::from_raw(pid).unwrap(), signal).unwrap();
    }

    /// Stops it, and waits until it stands still.
    pub(crate) async fn freeze(&self) {
        self.signal(Signal::STOP);
        let stat = format!("/proc/{}/stat", self.child.id().unwrap());
        let stands = async {
            loop {
                let stat = std::fs::read_to_string(&stat).unwrap();
                let (_, after_name) = stat.rsplit_once(") ").unwrap();
                if after_name.starts_with('T') {
                    return;
                }
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(PATIENCE, stands).await.unwrap();
    }

    /// Ends it by a signal, and waits until it has ended.
    pub(crate) async fn end(mut self, signal: Signal) -> std::process::ExitStatus {
        self.signal(signal);
        let ended = tokio::time::timeout(PATIENCE, self.child.wait()).await;
        ended.expect("it does not end").unwrap()
    }
}

/// This program, as something else than its trials.
pub(crate) fn this_as(args: &[&str]) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.arg(ACT).args(args);
    command
}

/// A coordinator's folder, and how it is started on it.
pub(crate) struct House {
    folder: TempDir,
    pub(crate) auction: Duration,
    pub(crate) heartbeat: Duration,
    tokens: Tokens,
}

impl House {
    pub(crate) fn new(auction: Duration, heartbeat: Duration) -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self {
            tokens: Tokens::load_or_create(&folder.path().join("key")).unwrap(),
            folder,
            auction,
            heartbeat,
        }
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Starts the coordinator, on this port or a free one.
    pub(crate) async fn serve(&self, port: u16, dress: impl FnOnce(&mut Command)) -> Served<'_> {
        let millis = |time: Duration| time.as_millis().to_string();
        let folder = self.folder.path().to_str().unwrap();
        let (auction, heartbeat) = (millis(self.auction), millis(self.heartbeat));
        let mut command = this_as(&["serve", folder, &port.to_string(), &auction, &heartbeat]);
        dress(&mut command);
        let mut process = Process::start(command);
        Served {
            address: process.line().await.parse().unwrap(),
            process,
            house: self,
        }
    }

    /// The file with an agent's token.
    pub(crate) fn token(&self, agent: &str) -> PathBuf {
        let file = self.folder.path().join(format!("token-{agent}"));
        std::fs::write(&file, self.tokens.agent(&id(agent)).expose()).unwrap();
        file
    }

    /// Everything that has happened, once no coordinator has the book open any more.
    pub(crate) async fn story(&self) -> Vec<Happening> {
        let book = Database::File(self.folder.path().join("book"));
        let coordinator = Coordinator::open(super::bed::calm(), book).await.unwrap();
        let latest = coordinator.metrics().await.unwrap().latest_event;
        let events = coordinator.events(Some(EventId(0))).await.unwrap();
        let mut story = Vec::new();
        let mut events = events.map(Result::unwrap);
        while let Some(event) = events.next().await {
            story.push(event.what);
            if event.id == latest {
                break;
            }
        }
        story
    }
}

/// A coordinator in a process of its own.
pub(crate) struct Served<'a> {
    pub(crate) address: SocketAddr,
    pub(crate) process: Process,
    house: &'a House,
}

impl Served<'_> {
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// An agent of this process that reaches it.
    pub(crate) fn agent(&self, name: &str) -> AgentBuilder {
        let http = HttpTransport::new(&self.url()).unwrap();
        let http = http.with_token(TokenFile::new(self.house.token(name)));
        Agent::builder(name).id(id(name)).transport(Arc::new(http))
    }

    /// Asks as the admin, and gives what is answered; nothing if nobody answers.
    pub(crate) async fn ask(&self, method: &str, path: &str, body: Option<Value>) -> Option<Value> {
        let body = body.map(|body| body.to_string()).unwrap_or_default();
        let admin = self.house.tokens.admin();
        let mut head = format!("{method} {path} HTTP/1.0\r\nhost: {}\r\n", self.address);
        write!(head, "authorization: Bearer {}\r\n", admin.expose()).unwrap();
        write!(
            head,
            "content-type: application/json\r\ncontent-length: {}\r\n\r\n",
            body.len()
        )
        .unwrap();
        let mut stream = TcpStream::connect(self.address).await.ok()?;
        stream.write_all((head + &body).as_bytes()).await.ok()?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.ok()?;
        let mut headers = [httparse::EMPTY_HEADER; 32];
        let mut head = httparse::Response::new(&mut headers);
        let length = head
            .parse(&answer)
            .ok()
            .filter(httparse::Status::is_complete)?
            .unwrap();
        assert!(
            head.code < Some(300),
            "{}",
            String::from_utf8_lossy(&answer)
        );
        serde_json::from_slice(&answer[length..]).ok()
    }

    /// Gives a task that anybody can do.
    pub(crate) async fn give(&self, description: &str) -> TaskId {
        self.give_asking(description, &[]).await
    }

    /// Gives a task that asks for this.
    pub(crate) async fn give_asking(&self, description: &str, capabilities: &[&str]) -> TaskId {
        let task = json!({"description": description, "capabilities": capabilities});
        let given = self.ask("POST", "/v1/tasks", Some(task)).await;
        serde_json::from_value(given.unwrap()["tasks"][0]["id"].clone()).unwrap()
    }

    /// Waits until what is asked for is so, and gives it.
    pub(crate) async fn until(&self, path: &str, so: impl Fn(&Value) -> bool) -> Value {
        let mut last = None;
        let asking = async {
            loop {
                last = self.ask("GET", path, None).await;
                match &last {
                    Some(answer) if so(answer) => return answer.clone(),
                    _ => tokio::time::sleep(Duration::from_millis(20)).await,
                }
            }
        };
        if let Ok(answer) = tokio::time::timeout(PATIENCE, asking).await {
            return answer;
        }
        panic!("{path} is not so within {PATIENCE:?}: {last:?}");
    }

    /// Waits until a task stands so.
    pub(crate) async fn until_is(&self, task: TaskId, status: &str) -> Value {
        self.until(&format!("/v1/tasks/{task}"), |task| {
            task["status"] == status
        })
        .await
    }

    /// Waits until an agent is known.
    pub(crate) async fn until_known(&self, agent: &str) {
        let is_it = |known: &Value| known["id"] == agent;
        self.until("/v1/agents", |known| {
            known["agents"].as_array().unwrap().iter().any(is_it)
        })
        .await;
    }
}
