//! What a program of the memory backend is given: its side of the contract.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::agent::Agent;
use crate::id::{AgentId, Incarnation};
use crate::logs::LogStreamKind;
use crate::signal::Signal;
use crate::spec::Secret;

/// What a program of a [`MemoryBackend`](crate::MemoryBackend) is given: who it is, what its spec gives it,
/// where it writes, and what it is asked.
///
/// ```
/// use alveary_core::{AgentContext, MemoryBackend};
///
/// async fn echo(agent: AgentContext) -> i32 {
///     agent.print(format!("{}\n", agent.args().join(" ")));
///     agent.stop_requested().await;
///     0
/// }
/// let backend = MemoryBackend::new().with_program("echo", echo);
/// ```
#[derive(Clone)]
pub struct AgentContext {
    pub(super) agent: Arc<Agent>,
}

/// What the spec gives to the program.
pub(super) struct Given {
    pub(super) args: Vec<String>,
    pub(super) env: BTreeMap<String, String>,
    pub(super) secrets: BTreeMap<String, Secret>,
}

impl AgentContext {
    /// Who it is.
    pub fn id(&self) -> &AgentId {
        &self.agent.id
    }

    /// Which start of it this is.
    pub fn incarnation(&self) -> Incarnation {
        self.agent.incarnation
    }

    /// What its spec calls it.
    pub fn name(&self) -> &str {
        &self.agent.name
    }

    /// The arguments behind the program's name.
    pub fn args(&self) -> &[String] {
        &self.agent.given.args
    }

    /// Its environment: what the spec sets and inherits, and the `ALVEARY_` variables.
    pub fn env(&self) -> &BTreeMap<String, String> {
        &self.agent.given.env
    }

    /// One variable of its environment.
    pub fn var(&self, key: &str) -> Option<&str> {
        self.agent.given.env.get(key).map(String::as_str)
    }

    /// A secret that the spec hands over as a file. There is no file here: the variable `KEY_FILE` is set,
    /// and this reads it.
    pub fn secret(&self, key: &str) -> Option<&Secret> {
        self.agent.given.secrets.get(key)
    }

    /// Its standard output.
    pub fn stdout(&self) -> AgentOutput {
        self.output(LogStreamKind::Stdout)
    }

    /// Its standard error.
    pub fn stderr(&self) -> AgentOutput {
        self.output(LogStreamKind::Stderr)
    }

    fn output(&self, stream: LogStreamKind) -> AgentOutput {
        AgentOutput {
            agent: self.agent.clone(),
            stream,
        }
    }

    /// Writes to its standard output. Never waits.
    pub fn print(&self, bytes: impl AsRef<[u8]>) {
        self.agent.log.write(LogStreamKind::Stdout, bytes.as_ref());
    }

    /// Writes to its standard error. Never waits.
    pub fn eprint(&self, bytes: impl AsRef<[u8]>) {
        self.agent.log.write(LogStreamKind::Stderr, bytes.as_ref());
    }

    /// Ends when the agent is asked to end, by a stop or by SIGTERM. A program that does not look at this is
    /// one that ignores SIGTERM: it is dropped after its grace.
    pub async fn stop_requested(&self) {
        self.agent.asked.cancelled().await;
    }

    /// The same as a token, for code that takes one.
    pub fn stop_token(&self) -> CancellationToken {
        self.agent.asked.clone()
    }

    /// The next signal that it is sent, the stop signal too. They wait in a queue; of those that nobody
    /// takes the oldest 64 are kept.
    pub async fn signal(&self) -> Signal {
        self.agent.signals.next().await
    }
}

impl fmt::Debug for AgentContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AgentContext")
            .field("id", self.id())
            .field("incarnation", &self.incarnation())
            .field("args", &self.agent.given.args)
            .finish_non_exhaustive()
    }
}

/// One of an agent's two streams. Writing never waits and never fails: what is not kept is counted.
#[derive(Clone)]
pub struct AgentOutput {
    agent: Arc<Agent>,
    stream: LogStreamKind,
}

impl io::Write for AgentOutput {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.agent.log.write(self.stream, bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl fmt::Debug for AgentOutput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("AgentOutput").field(&self.stream).finish()
    }
}
