//! Two reports side by side, and whether there is a difference between them or only noise.

use super::report::{Report, Run, STEPS};
use super::times::Times;

/// With fewer of either, chance alone makes any order.
const ENOUGH: usize = 8;

/// Of a hundred comparisons of the same with itself, one may be called a difference: by this many standard deviations.
const ONE_PERCENT: f64 = 2.576;

/// Whether one of two is slower than the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Slower,
    Faster,
    /// What there is between them, chance makes as well.
    NoDifference,
    TooFew,
}

impl Verdict {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Slower => "slower",
            Self::Faster => "faster",
            Self::NoDifference => "no difference seen",
            Self::TooFew => "too few to tell",
        }
    }
}

/// One step of one run, before and after.
#[derive(Debug, Clone)]
pub(crate) struct Compared {
    pub(crate) agent: String,
    pub(crate) backend: String,
    pub(crate) step: &'static str,
    /// Of the bare engine, not of alveary.
    pub(crate) bare: bool,
    /// Whether it is the one by which the run is judged.
    pub(crate) whole: bool,
    pub(crate) before: Times,
    pub(crate) after: Times,
    pub(crate) verdict: Verdict,
}

impl Compared {
    /// How many times as long it takes now.
    pub(crate) fn ratio(&self, part: usize) -> f64 {
        let before = self.before.percentile(part);
        if before > 0.0 {
            self.after.percentile(part) / before
        } else {
            1.0
        }
    }
}

/// Two reports held against each other.
#[derive(Debug)]
pub(crate) struct Comparison {
    pub(crate) rows: Vec<Compared>,
    /// What makes them less than comparable, in sentences.
    pub(crate) notes: Vec<String>,
}

impl Comparison {
    pub(crate) fn of(before: &Report, after: &Report) -> Self {
        let mut this = Self {
            rows: Vec::new(),
            notes: surroundings(before, after),
        };
        for run in &before.runs {
            let same = |other: &&Run| other.agent == run.agent && other.backend == run.backend;
            match after.runs.iter().find(same) {
                Some(other) => this.add(run, other),
                None => this
                    .notes
                    .push(format!("{} is in the first alone", run.title())),
            }
        }
        for run in &after.runs {
            let same = |other: &&Run| other.agent == run.agent && other.backend == run.backend;
            if !before.runs.iter().any(|other| same(&other)) {
                this.notes
                    .push(format!("{} is in the second alone", run.title()));
            }
        }
        this
    }

    fn add(&mut self, before: &Run, after: &Run) {
        let title = before.title();
        if before.spec_hash != after.spec_hash {
            self.notes.push(format!(
                "{title} is another agent in the second: the file has changed"
            ));
        }
        if before.engine != after.engine {
            let version = |run: &Run| {
                run.engine
                    .clone()
                    .unwrap_or_else(|| "one without a version".to_owned())
            };
            self.notes.push(format!(
                "{title} ran on another engine: {}, then {}",
                version(before),
                version(after)
            ));
        }
        for (step, bare) in STEPS
            .into_iter()
            .flat_map(|step| [(step, false), (step, true)])
        {
            let times = |run: &Run| {
                if bare {
                    run.floor_of(step).cloned()
                } else {
                    run.phases.get(step).cloned()
                }
            };
            let (Some(first), Some(second)) = (times(before), times(after)) else {
                continue;
            };
            self.rows.push(Compared {
                agent: before.agent.clone(),
                backend: before.backend.clone(),
                step,
                bare,
                whole: !bare && before.whole() == step,
                verdict: verdict(first.samples(), second.samples()),
                before: first,
                after: second,
            });
        }
    }

    /// Those whose whole start takes more than so many times as long, by more than chance and by more than the bare
    /// engine itself has changed.
    pub(crate) fn above(&self, limit: f64) -> impl Iterator<Item = (&Compared, f64)> {
        let judged = self
            .rows
            .iter()
            .filter(|row| row.whole && row.verdict == Verdict::Slower);
        judged
            .map(|row| (row, row.ratio(50) / self.drift(row)))
            .filter(move |(_, ratio)| *ratio > limit)
    }

    /// How much the bare engine has changed; one where that may be chance, or nobody knows.
    pub(crate) fn drift(&self, row: &Compared) -> f64 {
        let same = |bare: &&Compared| {
            bare.bare
                && bare.step == row.step
                && bare.agent == row.agent
                && bare.backend == row.backend
        };
        let bare = self.rows.iter().find(same);
        let moved = bare.filter(|bare| matches!(bare.verdict, Verdict::Slower | Verdict::Faster));
        moved.map_or(1.0, |bare| bare.ratio(50))
    }
}

