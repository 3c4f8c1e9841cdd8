//! A manager to be killed: this very program, started anew by a trial.

use std::ffi::OsString;
use std::io::Write as _;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;

use alveary_core::{AgentId, SpawnOptions, SwarmUid};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use crate::behaviour::Behaviour;
use crate::harness::Harness;
use crate::trial::{Failure, Verdict};

const BE_A_MANAGER: &str = "--be-a-manager";

/// What such a manager is to do: spawn so many agents of a kind, all at once, say so, and stay.
#[derive(Debug, Clone)]
pub(crate) struct Order {
    harness: String,
    swarm: SwarmUid,
    agents: usize,
    behaviour: &'static str,
}

/// A manager in a process of its own.
#[derive(Debug)]
pub(crate) struct Manager(Child);

impl Manager {
    /// Waits until every spawn of its order has been answered.
    pub(crate) async fn has_spawned_all(&mut self) -> Verdict {
        let stdout = self.0.stdout.take();
        let mut lines = match stdout {
            Some(stdout) => BufReader::new(stdout).lines(),
            None => return Err(Failure::new("the manager has been waited for already")),
        };
        match lines.next_line().await {
            Ok(Some(line)) if line == ALL_SPAWNED => Ok(()),
            other => Err(Failure::new(format!(
                "the manager failed, and said {other:?}"
            ))),
        }
    }

    /// Kills it with SIGKILL, and waits until it is dead.
    pub(crate) async fn kill(mut self) -> Verdict {
        self.0
            .kill()
            .await
            .map_err(|error| Failure::new(format!("failed to kill the manager: {error}")))
    }
}

/// What it says when every spawn has been answered.
const ALL_SPAWNED: &str = "all spawned";

/// The behaviours that can be ordered, by name.
fn behaviour(name: &str) -> Option<Behaviour> {
    match name {
        "sleep" => Some(Behaviour::Sleep),
        "exit-later" => Some(EXIT_LATER),
        _ => None,
    }
}

pub(crate) const EXIT_LATER: Behaviour = Behaviour::ExitLater {
    seconds: 1,
    code: 7,
};

impl Order {
    pub(crate) fn new(
        harness: &str,
        swarm: SwarmUid,
        agents: usize,
        behaviour: &'static str,
    ) -> Self {
        Self {
            harness: harness.to_owned(),
            swarm,
            agents,
            behaviour,
        }
    }

    /// Starts the manager as a process of its own.
    pub(crate) fn start(&self, program: &Path) -> Result<Manager, Failure> {
        let child = Command::new(program)
            .arg(BE_A_MANAGER)
            .args([
                &self.harness,
                &self.swarm.to_string(),
                &self.agents.to_string(),
                self.behaviour,
            ])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| Failure::new(format!("failed to start a manager: {error}")))?;
        Ok(Manager(child))
    }

    pub(crate) fn from_args(args: &[OsString]) -> Option<Self> {
        let args: Vec<&str> = args.iter().filter_map(|arg| arg.to_str()).collect();
        let [_, BE_A_MANAGER, harness, swarm, agents, behaviour] = args[..] else {
            return None;
        };
        Some(Self {
            harness: harness.to_owned(),
            swarm: swarm.parse().ok()?,
            agents: agents.parse().ok()?,
            behaviour: ["sleep", "exit-later"]
                .into_iter()
                .find(|known| *known == behaviour)?,
        })
    }

    pub(crate) async fn carry_out(&self, harnesses: &[Arc<dyn Harness>]) -> Verdict {
        let harness = harnesses
            .iter()
            .find(|harness| harness.name() == self.harness)
            .ok_or_else(|| Failure::new(format!("there is no harness `{}`", self.harness)))?;
        let spec = behaviour(self.behaviour)
            .and_then(|behaviour| harness.spec(&behaviour))
            .ok_or_else(|| Failure::new(format!("there is no agent for `{}`", self.behaviour)))?;
        let backend = harness.connect(&self.swarm).await?;
        let spawns = (0..self.agents).map(|_| async {
            backend
                .spawn(&AgentId::random(), &spec, SpawnOptions::default())
                .await
        });
        for spawned in futures_util::future::join_all(spawns).await {
            spawned?;
        }
        let mut stdout = std::io::stdout();
        writeln!(stdout, "{ALL_SPAWNED}")
            .and_then(|()| stdout.flush())
            .map_err(|error| Failure::new(format!("failed to say that all is done: {error}")))?;
        // Until it is killed.
        std::future::pending().await
    }
}
