//! Many times of the same thing, and what is said of them.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Times of one step, in milliseconds, in the order in which they were taken.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(from = "Written", into = "Written")]
pub(crate) struct Times(Vec<f64>);

/// As a file has them: what is said of them is there for who reads it, and is reckoned anew.
#[derive(Serialize, Deserialize)]
struct Written {
    #[serde(default)]
    count: usize,
    #[serde(default)]
    min_ms: f64,
    #[serde(default)]
    p50_ms: f64,
    #[serde(default)]
    p90_ms: f64,
    #[serde(default)]
    p99_ms: f64,
    #[serde(default)]
    max_ms: f64,
    samples_ms: Vec<f64>,
}

impl From<Written> for Times {
    fn from(written: Written) -> Self {
        Self(written.samples_ms)
    }
}

impl From<Times> for Written {
    fn from(times: Times) -> Self {
        Self {
            count: times.len(),
            min_ms: times.percentile(0),
            p50_ms: times.percentile(50),
            p90_ms: times.percentile(90),
            p99_ms: times.percentile(99),
            max_ms: times.percentile(100),
            samples_ms: times.0,
        }
    }
}

impl Times {
    pub(crate) fn push(&mut self, time: Duration) {
        // To the tenth of a microsecond: what is finer is noise.
        self.0.push((time.as_secs_f64() * 1e7).round() / 1e4);
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn samples(&self) -> &[f64] {
        &self.0
    }

    /// The time, in milliseconds, that so many of a hundred do not exceed: the nearest that was measured, by rank. Zero
    /// where nothing was measured.
    pub(crate) fn percentile(&self, part: usize) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort_unstable_by(f64::total_cmp);
        let rank = (sorted.len() * part).div_ceil(100).max(1);
        sorted.get(rank - 1).copied().unwrap_or_default()
    }

    /// Whether each is one that a clock can have given.
    pub(crate) fn are_times(&self) -> bool {
        self.0.iter().all(|time| time.is_finite() && *time >= 0.0)
    }
}

impl FromIterator<f64> for Times {
    fn from_iter<I: IntoIterator<Item = f64>>(millis: I) -> Self {
        Self(millis.into_iter().collect())
    }
}

/// A time in milliseconds as it is shown, in three figures and its own unit: `812 µs`, `1.24 ms`, `2.10 s`.
pub(crate) fn shown(millis: f64) -> String {
    let (value, unit) = match millis {
        ..1.0 => (millis * 1000.0, "µs"),
        1.0..1000.0 => (millis, "ms"),
        _ => (millis / 1000.0, "s"),
    };
    match value {
        ..10.0 => format!("{value:.2} {unit}"),
        10.0..100.0 => format!("{value:.1} {unit}"),
        _ => format!("{value:.0} {unit}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_a_time_that_was_measured() {
        let hundred: Times = (1..=100).rev().map(f64::from).collect();
        for part in [1, 50, 90, 99, 100] {
            #[expect(clippy::cast_precision_loss, reason = "a hundred is not much")]
            let is = part as f64;
            assert!((hundred.percentile(part) - is).abs() < 1e-9, "p{part}");
        }
        let three: Times = [3.0, 1.0, 2.0].into_iter().collect();
        assert!((three.percentile(50) - 2.0).abs() < 1e-9);
        assert!((three.percentile(99) - 3.0).abs() < 1e-9);
        assert!(Times::default().percentile(50).abs() < 1e-9);
    }

    #[test]
    fn what_a_file_says_of_its_times_is_reckoned_from_them() {
        let text = r#"{ "p50_ms": 7.0, "samples_ms": [1.0, 2.0, 3.0] }"#;
        let times: Times = serde_json::from_str(text).unwrap();
        assert!((times.percentile(50) - 2.0).abs() < 1e-9);
    }

    #[test]
    fn a_time_is_shown_in_its_own_unit() {
        for (millis, text) in [
            (0.01234, "12.3 µs"),
            (0.812, "812 µs"),
            (1.236, "1.24 ms"),
            (345.6, "346 ms"),
            (2100.0, "2.10 s"),
        ] {
            assert_eq!(shown(millis), text);
        }
    }
}