/// What is not the same around the two.
fn surroundings(before: &Report, after: &Report) -> Vec<String> {
    let mut notes = Vec::new();
    if !before.machine.is(&after.machine) {
        notes.push(format!(
            "these are two machines: {} ({}), then {} ({})",
            before.machine.host,
            before.machine.title(),
            after.machine.host,
            after.machine.title()
        ));
    } else if before.machine.kernel != after.machine.kernel {
        notes.push(format!(
            "the kernel is another: {}, then {}",
            before.machine.kernel, after.machine.kernel
        ));
    }
    if before.alveary != after.alveary {
        notes.push(format!(
            "two versions of alveary: {}, then {}",
            before.alveary, after.alveary
        ));
    }
    if before.asked.at_once != after.asked.at_once {
        notes.push(format!(
            "not so many at once: {}, then {}",
            before.asked.at_once, after.asked.at_once
        ));
    }
    for (which, report) in [("first", before), ("second", after)] {
        if report.machine.is_busy() {
            notes.push(format!(
                "the machine had other work in the {which}: a load of {:.1} on {} processors",
                report.machine.load_before, report.machine.processors
            ));
        }
    }
    notes
}

/// By the test of Mann and Whitney: whether the ranks of the two lie apart further than chance would have them. It asks
/// nothing of how times are spread, and one odd time does not move it.
pub(crate) fn verdict(before: &[f64], after: &[f64]) -> Verdict {
    if before.len() < ENOUGH || after.len() < ENOUGH {
        return Verdict::TooFew;
    }
    match standing(before, after) {
        z if z > ONE_PERCENT => Verdict::Slower,
        z if z < -ONE_PERCENT => Verdict::Faster,
        _ => Verdict::NoDifference,
    }
}

/// By how many standard deviations the second lies above the first.
#[expect(clippy::cast_precision_loss, reason = "nobody measures that often")]
fn standing(before: &[f64], after: &[f64]) -> f64 {
    let of =
        |times: &[f64], second: bool| times.iter().map(|time| (*time, second)).collect::<Vec<_>>();
    let mut all = of(before, false);
    all.extend(of(after, true));
    all.sort_unstable_by(|one, other| one.0.total_cmp(&other.0));
    let (mut ranks, mut ties, mut from) = (0.0, 0.0, 0);
    for equal in all.chunk_by(|one, other| one.0.total_cmp(&other.0).is_eq()) {
        let many = equal.len() as f64;
        // Equals share the middle of their ranks, which begin at one.
        let rank = from as f64 + f64::midpoint(1.0, many);
        ranks += rank * equal.iter().filter(|(_, second)| *second).count() as f64;
        ties += many.powi(3) - many;
        from += equal.len();
    }
    let (first, second) = (before.len() as f64, after.len() as f64);
    let total = first + second;
    let above = ranks - second * (second + 1.0) / 2.0;
    let spread = first * second / 12.0 * (total + 1.0 - ties / (total * (total - 1.0)));
    if spread <= 0.0 {
        return 0.0;
    }
    (above - first * second / 2.0) / spread.sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers that look drawn and are always the same.
    fn drawn(seed: u64, count: usize, base: f64) -> Vec<f64> {
        let mut state = seed;
        let mut next = || {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            f64::from(u32::try_from(state >> 33).unwrap()) / f64::from(1u32 << 31)
        };
        (0..count).map(|_| base * (1.0 + 0.2 * next())).collect()
    }

    #[test]
    fn what_is_measured_twice_differs_by_chance_about_once_in_a_hundred() {
        let differ = (0..500).filter(|seed| {
            let verdict = verdict(
                &drawn(seed * 2 + 1, 40, 1.0),
                &drawn(seed * 2 + 7919, 40, 1.0),
            );
            verdict != Verdict::NoDifference
        });
        let differ = differ.count();
        assert!(differ <= 15, "{differ} of 500");
    }

    #[test]
    fn a_tenth_more_is_seen_in_forty_and_a_hundredth_is_not() {
        let before = drawn(3, 40, 1.0);
        assert_eq!(verdict(&before, &drawn(4, 40, 1.1)), Verdict::Slower);
        assert_eq!(verdict(&drawn(4, 40, 1.1), &before), Verdict::Faster);
        assert_eq!(verdict(&before, &drawn(5, 40, 1.01)), Verdict::NoDifference);
    }

    #[test]
    fn one_odd_time_makes_no_difference_and_equal_times_are_none() {
        let before = drawn(3, 40, 1.0);
        let mut odd = before.clone();
        odd[0] = 1e6;
        assert_eq!(verdict(&before, &odd), Verdict::NoDifference);
        assert_eq!(verdict(&[1.0; 20], &[1.0; 20]), Verdict::NoDifference);
        assert_eq!(verdict(&before[..7], &drawn(9, 40, 9.0)), Verdict::TooFew);
    }

    #[test]
    fn the_standing_is_that_of_a_textbook() {
        // Twelve against twelve, no ties: U = 0 and so z = −72 / √300.
        let low: Vec<f64> = (1..=12).map(f64::from).collect();
        let high: Vec<f64> = (13..=24).map(f64::from).collect();
        assert!((standing(&low, &high) - 72.0 / 300f64.sqrt()).abs() < 1e-9);
    }
}
