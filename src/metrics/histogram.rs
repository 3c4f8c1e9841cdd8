//! How many times were how long.

use std::sync::Mutex;
use std::time::Duration;

use super::lock;

/// What a start may take, in seconds: from a process on an idle machine to an image that is fetched.
pub(super) const BOUNDS: [f64; 16] = [
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0,
    60.0,
];

/// Times that are counted, and told to whoever counts them, too.
#[derive(Debug, Default)]
pub(super) struct Times(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    counted: Histogram,
    #[cfg(feature = "otel")]
    told: Vec<opentelemetry::metrics::Histogram<f64>>,
}

impl Times {
    pub(super) fn add(&self, time: Duration) {
        let mut inner = lock(&self.0);
        inner.counted.add(time);
        #[cfg(feature = "otel")]
        for histogram in &inner.told {
            histogram.record(time.as_secs_f64(), &[]);
        }
    }

    pub(super) fn counted(&self) -> Histogram {
        lock(&self.0).counted.clone()
    }

    /// Has this one told from now on.
    #[cfg(feature = "otel")]
    pub(super) fn tell(&self, histogram: opentelemetry::metrics::Histogram<f64>) {
        lock(&self.0).told.push(histogram);
    }
}

/// Counts of times, by the first bound that they are not above.
#[derive(Debug, Clone, Default)]
pub(super) struct Histogram {
    /// Of each bound; what is above all is in `count` alone.
    within: [u64; BOUNDS.len()],
    count: u64,
    sum: f64,
}

impl Histogram {
    fn add(&mut self, time: Duration) {
        let seconds = time.as_secs_f64();
        let place = BOUNDS.iter().position(|bound| seconds <= *bound);
        if let Some(within) = place.and_then(|place| self.within.get_mut(place)) {
            *within += 1;
        }
        self.count += 1;
        self.sum += seconds;
    }

    /// How many were not above each bound.
    pub(super) fn buckets(&self) -> impl Iterator<Item = (f64, u64)> {
        BOUNDS
            .iter()
            .zip(&self.within)
            .scan(0, |below, (bound, within)| {
                *below += within;
                Some((*bound, *below))
            })
    }

    pub(super) fn count(&self) -> u64 {
        self.count
    }

    pub(super) fn sum(&self) -> f64 {
        self.sum
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_counted_at_its_bound_and_at_every_higher_one() {
        let mut times = Histogram::default();
        for millis in [1, 2, 100, 120_000] {
            times.add(Duration::from_millis(millis));
        }
        let at = |bound: f64| {
            times
                .buckets()
                .find(|(is, _)| (is - bound).abs() < 1e-12)
                .unwrap()
                .1
        };
        assert_eq!(
            [at(0.0005), at(0.001), at(0.0025), at(0.1), at(60.0)],
            [0, 1, 2, 3, 3]
        );
        assert_eq!(times.count(), 4);
        assert!((times.sum() - 120.103).abs() < 1e-9);
    }
}
