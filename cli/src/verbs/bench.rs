//! `bench`: how long starts of this fleet take, on this machine and these backends.

mod against;
mod prepare;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use clap::{Args, Subcommand, ValueHint};
use serde::Serialize;

use crate::bench::floor::Floor;
use crate::bench::hive::Hive;
use crate::bench::machine::Machine;
use crate::bench::measure::Subject;
use crate::bench::picture;
use crate::bench::report::{Asked, FleetFacts, Report, Run, SCHEMA, STEPS};
use crate::bench::times::{Times, shown};
use crate::context::Context;
use crate::failure::{Failure, without_numbers};
use crate::interrupt::Interrupts;
use crate::outcome::Outcome;
use crate::output::{self, Bar, Field, Form, Record, Screen, Table, about, form, note, rfc3339};
use crate::values;
use prepare::Ground;

/// Measures how long starts of this fleet's agents take
///
/// Starts an agent of the file over and over, in a swarm of its own that is gone afterwards, and in turn with it the same
/// program, or the same container, without alveary: fork and exec, or create and start. Says how long each step takes and how
/// many times the bare engine's time that is. The agents really run: for a moment each, and with what the file gives them, but
/// for published ports. With --backend process,docker-api several stand side by side.
#[derive(Debug, Args)]
#[command(
    after_help = EXAMPLE,
    after_long_help = about::<Row>(EXAMPLE),
    args_conflicts_with_subcommands = true
)]
pub(crate) struct Bench {
    #[command(subcommand)]
    against: Option<Against>,

    /// How many starts are measured, on each backend
    #[arg(short = 'n', long, value_name = "N", default_value_t = 50, value_parser = values::number(1..=100_000))]
    spawns: u32,

    /// How many rounds go before that do not count
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = values::number(0..=1000))]
    warm_up: u32,

    /// Which agent of the file; its first unless said, and several where said so often
    #[arg(long, value_name = "NAME", add = crate::complete::agents())]
    agent: Vec<String>,

    /// Start so many at once, and measure how long it takes until the last of them runs
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = values::number(1..=1000))]
    at_once: u32,

    /// How long the measuring may take; what was measured until then counts
    #[arg(long, value_name = "TIME", default_value = "5m", value_parser = values::duration)]
    time_limit: Duration,

    /// Measure without the bare engine beside it
    #[arg(long)]
    no_floor: bool,

    /// Write all of it there, for programs and for `alveary bench compare`
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    out: Option<PathBuf>,

    /// Draw a picture of it there, as SVG
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    picture: Option<PathBuf>,

    /// How to print it: `table`, or a line for each step: `json`, or a template
    #[arg(long, value_name = "FORM", default_value = "table", value_parser = form::<Row>("table"))]
    format: Form,
}

const EXAMPLE: &str = "\
Example: alveary bench --backend process,docker-api -n 200 --out today.json --picture today.svg, and later alveary bench compare \
                       yesterday.json today.json";

#[derive(Debug, Subcommand)]
enum Against {
    Compare(against::Compare),
}

impl Bench {
    pub(crate) async fn run(&self, context: &Context) -> Result<Outcome, Failure> {
        match &self.against {
            Some(Against::Compare(compare)) => compare.run(),
            None => Box::pin(self.measure(context)).await,
        }
    }

    async fn measure(&self, context: &Context) -> Result<Outcome, Failure> {
        // What nobody could write to is known before an hour of measuring.
        for file in [&self.out, &self.picture].into_iter().flatten() {
            can_be_written(file)?;
        }
        let asked = Asked {
            spawns: self.spawns as usize,
            warm_up: self.warm_up as usize,
            at_once: self.at_once as usize,
        };
        let (begun, taken_at) = (Instant::now(), SystemTime::now());
        let mut interrupts = Interrupts::take()?;
        let mut machine = Machine::this();
        let mut ground = Ground::default();
        let measured = tokio::select! {
            measured = self.measured(context, &mut ground, &asked) => measured.map(Some),
            () = interrupts.next() => Ok(None),
        };
        let runs: Vec<Run> = ground
            .subjects
            .iter()
            .map(|subject| subject.run.clone())
            .collect();
        let cleared = tokio::select! {
            cleared = clear(ground) => cleared,
            () = interrupts.next() => {
                note("broken off before all of it was removed; `alveary gc --yes` ends what is left");
                return Ok(Outcome::Interrupted);
            }
        };
        let Some(fleet) = measured? else {
            cleared?;
            note("interrupted: nothing is written, and nothing of it is left");
            return Ok(Outcome::Interrupted);
        };
        cleared?;
        machine.look_again();
        let report = Report {
            schema: SCHEMA,
            alveary: env!("CARGO_PKG_VERSION").to_owned(),
            taken_at: rfc3339(taken_at),
            took_seconds: (begun.elapsed().as_secs_f64() * 10.0).round() / 10.0,
            machine,
            fleet,
            asked,
            runs,
        };
        self.hand_over(&report)?;
        Ok(Outcome::Done)
    }

