//! A coordinator that is served on a free port of loopback, and agents that are the program's own.

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use alveary_agent::AgentId;
use alveary_agent::protocol::{AgentView, BidView, NewTask, TaskId, TaskView};
use alveary_coordinator::http::{Listeners, Server};
use alveary_coordinator::{Coordinator, Database, Settings, Tokens};
use rustix::process::Signal;
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;

use crate::hive::{PATIENCE, eventually, signal};

/// A coordinator in this process.
pub(crate) struct Bed {
    pub(crate) address: SocketAddr,
    pub(crate) tokens: Tokens,
    coordinator: Coordinator,
    runtime: Runtime,
    dir: TempDir,
    cancel: CancellationToken,
}

impl Bed {
    pub(crate) fn new() -> Self {
        Self::at("127.0.0.1:0".parse().unwrap())
    }

    /// As [`new`](Self::new), at this very address.
    pub(crate) fn at(address: SocketAddr) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let tokens = Tokens::random();
        let cancel = CancellationToken::new();
        let (coordinator, address) = runtime.block_on(async {
            let coordinator = Coordinator::open(Settings::default(), Database::Memory);
            let coordinator = coordinator.await.unwrap();
            let listeners = Listeners::bind(&[address]).await.unwrap();
            let address = listeners.addresses()[0];
            let server = Server::new(coordinator.clone(), tokens.clone());
            tokio::spawn(server.serve(listeners, cancel.clone()));
            (coordinator, address)
        });
        Self {
            address,
            tokens,
            coordinator,
            runtime,
            dir: tempfile::tempdir().unwrap(),
            cancel,
        }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    /// A file that holds the token of this agent.
    pub(crate) fn token_of(&self, agent: &str) -> PathBuf {
        let id = AgentId::new(agent).unwrap();
        let file = self.dir.path().join(format!("{agent}.token"));
        std::fs::write(&file, self.tokens.agent(&id).expose()).unwrap();
        file
    }

    /// Gives a task that asks for these capabilities.
    pub(crate) fn give(&self, description: &str, capabilities: &str) -> TaskId {
        let mut task = NewTask::new(description.parse().unwrap());
        task.capabilities = capabilities.parse().unwrap();
        let added = self
            .runtime
            .block_on(self.coordinator.add(vec![task], None));
        added.unwrap()[0].id
    }

    pub(crate) fn task(&self, id: TaskId) -> TaskView {
        self.runtime.block_on(self.coordinator.task(id)).unwrap()
    }

    pub(crate) fn bids(&self, id: TaskId) -> Vec<BidView> {
        self.runtime.block_on(self.coordinator.bids(id)).unwrap()
    }

    pub(crate) fn agents(&self) -> Vec<AgentView> {
        self.runtime.block_on(self.coordinator.agents()).unwrap()
    }

    /// The agent of this id, once it has presented itself.
    #[track_caller]
    pub(crate) fn the_agent(&self, id: &str) -> AgentView {
        eventually(&format!("{id} presents itself"), || {
            self.agents()
                .into_iter()
                .find(|agent| agent.id.as_str() == id)
        })
    }

    /// The task, once this is true of it.
    #[track_caller]
    pub(crate) fn until(&self, id: TaskId, is: impl Fn(&TaskView) -> bool) -> TaskView {
        eventually("a task stands as it should", || {
            Some(self.task(id)).filter(&is)
        })
    }

    /// The task, once it is over.
    #[track_caller]
    pub(crate) fn outcome(&self, id: TaskId) -> TaskView {
        self.until(id, |task| task.status.is_over())
    }

    /// An agent of this id, with a token of its own.
    pub(crate) fn agent(&self, id: &str, args: &[&str]) -> Agent {
        let mut command = program();
        command
            .args(["agent", "--agent-id", id, "--url", &self.url()])
            .arg("--token-file")
            .arg(self.token_of(id))
            .args(args);
        Agent::start(&mut command)
    }
}

impl Drop for Bed {
    fn drop(&mut self) {
        self.cancel.cancel();
    }
}

/// Starts a command whose output is kept for its end.
pub(crate) trait Capture {
    fn captured(&mut self) -> Child;
}

impl Capture for Command {
    fn captured(&mut self) -> Child {
        self.stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    }
}

/// The program, without what this process's own environment would tell it.
pub(crate) fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_alveary"));
    for (variable, _) in std::env::vars_os() {
        let name = variable.to_string_lossy();
        if ["ALVEARY_", "AGENT_", "COORDINATOR_"]
            .iter()
            .any(|ours| name.starts_with(ours))
        {
            command.env_remove(&variable);
        }
    }
    command
}

/// An agent that runs, and is gone at the end of its test.
pub(crate) struct Agent {
    child: Child,
    lines: Receiver<String>,
    said: String,
}

impl Agent {
    pub(crate) fn start(command: &mut Command) -> Self {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (said, lines) = channel();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        std::thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                if said.send(line).is_err() {
                    break;
                }
            }
        });
        Self {
            child,
            lines,
            said: String::new(),
        }
    }

    pub(crate) fn signal(&self, which: Signal) {
        signal(self.child.id(), which);
    }

    /// Waits until it has said this on stderr.
    #[track_caller]
    pub(crate) fn until_it_says(&mut self, words: &str) {
        let until = Instant::now() + PATIENCE;
        while !self.said.contains(words) {
            let left = until.saturating_duration_since(Instant::now());
            let line = self.lines.recv_timeout(left).ok();
            let line =
                line.unwrap_or_else(|| panic!("it never says {words:?}, but: {}", self.said));
            self.heard(&line);
        }
    }

    fn heard(&mut self, line: &str) {
        self.said.push_str(line);
        self.said.push('\n');
    }

    /// Asks it to end by this signal, and gives how it ended and all that it said.
    #[track_caller]
    pub(crate) fn end(self, by: Signal) -> (ExitStatus, String) {
        self.signal(by);
        self.ended()
    }

    pub(crate) fn has_ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap()
    }

    /// Waits for its end; gives how it ended and all that it said.
    #[track_caller]
    pub(crate) fn ended(self) -> (ExitStatus, String) {
        let (status, said, out) = self.ended_with();
        assert_eq!(out, "", "an agent has nothing for stdout");
        (status, said)
    }

    /// As [`ended`](Self::ended), with what it printed.
    #[track_caller]
    pub(crate) fn ended_with(mut self) -> (ExitStatus, String, String) {
        let status = eventually("an agent ends", || self.has_ended());
        while let Ok(line) = self.lines.recv_timeout(Duration::from_secs(5)) {
            self.heard(&line);
        }
        let mut stdout = String::new();
        let mut out = self.child.stdout.take().unwrap();
        out.read_to_string(&mut stdout).unwrap();
        (status, std::mem::take(&mut self.said), stdout)
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        // One that has ended is not there to be killed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
