//! What a reader of OpenTelemetry collects, as its rules for Prometheus have it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use opentelemetry::metrics::MeterProvider as _;
use opentelemetry::{InstrumentationScope, KeyValue};
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::metrics::data::{AggregatedMetrics, Metric, MetricData, ResourceMetrics};
use opentelemetry_sdk::metrics::exporter::PushMetricExporter;
use opentelemetry_sdk::metrics::{PeriodicReader, SdkMeterProvider, Temporality};

use crate::told::{Labels, Told};

/// Meters, and somebody who collects what they are told.
pub(crate) struct Meters {
    provider: SdkMeterProvider,
    keeps: Keeps,
}

/// The last that was collected, by what the scopes of the meters say of their swarm.
#[derive(Clone, Default)]
struct Keeps(Arc<Mutex<BTreeMap<String, Told>>>);

impl Meters {
    pub(crate) fn new() -> Self {
        let keeps = Keeps::default();
        // It is asked when it is wanted, and never by the clock.
        let reader = PeriodicReader::builder(keeps.clone())
            .with_interval(Duration::from_hours(1))
            .build();
        let provider = SdkMeterProvider::builder().with_reader(reader).build();
        Self { provider, keeps }
    }

    pub(crate) fn meter(&self, swarm: &'static str) -> opentelemetry::metrics::Meter {
        let scope = InstrumentationScope::builder("alveary")
            .with_attributes([KeyValue::new("swarm", swarm)])
            .build();
        self.provider.meter_with_scope(scope)
    }

    /// Collects now, and gives what the meter of this swarm has been told.
    pub(crate) fn collect(&self, swarm: &str) -> Told {
        self.keeps.0.lock().unwrap().clear();
        self.provider.force_flush().unwrap();
        let mut kept = self.keeps.0.lock().unwrap();
        kept.remove(swarm).unwrap_or_default()
    }
}

impl PushMetricExporter for Keeps {
    async fn export(&self, metrics: &ResourceMetrics) -> OTelSdkResult {
        let mut all = BTreeMap::<String, Told>::new();
        for scope in metrics.scope_metrics() {
            let mut attributes = scope.scope().attributes();
            let swarm = attributes.next().unwrap().value.to_string();
            let told = all.entry(swarm).or_default();
            scope.metrics().for_each(|metric| told.take_in(metric));
        }
        *self.0.lock().unwrap() = all;
        Ok(())
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
        Ok(())
    }

    fn temporality(&self) -> Temporality {
        Temporality::Cumulative
    }
}

/// <https://opentelemetry.io/docs/specs/otel/compatibility/prometheus_and_openmetrics/>: what a name becomes.
fn name(metric: &Metric, kind: &str) -> String {
    let mut name = metric.name().replace('.', "_");
    match metric.unit() {
        "" => {}
        "s" => name.push_str("_seconds"),
        unit if unit.starts_with('{') && unit.ends_with('}') => {}
        unit => panic!("nobody has said what {unit} is called"),
    }
    if kind == "counter" {
        name.push_str("_total");
    }
    name
}

fn labels<'a>(attributes: impl Iterator<Item = &'a KeyValue>) -> Labels {
    attributes
        .map(|attribute| (attribute.key.to_string(), attribute.value.to_string()))
        .collect()
}

impl Told {
    fn take_in(&mut self, metric: &Metric) {
        match metric.data() {
            AggregatedMetrics::F64(data) => self.take_data(metric, data, |is| is),
            AggregatedMetrics::U64(data) => self.take_data(metric, data, whole),
            AggregatedMetrics::I64(data) => {
                self.take_data(metric, data, |is| whole(is.try_into().unwrap()));
            }
        }
    }

    fn take_data<T: Copy>(&mut self, metric: &Metric, data: &MetricData<T>, is: fn(T) -> f64) {
        let help = metric.description();
        match data {
            MetricData::Gauge(gauge) => {
                let name = name(metric, "gauge");
                self.family(&name, "gauge", help);
                for point in gauge.data_points() {
                    self.number(&name, &labels(point.attributes()), is(point.value()));
                }
            }
            MetricData::Sum(sum) => {
                assert_eq!(sum.temporality(), Temporality::Cumulative);
                let kind = if sum.is_monotonic() {
                    "counter"
                } else {
                    "gauge"
                };
                let name = name(metric, kind);
                self.family(&name, kind, help);
                for point in sum.data_points() {
                    self.number(&name, &labels(point.attributes()), is(point.value()));
                }
            }
            MetricData::Histogram(histogram) => {
                let name = name(metric, "histogram");
                self.family(&name, "histogram", help);
                for point in histogram.data_points() {
                    let labels = labels(point.attributes());
                    let bounds = point.bounds().chain([f64::INFINITY]);
                    let below = point.bucket_counts().scan(0, |below, count| {
                        *below += count;
                        Some(whole(*below))
                    });
                    self.histogram(&name, &labels, bounds.zip(below));
                    self.number(&format!("{name}_sum"), &labels, is(point.sum()));
                    self.number(&format!("{name}_count"), &labels, whole(point.count()));
                }
            }
            MetricData::ExponentialHistogram(_) => panic!("nobody has asked for one"),
        }
    }
}

fn whole(is: u64) -> f64 {
    f64::from(u32::try_from(is).unwrap())
}