    async fn measured(
        &self,
        context: &Context,
        ground: &mut Ground,
        asked: &Asked,
    ) -> Result<FleetFacts, Failure> {
        let facts = Box::pin(ground.prepare(context, &self.agent, self.no_floor)).await?;
        let screen = Screen::new();
        let rounds = asked.warm_up + asked.spawns.div_ceil(asked.at_once);
        let bar = Bar::on(&screen, "measuring", rounds);
        let (subjects, hives) = (&mut ground.subjects, &ground.hives);
        Subject::measure_all(subjects, hives, asked, self.time_limit, || bar.advance()).await?;
        match subjects
            .iter()
            .find(|subject| !subject.run.phases.contains_key(subject.run.whole()))
        {
            None => Ok(facts),
            Some(subject) => Err(Failure::input(
                format!(
                    "the time was up before a start of {} was measured",
                    subject.run.title()
                ),
                "give it more by --time-limit, or warm up less",
            )),
        }
    }

    fn hand_over(&self, report: &Report) -> Result<(), Failure> {
        if let Some(file) = &self.out {
            let mut text = Vec::new();
            output::write_pretty(&mut text, report)?;
            put(file, &text)?;
        }
        if let Some(file) = &self.picture {
            let svg = picture::draw(report).map_err(|why| {
                Failure::input(
                    format!("no picture can be drawn: {why}"),
                    "report this, with the file of --out",
                )
            })?;
            put(file, svg.as_bytes())?;
        }
        let rows: Vec<Row> = report.runs.iter().flat_map(Row::all_of).collect();
        let mut out = output::stdout();
        if self.format.is_plain() {
            Row::table(&rows).write(&mut out)?;
        } else {
            for row in &rows {
                self.format.write(&mut out, row)?;
            }
        }
        out.flush()?;
        told(report);
        Ok(())
    }
}

/// Ends and removes all, whatever fails on the way; says of the first that failed.
async fn clear(ground: Ground) -> Result<(), Failure> {
    let mut first = Ok(());
    let floors: Vec<Floor> = ground
        .subjects
        .into_iter()
        .filter_map(|subject| subject.floor)
        .collect();
    for floor in floors {
        // What could not be ended here is the bare swarm's, which ends it.
        let _later = floor.settle().await;
    }
    // The bare ones first: they may be in a network of the others.
    let hives: Vec<Hive> = ground.bare.into_iter().chain(ground.hives).collect();
    for hive in hives {
        let closed = hive.close().await;
        if first.is_ok() {
            first = closed;
        }
    }
    first
}

/// What the numbers do not say.
fn told(report: &Report) {
    for run in &report.runs {
        let title = run.title();
        match (&run.floor, &run.no_floor) {
            (Some(floor), _) => note(format_args!("{title}: beside {}", floor.what)),
            (None, Some(why)) => note(format_args!(
                "{title}: beside nothing, for {}",
                without_numbers(why)
            )),
            (None, None) => {}
        }
        let count = run.phases.get(run.whole()).map_or(0, Times::len);
        if run.cut_short {
            note(format_args!(
                "{title}: the time was up after {count}; --time-limit gives it more"
            ));
        }
        if count < 100 {
            note(format_args!("{title}: of {count}, p99 is the slowest"));
        }
        if run.ended_early > 0 {
            note(format_args!(
                "{title}: {} ended by themselves before they were ended",
                run.ended_early
            ));
        }
    }
    let machine = &report.machine;
    note(format_args!(
        "{}; load {:.1} before, {:.1} after",
        machine.title(),
        machine.load_before,
        machine.load_after
    ));
    if machine.is_busy() {
        note("the machine had other work: these figures are too high, and their ratios less so");
    }
}

