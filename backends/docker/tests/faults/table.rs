//! What came of all scenarios.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::sync::Mutex;

#[derive(Debug, Default, Clone)]
pub(crate) struct Row {
    pub(crate) runs: usize,
    pub(crate) lost: usize,
    pub(crate) doubled: usize,
    pub(crate) leaked: usize,
    /// Containers of others that are not as they were.
    pub(crate) harmed: usize,
    pub(crate) wrong: usize,
}

impl Row {
    pub(crate) fn is_clean(&self) -> bool {
        self.lost + self.doubled + self.leaked + self.harmed + self.wrong == 0
    }
}

static ROWS: Mutex<BTreeMap<String, Row>> = Mutex::new(BTreeMap::new());

pub(crate) fn add(scenario: &str, found: &Row) {
    let mut rows = ROWS.lock().unwrap();
    let row = rows.entry(scenario.to_owned()).or_default();
    row.runs += found.runs;
    row.lost += found.lost;
    row.doubled += found.doubled;
    row.leaked += found.leaked;
    row.harmed += found.harmed;
    row.wrong += found.wrong;
}

pub(crate) fn print() {
    let rows = ROWS.lock().unwrap();
    if rows.is_empty() {
        return;
    }
    let mut out = std::io::stdout().lock();
    let columns = ["runs", "lost", "doubled", "leaked", "harmed", "wrong"]
        .map(|column| format!("{column:>8}"));
    writeln!(out, "{:58}{}", "scenario", columns.concat()).unwrap();
    for (scenario, row) in rows.iter() {
        let counts = [
            row.runs,
            row.lost,
            row.doubled,
            row.leaked,
            row.harmed,
            row.wrong,
        ];
        let counts = counts.map(|count| format!("{count:>8}")).concat();
        writeln!(out, "{scenario:58}{counts}").unwrap();
    }
}
