//! Numbers in the text form of Prometheus.

use std::fmt::{Display, Write as _};

/// Numbers as Prometheus reads them, in its text form 0.0.4.
///
/// ```
/// use alveary_core::{Exposition, MetricKind};
///
/// let mut text = Exposition::new();
/// let mut agents = text.family("agents", MetricKind::Gauge, "Agents by how they stand.");
/// agents.sample(&[("state", "running")], 3);
/// assert_eq!(
///     text.into_text(),
///     "# HELP agents Agents by how they stand.\n# TYPE agents gauge\nagents{state=\"running\"} 3\n",
/// );
/// ```
#[derive(Debug, Clone, Default)]
pub struct Exposition(String);

/// What a number does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum MetricKind {
    /// It goes up and down.
    Gauge,
    /// It only grows, from nought at the start of who counts.
    Counter,
    /// Counts of what was not above each of several bounds.
    Histogram,
}

/// Numbers of one name, which differ by their labels.
#[derive(Debug)]
pub struct Family<'a> {
    text: &'a mut String,
    name: &'a str,
}

impl Exposition {
    /// The type that a server gives it.
    pub const CONTENT_TYPE: &'static str = "text/plain; version=0.0.4; charset=utf-8";

    /// No numbers yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Begins the numbers of a name, which comes once.
    pub fn family<'a>(&'a mut self, name: &'a str, kind: MetricKind, help: &str) -> Family<'a> {
        let kind = match kind {
            MetricKind::Gauge => "gauge",
            MetricKind::Counter => "counter",
            MetricKind::Histogram => "histogram",
        };
        let help = help.replace('\\', "\\\\").replace('\n', "\\n");
        // A string takes everything that is written into it; so below.
        let _ = write!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}\n");
        Family {
            text: &mut self.0,
            name,
        }
    }

    /// A name with one number and no labels.
    pub fn single(&mut self, name: &str, kind: MetricKind, help: &str, value: impl Display) {
        self.family(name, kind, help).sample(&[], value);
    }

    /// All of it.
    pub fn into_text(self) -> String {
        self.0
    }
}

impl Family<'_> {
    /// A number with its labels. Their values may be anything.
    pub fn sample(&mut self, labels: &[(&str, &str)], value: impl Display) {
        self.line("", labels, value);
    }

    /// A histogram with its labels: how many were not above each bound, in the order of the bounds; how many there were,
    /// and what they come to.
    pub fn histogram(
        &mut self,
        labels: &[(&str, &str)],
        buckets: impl IntoIterator<Item = (f64, u64)>,
        count: u64,
        sum: f64,
    ) {
        for (bound, below) in buckets {
            let bound = bound.to_string();
            let mut with_bound: Vec<(&str, &str)> = labels.to_vec();
            with_bound.push(("le", &bound));
            self.line("_bucket", &with_bound, below);
        }
        let mut with_bound: Vec<(&str, &str)> = labels.to_vec();
        with_bound.push(("le", "+Inf"));
        self.line("_bucket", &with_bound, count);
        self.line("_sum", labels, sum);
        self.line("_count", labels, count);
    }

    fn line(&mut self, suffix: &str, labels: &[(&str, &str)], value: impl Display) {
        let _ = write!(self.text, "{}{suffix}", self.name);
        for (n, (label, is)) in labels.iter().enumerate() {
            let before = if n == 0 { '{' } else { ',' };
            let is = is
                .replace('\\', "\\\\")
                .replace('"', "\\\"")
                .replace('\n', "\\n");
            let _ = write!(self.text, "{before}{label}=\"{is}\"");
        }
        let after = if labels.is_empty() { "" } else { "}" };
        let _ = writeln!(self.text, "{after} {value}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_value_of_a_label_breaks_out_of_its_quotes() {
        let mut text = Exposition::new();
        let mut family = text.family("a", MetricKind::Counter, "one\\two\nthree");
        family.sample(&[("b", "\"} 1\na{b=\"\\"), ("c", "d")], 2);
        assert_eq!(
            text.into_text(),
            "# HELP a one\\\\two\\nthree\n# TYPE a counter\na{b=\"\\\"} 1\\na{b=\\\"\\\\\",c=\"d\"} 2\n"
        );
    }

    #[test]
    fn a_histogram_ends_with_all_of_it() {
        let mut text = Exposition::new();
        let mut family = text.family("t", MetricKind::Histogram, "Times.");
        family.histogram(&[("of", "x")], [(0.1, 1), (1.0, 3)], 4, 7.5);
        let text = text.into_text();
        let lines: Vec<&str> = text.lines().skip(2).collect();
        assert_eq!(
            lines,
            [
                "t_bucket{of=\"x\",le=\"0.1\"} 1",
                "t_bucket{of=\"x\",le=\"1\"} 3",
                "t_bucket{of=\"x\",le=\"+Inf\"} 4",
                "t_sum{of=\"x\"} 7.5",
                "t_count{of=\"x\"} 4",
            ]
        );
    }
}
