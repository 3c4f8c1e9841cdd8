//! The same numbers, told to a meter of OpenTelemetry.

use std::sync::Arc;
use std::time::Duration;

use alveary_core::AgentBackend;
use opentelemetry::KeyValue;
use opentelemetry::metrics::{Histogram, Meter};

use super::SwarmMetrics;
use super::histogram::BOUNDS;
use super::list::{METRICS, Metric, Read, Tell};
use crate::manager::SwarmManager;

impl SwarmMetrics {
    /// Has a meter of [OpenTelemetry](https://opentelemetry.io) told the same numbers, whenever its reader asks: of the
    /// counts, and of how the agents of this swarm stand. The engine is not asked, but listened to from now on.
    ///
    /// | name | kind | unit | attributes |
    /// |---|---|---|---|
    /// | `alveary.swarm.info` | gauge | | `backend`, `version` |
    /// | `alveary.swarm.agents` | up-down counter | `{agent}` | `state` |
    /// | `alveary.swarm.agents_ready` | up-down counter | `{agent}` | |
    /// | `alveary.swarm.engine_heard` | gauge | | |
    /// | `alveary.swarm.spawn` | histogram | `s` | |
    /// | `alveary.swarm.calls` | counter | `{call}` | `operation` |
    /// | `alveary.swarm.failures` | counter | `{call}` | `operation`, `kind` |
    /// | `alveary.swarm.restarts` | counter | `{restart}` | |
    /// | `alveary.swarm.restarts_used_up` | counter | `{agent}` | |
    /// | `alveary.swarm.reconciles` | counter | `{reconcile}` | |
    /// | `alveary.swarm.reconcile_lag` | gauge | `s` | |
    ///
    /// They are so called that what hands OpenTelemetry's numbers on to Prometheus makes of them the very names and labels that
    /// [`expose`](Self::expose) has.
    ///
    /// Nothing here opens a connection or starts a thread: which exporter reads the meter, and how often, is the caller's. Call it
    /// once for a meter, and before agents are started: of the times of starts it is told from now on, and the other counts
    /// it is told whole. Several swarms of one program want a meter each, told apart by its scope (`meter_with_scope`). The meter
    /// keeps no swarm alive, and once the last manager is gone it is told nothing more.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use alveary::{ManagerOptions, MemoryBackend, SwarmManager, SwarmMetrics};
    /// use alveary::layers::{LayerOptions, measured};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// let metrics = SwarmMetrics::new();
    /// let backend = measured(Arc::new(MemoryBackend::new()), &LayerOptions::default(), &metrics);
    /// let options = ManagerOptions::default().with_metrics(metrics.clone());
    /// let swarm = SwarmManager::with_options(backend, options);
    /// metrics.report_to(&opentelemetry::global::meter("alveary"), &swarm).await;
    /// # }
    /// ```
    pub async fn report_to<B: AgentBackend + ?Sized>(
        &self,
        meter: &Meter,
        swarm: &SwarmManager<B>,
    ) {
        swarm.standing().await;
        for metric in &METRICS {
            let counts = Arc::downgrade(&self.0);
            let look = swarm.looker();
            match metric.read {
                Read::Counted(read) => metric.counted(meter, move |tell| {
                    if let Some(counts) = counts.upgrade() {
                        read(&counts, tell);
                    }
                }),
                Read::Parts(read) => metric.parts(meter, move |tell| {
                    if let Some(standing) = look() {
                        read(&standing, tell);
                    }
                }),
                Read::Facts(read) => metric.facts(meter, move |tell| {
                    if let Some(standing) = look() {
                        read(&standing, tell);
                    }
                }),
                Read::Ago(read) => metric.ago(meter, move || read(&*counts.upgrade()?)),
                Read::Times(of) => of(&self.0).tell(metric.times(meter)),
            }
        }
    }
}

impl Metric {
    fn counted(&self, meter: &Meter, read: impl Fn(&mut Tell<'_>) + Send + Sync + 'static) {
        meter
            .u64_observable_counter(self.name.otel)
            .with_unit(self.unit)
            .with_description(self.help)
            .with_callback(move |observer| {
                read(&mut |labels, count| observer.observe(count, &attributes(labels)));
            })
            .build();
    }

    fn parts(&self, meter: &Meter, read: impl Fn(&mut Tell<'_>) + Send + Sync + 'static) {
        meter
            .i64_observable_up_down_counter(self.name.otel)
            .with_unit(self.unit)
            .with_description(self.help)
            .with_callback(move |observer| {
                read(&mut |labels, count| {
                    let count = i64::try_from(count).unwrap_or(i64::MAX);
                    observer.observe(count, &attributes(labels));
                });
            })
            .build();
    }

    fn facts(&self, meter: &Meter, read: impl Fn(&mut Tell<'_>) + Send + Sync + 'static) {
        meter
            .u64_observable_gauge(self.name.otel)
            .with_unit(self.unit)
            .with_description(self.help)
            .with_callback(move |observer| {
                read(&mut |labels, count| observer.observe(count, &attributes(labels)));
            })
            .build();
    }

    fn ago(&self, meter: &Meter, read: impl Fn() -> Option<Duration> + Send + Sync + 'static) {
        meter
            .f64_observable_gauge(self.name.otel)
            .with_unit(self.unit)
            .with_description(self.help)
            .with_callback(move |observer| {
                if let Some(ago) = read() {
                    observer.observe(ago.as_secs_f64(), &[]);
                }
            })
            .build();
    }

    fn times(&self, meter: &Meter) -> Histogram<f64> {
        meter
            .f64_histogram(self.name.otel)
            .with_unit(self.unit)
            .with_description(self.help)
            .with_boundaries(BOUNDS.to_vec())
            .build()
    }
}

fn attributes(labels: &[(&'static str, &str)]) -> Vec<KeyValue> {
    let attribute = |(key, value): &(&'static str, &str)| KeyValue::new(*key, (*value).to_owned());
    labels.iter().map(attribute).collect()
}
