//! Peers that are started by hand.

use std::collections::BTreeMap;
use std::process::{ExitStatus, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

use crate::ground::PEERS;
use crate::house::PATIENCE;

/// A process that ends with its trial.
pub(crate) struct Hand {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Hand {
    /// Starts this, with these variables besides its own.
    pub(crate) fn start(command: &[&str], env: &BTreeMap<&str, String>) -> Self {
        let mut child = Command::new(command[0])
            .args(&command[1..])
            .current_dir(PEERS)
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .envs(env)
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, lines }
    }

    /// Waits for a line that holds this, and gives it.
    pub(crate) async fn line(&mut self, part: &str) -> String {
        let mut before = Vec::new();
        let found = async {
            while let Some(line) = self.lines.next_line().await.unwrap() {
                if line.contains(part) {
                    return Some(line);
                }
                before.push(line);
            }
            None
        };
        let line = tokio::time::timeout(PATIENCE, found).await.ok().flatten();
        line.unwrap_or_else(|| panic!("it does not say `{part}`, but {before:#?}"))
    }

    pub(crate) async fn end(mut self, signal: Signal) -> ExitStatus {
        let pid = i32::try_from(self.child.id().unwrap()).unwrap();
        kill_process(Pid::from_raw(pid).unwrap(), signal).unwrap();
        self.ended().await
    }

    pub(crate) async fn ended(&mut self) -> ExitStatus {
        let ended = tokio::time::timeout(PATIENCE, self.child.wait()).await;
        ended.expect("it does not end").unwrap()
    }
}
