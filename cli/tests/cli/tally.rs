//! Counting what must not be, over many rounds: the rows of the table that `just torture` prints.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use alveary_conformance::ProcWitness;
use serde_json::Value;

use crate::hive::{Hive, is_alive};

/// How many rounds: few where tests are run, all of them where it was asked for.
pub(crate) fn rounds(few: usize, full: usize) -> usize {
    match std::env::var("ALVEARY_TORTURE") {
        Ok(size) if size == "full" => full,
        _ => few,
    }
}

/// What went wrong in the rounds of one scenario.
pub(crate) struct Tally {
    scenario: &'static str,
    runs: usize,
    /// Processes of agents that nobody knows.
    lost: usize,
    /// Agents with more than one process.
    doubled: usize,
    /// Processes that are there after `down`.
    leaked: usize,
    /// Everything else that is not as it was promised.
    wrong: usize,
    notes: Vec<String>,
}

impl Tally {
    pub(crate) fn new(scenario: &'static str) -> Self {
        Self {
            scenario,
            runs: 0,
            lost: 0,
            doubled: 0,
            leaked: 0,
            wrong: 0,
            notes: Vec::new(),
        }
    }

    /// Notes that something is not as it was promised, if it is not.
    pub(crate) fn expect(&mut self, holds: bool, what: impl FnOnce() -> String) {
        if !holds {
            self.wrong += 1;
            self.notes.push(what());
        }
    }

    /// Compares what `ps` says with what runs. Each agent of these has one process.
    pub(crate) fn compare(&mut self, hive: &Hive) {
        let agents = hive.agents();
        let running = processes(&hive.state());
        let says = |id: &str| agents.iter().find(|agent| agent["agent_id"] == id);
        for (id, pids) in &running {
            self.doubled += pids.len() - 1;
            match says(id) {
                None => self.lost += 1,
                Some(agent) if agent["pid"] == pids[0] => {}
                Some(agent) => self.expect(false, || format!("{pids:?} run, and it says {agent}")),
            }
        }
        for agent in &agents {
            let id = agent["agent_id"].as_str().unwrap();
            self.expect(
                agent["state"] != "running" || running.contains_key(id),
                || format!("nothing runs, and it says {agent}"),
            );
        }
    }

    /// Takes the swarm down and looks what is left.
    pub(crate) fn down(&mut self, hive: &Hive) {
        let down = hive.run(&["down", "-t", "1"]);
        self.expect(down.code() == Some(0), || down.to_string());
        self.leaked += processes(&hive.state())
            .values()
            .map(Vec::len)
            .sum::<usize>();
        self.runs += 1;
    }

    /// Prints the row. Panics where anything was wrong.
    #[track_caller]
    #[expect(clippy::print_stdout, reason = "it is a row of a table")]
    pub(crate) fn report(self) {
        let Self {
            scenario,
            runs,
            lost,
            doubled,
            leaked,
            wrong,
            notes,
        } = self;
        println!("| {scenario:86} | {runs:4} | {lost:4} | {doubled:7} | {leaked:6} | {wrong:5} |");
        assert_eq!([lost, doubled, leaked, wrong], [0; 4], "{notes:#?}");
    }
}

/// The processes of the swarm `demo`, as the kernel has them, by the agent that they belong to.
pub(crate) fn processes(state: &Path) -> HashMap<String, Vec<u32>> {
    let mut found: HashMap<String, Vec<u32>> = HashMap::new();
    let Ok(record) = fs::read(state.join("demo/swarm.json")) else {
        return found;
    };
    let record: Value = serde_json::from_slice(&record).unwrap();
    // Agents are told the same digits without the hyphens.
    let uid = record["uid"].as_str().unwrap().replace('-', "");
    for process in fs::read_dir("/proc").unwrap().flatten() {
        let Ok(pid) = process.file_name().to_string_lossy().parse() else {
            continue;
        };
        let environ = ProcWitness::environment(pid).unwrap_or_default();
        let environ = String::from_utf8_lossy(&environ);
        let value = |key: &str| environ.split('\0').find_map(|pair| pair.strip_prefix(key));
        if value("ALVEARY_SWARM=") == Some(&uid)
            && let Some(agent) = value("ALVEARY_AGENT_ID=")
            && is_alive(pid)
        {
            found.entry(agent.to_owned()).or_default().push(pid);
        }
    }
    found
}
