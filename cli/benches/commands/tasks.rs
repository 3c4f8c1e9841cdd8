//! A task as somebody gives it in a shell, until an idle agent has bid for it and until it is done.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use alveary_agent::protocol::Timestamp;
use serde_json::Value;
use tempfile::TempDir;

use super::p50;

const TASKS: usize = 40;

const FLEET: &str = r#"
[coordinator]
[agents.echo]
count = 5
command = ["{exe}", "agent", "--exec", "true"]
"#;

/// A swarm of idle agents beside a coordinator.
struct Idle {
    folder: TempDir,
}

impl Idle {
    fn up() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("alveary.toml"), FLEET).unwrap();
        let idle = Self { folder };
        idle.says(&["up", "--detach"]);
        // All five have presented themselves when a task is done: an auction ends before its time by the last bid alone.
        idle.says(&["task", "add", "--wait", "warm up"]);
        idle
    }

    fn says(&self, arguments: &[&str]) -> String {
        alveary(self.folder.path(), arguments)
    }

    fn record(&self, arguments: &[&str]) -> Value {
        serde_json::from_str(&self.says(arguments)).unwrap()
    }

    /// From the command to the first bid, by the coordinator's clock, which is this machine's.
    fn first_bid(&self) -> Duration {
        let begun = Timestamp::now();
        let given = self.record(&["task", "add", "--format", "json", "measure me"]);
        let id = given["id"].as_str().unwrap();
        loop {
            let shown = self.record(&["task", "show", "--format", "json", id]);
            let bids = shown["bids"].as_array().unwrap().iter();
            let at =
                bids.map(|bid| serde_json::from_value::<Timestamp>(bid["at"].clone()).unwrap());
            if let Some(first) = at.min() {
                let took = first.as_millis() - begun.as_millis();
                return Duration::from_millis(took.try_into().unwrap());
            }
        }
    }
}

impl Drop for Idle {
    fn drop(&mut self) {
        self.says(&["down"]);
    }
}

fn alveary(folder: &Path, arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_alveary"))
        .args(arguments)
        .current_dir(folder)
        .env("ALVEARY_STATE_DIR", folder.join("state"))
        .output()
        .unwrap();
    assert!(output.status.success(), "alveary {arguments:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

pub(super) fn given() {
    let idle = Idle::up();
    let mut took: Vec<_> = (0..TASKS).map(|_| idle.first_bid()).collect();
    took.sort_unstable();
    let done = p50(|| {
        idle.says(&["task", "add", "--wait", "measure me"]);
    });
    println!("\n| with 5 idle agents, p50 | measured | goal |\n|---|---|---|");
    println!(
        "| from the start of `alveary task add` to the first bid | {} ms | ≤ 5 ms |",
        took[TASKS / 2].as_millis()
    );
    println!(
        "| `alveary task add --wait`, the result printed | {} ms | |",
        done.as_millis()
    );
}
