//! `bench compare`: two reports, and whether there is a difference.

use std::io::Write;
use std::path::PathBuf;

use clap::{Args, ValueHint};
use serde::Serialize;

use crate::bench::compare::{Compared, Comparison};
use crate::bench::report::Report;
use crate::bench::times::shown;
use crate::failure::Failure;
use crate::outcome::Outcome;
use crate::output::{self, Field, Form, Record, Table, about, form, note};

/// Holds two benches against each other
///
/// Says of each step how many times as long it takes in the second, and whether that is more than chance: by the ranks of all
/// times (Mann and Whitney), at one in a hundred.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLE, after_long_help = about::<Row>(EXAMPLE))]
pub(super) struct Compare {
    /// What `alveary bench --out` wrote first
    #[arg(value_name = "BEFORE", value_hint = ValueHint::FilePath)]
    before: PathBuf,

    /// What it wrote later
    #[arg(value_name = "AFTER", value_hint = ValueHint::FilePath)]
    after: PathBuf,

    /// End with 1 where a whole start takes more than so many times as long, by more than chance
    ///
    /// What the bare engine itself has changed, by more than chance, is taken out first.
    #[arg(long, value_name = "RATIO", value_parser = ratio)]
    fail_above: Option<f64>,

    /// How to print it: `table`, or a line for each step: `json`, or a template
    #[arg(long, value_name = "FORM", default_value = "table", value_parser = form::<Row>("table"))]
    format: Form,
}

const EXAMPLE: &str = "Example: alveary bench compare before.json after.json --fail-above 1.10";

fn ratio(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(ratio) if ratio.is_finite() && ratio >= 1.0 => Ok(ratio),
        _ => Err("it is no ratio of one or more, such as 1.10".to_owned()),
    }
}

impl Compare {
    pub(super) fn run(&self) -> Result<Outcome, Failure> {
        let (before, after) = (Report::read(&self.before)?, Report::read(&self.after)?);
        let comparison = Comparison::of(&before, &after);
        if comparison.rows.is_empty() {
            return Err(Failure::input(
                "the two have no agent on the same backend in common",
                "measure the same agents on the same backends",
            ));
        }
        let mut out = output::stdout();
        let rows: Vec<Row> = comparison.rows.iter().map(Row::of).collect();
        if self.format.is_plain() {
            table(&rows).write(&mut out)?;
        } else {
            for row in &rows {
                self.format.write(&mut out, row)?;
            }
        }
        out.flush()?;
        for told in &comparison.notes {
            note(alveary::Escaped(told));
        }
        for row in comparison.rows.iter().filter(|row| row.whole) {
            let drift = comparison.drift(row);
            if (drift - 1.0).abs() > 1e-9 {
                note(format_args!(
                    "the bare engine of {} took {drift:.2} times as long: of the ratio of {:.2} that leaves {:.2}",
                    row.backend,
                    row.ratio(50),
                    row.ratio(50) / drift
                ));
            }
        }
        Ok(self.judged(&comparison))
    }

    fn judged(&self, comparison: &Comparison) -> Outcome {
        let Some(limit) = self.fail_above else {
            return Outcome::Done;
        };
        let mut outcome = Outcome::Done;
        for (row, ratio) in comparison.above(limit) {
            note(format_args!(
                "{} on {}: a start takes {ratio:.2} times as long, which is above {limit}",
                row.agent, row.backend
            ));
            outcome = Outcome::AgentFailed;
        }
        outcome
    }
}

/// One step before and after, for programs.
#[derive(Debug, Serialize)]
struct Row {
    schema: u32,
    agent: String,
    backend: String,
    step: &'static str,
    bare: bool,
    before_p50_ms: f64,
    after_p50_ms: f64,
    ratio_p50: f64,
    ratio_p99: f64,
    verdict: &'static str,
}

impl Record for Row {
    const FIELDS: &'static [Field] = &[
        ("after_p50_ms", "the median of the second, in milliseconds"),
        ("agent", "the agent of the file"),
        ("backend", "what it ran on"),
        ("bare", "whether it is the bare engine's"),
        ("before_p50_ms", "the median of the first"),
        ("ratio_p50", "how many times as long it takes in the second"),
        ("ratio_p99", "the same of p99"),
        ("schema", "the number of this form, 1"),
        (
            "step",
            "spawn or burst, the whole; pull, create, start; ready",
        ),
        (
            "verdict",
            "slower, faster, no difference seen or too few to tell",
        ),
    ];
}

impl Row {
    fn of(row: &Compared) -> Self {
        let rounded = |value: f64| (value * 1000.0).round() / 1000.0;
        Self {
            schema: 1,
            agent: row.agent.clone(),
            backend: row.backend.clone(),
            step: row.step,
            bare: row.bare,
            before_p50_ms: row.before.percentile(50),
            after_p50_ms: row.after.percentile(50),
            ratio_p50: rounded(row.ratio(50)),
            ratio_p99: rounded(row.ratio(99)),
            verdict: row.verdict.as_str(),
        }
    }
}

fn table(rows: &[Row]) -> Table {
    let mut table = Table::new(&[
        "AGENT", "BACKEND", "STEP", "BEFORE", "AFTER", "RATIO", "OF P99", "VERDICT",
    ]);
    for row in rows {
        let bare = if row.bare { ", bare" } else { "" };
        table.row([
            row.agent.clone(),
            row.backend.clone(),
            format!("{}{bare}", row.step),
            shown(row.before_p50_ms),
            shown(row.after_p50_ms),
            format!("{:.2}", row.ratio_p50),
            format!("{:.2}", row.ratio_p99),
            row.verdict.to_owned(),
        ]);
    }
    table
}
