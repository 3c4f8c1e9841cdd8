//! One thing beside another, measured in turn.

use std::fmt::Write as _;
use std::time::Duration;

/// Times of a baseline and of what is compared with it, taken in turn, so that a machine whose speed drifts
/// slows both.
///
/// ```
/// use std::time::Duration;
/// use alveary_conformance::Pairs;
///
/// let mut pairs = Pairs::default();
/// for _ in 0..10 {
///     pairs.push(Duration::from_micros(100), Duration::from_micros(110));
/// }
/// assert_eq!(
///     pairs.row("spawn", "≤ 1.5"),
///     "| spawn | 100 / 100 µs | 110 / 110 µs | 1.10 | 1.10 | ≤ 1.5 |",
/// );
/// ```
#[derive(Debug, Clone, Default)]
pub struct Pairs {
    baseline: Vec<Duration>,
    ours: Vec<Duration>,
}

impl Pairs {
    /// The head of the table to which the [rows](Self::row) belong.
    pub const HEAD: &'static str = "| what | baseline, p50 / p99 | alveary, p50 / p99 | ratio of p50 | of p99 | goal |\n|---|---|---|---|---|---|";

    /// Adds a time of the baseline and the one that was taken beside it.
    pub fn push(&mut self, baseline: Duration, ours: Duration) {
        self.baseline.push(baseline);
        self.ours.push(ours);
    }

    /// The ratio of the medians: ours to the baseline's.
    pub fn ratio(&self) -> f64 {
        let [baseline, ours] = self.medians();
        ratio(ours, baseline)
    }

    /// The medians: the baseline's, and ours.
    pub fn medians(&self) -> [Duration; 2] {
        [&self.baseline, &self.ours].map(|times| percentile(times, 50))
    }

    /// A row of a Markdown table: what was measured, medians and 99th percentiles of both, their ratios, and
    /// what the ratio of the medians is to be. A ratio of next to nothing is shown as `1/1000`.
    pub fn row(&self, what: &str, goal: &str) -> String {
        let at = |times: &[Duration]| (percentile(times, 50), percentile(times, 99));
        let (baseline, ours) = (at(&self.baseline), at(&self.ours));
        let mut row = format!("| {what} ");
        for (p50, p99) in [baseline, ours] {
            let unit = Unit::of(p50);
            // Writing to a String cannot fail.
            let _ = write!(
                row,
                "| {} / {} {} ",
                unit.show(p50),
                unit.show(p99),
                unit.name()
            );
        }
        let _ = write!(
            row,
            "| {} | {} | {goal} |",
            shown(ratio(ours.0, baseline.0)),
            shown(ratio(ours.1, baseline.1))
        );
        row
    }
}

fn ratio(ours: Duration, baseline: Duration) -> f64 {
    ours.as_secs_f64() / baseline.as_secs_f64()
}

/// A ratio as people read it: of one that is next to nothing, what it is a part of.
fn shown(ratio: f64) -> String {
    if ratio < 0.005 {
        format!("1/{:.0}", ratio.recip())
    } else {
        format!("{ratio:.2}")
    }
}

fn percentile(times: &[Duration], part: usize) -> Duration {
    let mut sorted = times.to_vec();
    sorted.sort_unstable();
    sorted
        .get((sorted.len() * part / 100).min(sorted.len().saturating_sub(1)))
        .copied()
        .unwrap_or_default()
}

/// In what a time is shown, so that two of a kind are seen to be so.
#[derive(Clone, Copy)]
enum Unit {
    Nanos,
    Micros,
    Millis,
}

impl Unit {
    fn of(time: Duration) -> Self {
        match time.as_nanos() {
            ..10_000 => Self::Nanos,
            10_000..10_000_000 => Self::Micros,
            _ => Self::Millis,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Nanos => "ns",
            Self::Micros => "µs",
            Self::Millis => "ms",
        }
    }

    fn show(self, time: Duration) -> u128 {
        match self {
            Self::Nanos => time.as_nanos(),
            Self::Micros => time.as_micros(),
            Self::Millis => time.as_millis(),
        }
    }
}