fn can_be_written(file: &Path) -> Result<(), Failure> {
    let folder = file
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    if folder.is_dir() && !file.is_dir() {
        return Ok(());
    }
    Err(Failure::input(
        format!(
            "{} cannot be written: its folder is not there, or it is one itself",
            file.display()
        ),
        "name a file in a folder that is there",
    ))
}

fn put(file: &Path, text: &[u8]) -> Result<(), Failure> {
    std::fs::write(file, text).map_err(|error| {
        Failure::input(
            format!("{} cannot be written: {error}", file.display()),
            "name a file that you may write, on a disk with room",
        )
    })
}

/// One step of one agent on one backend, for programs.
#[derive(Debug, Serialize)]
struct Row {
    schema: u32,
    agent: String,
    backend: String,
    step: String,
    count: usize,
    p50_ms: f64,
    p90_ms: f64,
    p99_ms: f64,
    bare_p50_ms: Option<f64>,
    bare_p90_ms: Option<f64>,
    bare_p99_ms: Option<f64>,
    ratio_p50: Option<f64>,
    ratio_p99: Option<f64>,
}

impl Record for Row {
    const FIELDS: &'static [Field] = &[
        ("agent", "the agent of the file"),
        ("backend", "what it ran on"),
        (
            "bare_p50_ms",
            "what half of the bare engine's starts do not exceed, in milliseconds",
        ),
        ("bare_p90_ms", "what nine in ten of those do not exceed"),
        ("bare_p99_ms", "what 99 in a hundred of those do not exceed"),
        ("count", "how many were measured"),
        ("p50_ms", "what half of them do not exceed, in milliseconds"),
        ("p90_ms", "what nine in ten do not exceed"),
        ("p99_ms", "what 99 in a hundred do not exceed"),
        (
            "ratio_p50",
            "how many times the bare engine's p50 the p50 is",
        ),
        ("ratio_p99", "the same of p99"),
        ("schema", "the number of this form, 1"),
        (
            "step",
            "spawn or burst, the whole; pull, create, start; ready",
        ),
    ];
}

impl Row {
    fn all_of(run: &Run) -> Vec<Self> {
        let steps = STEPS
            .iter()
            .filter_map(|step| Some((*step, run.phases.get(*step)?)));
        let rounded = |value: f64| (value * 1000.0).round() / 1000.0;
        steps
            .map(|(step, times)| {
                let bare = |part| run.floor_of(step).map(|bare| bare.percentile(part));
                Self {
                    schema: SCHEMA,
                    agent: run.agent.clone(),
                    backend: run.backend.clone(),
                    step: step.to_owned(),
                    count: times.len(),
                    p50_ms: times.percentile(50),
                    p90_ms: times.percentile(90),
                    p99_ms: times.percentile(99),
                    bare_p50_ms: bare(50),
                    bare_p90_ms: bare(90),
                    bare_p99_ms: bare(99),
                    ratio_p50: run.ratio(step, 50).map(rounded),
                    ratio_p99: run.ratio(step, 99).map(rounded),
                }
            })
            .collect()
    }

    fn table(rows: &[Self]) -> Table {
        let mut table = Table::new(&[
            "AGENT", "BACKEND", "STEP", "COUNT", "P50", "P90", "P99", "BARE P50", "BARE P99",
            "RATIO", "OF P99",
        ]);
        let time = |millis: Option<f64>| millis.map(shown).unwrap_or_default();
        let ratio =
            |ratio: Option<f64>| ratio.map(|ratio| format!("{ratio:.2}")).unwrap_or_default();
        for row in rows {
            table.row([
                row.agent.clone(),
                row.backend.clone(),
                row.step.clone(),
                row.count.to_string(),
                shown(row.p50_ms),
                shown(row.p90_ms),
                shown(row.p99_ms),
                time(row.bare_p50_ms),
                time(row.bare_p99_ms),
                ratio(row.ratio_p50),
                ratio(row.ratio_p99),
            ]);
        }
        table
    }
}
