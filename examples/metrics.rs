//! Numbers about a swarm for both who ask for them: Prometheus, which comes for them over HTTP, and a meter of OpenTelemetry,
//! which is told.
//!
//! ```sh
//! cargo run --example metrics --features otel
//! curl http://127.0.0.1:9464/metrics
//! ```
//!
//! The exporter of OpenTelemetry here prints what it is told, every ten seconds; another one sends it somewhere, and
//! nothing else changes. `dashboard.json` beside this file shows the same numbers in Grafana.

#![expect(clippy::print_stdout, reason = "an example shows what it did")]

use std::error::Error;
use std::future::Future;
use std::path::Path;
use std::time::Duration;

use alveary::{
    AgentSpec, Exposition, LoadOptions, OpenOptions, Restart, ShutdownOptions, SwarmManager,
    SwarmMetrics,
};
use axum::Router;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::routing::get;
use opentelemetry::metrics::MeterProvider;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::metrics::exporter::PushMetricExporter;
use opentelemetry_sdk::metrics::{PeriodicReader, SdkMeterProvider};
use tokio::net::TcpListener;

/// What Prometheus is answered.
async fn scrape(State((swarm, metrics)): State<(SwarmManager, SwarmMetrics)>) -> impl IntoResponse {
    let text = metrics.expose(&swarm).await;
    ([(CONTENT_TYPE, Exposition::CONTENT_TYPE)], text)
}

/// The program's own part of OpenTelemetry: who the numbers are from, where they go, and how often.
fn meters(exporter: impl PushMetricExporter) -> SdkMeterProvider {
    let reader = PeriodicReader::builder(exporter)
        .with_interval(Duration::from_secs(10))
        .build();
    SdkMeterProvider::builder()
        .with_resource(Resource::builder().with_service_name("bees").build())
        .with_reader(reader)
        .build()
}

async fn open(folder: &Path, metrics: &SwarmMetrics) -> Result<SwarmManager, Box<dyn Error>> {
    let file = folder.join("alveary.toml");
    std::fs::write(&file, "backend = \"process\"")?;
    let load = LoadOptions::default()
        .with_file(file)
        .with_state_dir(folder.join("state"));
    // From here on whatever the manager does is counted, and whatever its backend is asked.
    let options = OpenOptions::new().load(load).metrics(metrics.clone());
    Ok(options.open().await?.swarm)
}

/// One that stays, and one that ends again and again until it is given up.
async fn populate(swarm: &SwarmManager) -> alveary::Result<()> {
    let steady = AgentSpec::new("steady", ["sleep", "3600"]);
    swarm.spawn(steady).await?;
    let restarts = Restart::always()
        .at_most(3, Duration::from_mins(1))
        .delay(Duration::from_millis(100), Duration::from_secs(1));
    let clumsy = AgentSpec::new("clumsy", ["false"]).restart(restarts);
    swarm.spawn(clumsy).await?;
    Ok(())
}

/// Runs a swarm that is watched from both sides, until `end` comes.
async fn run(
    exporter: impl PushMetricExporter,
    listener: TcpListener,
    end: impl Future<Output = ()> + Send + 'static,
) -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let metrics = SwarmMetrics::new();
    let swarm = open(folder.path(), &metrics).await?;
    let guard = swarm.guard(ShutdownOptions::default());

    // The meter before the agents, so that it is told of each start.
    let provider = meters(exporter);
    metrics.report_to(&provider.meter("alveary"), &swarm).await;
    populate(&swarm).await?;

    let routes = Router::new()
        .route("/metrics", get(scrape))
        .with_state((swarm, metrics));
    axum::serve(listener, routes)
        .with_graceful_shutdown(end)
        .await?;

    // What was counted since the last time is exported, too. It blocks, and so does it where that holds up nobody.
    tokio::task::spawn_blocking(move || provider.shutdown()).await??;
    guard.shutdown().await?;
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    alveary::keeper::run_if_asked();
    until_interrupted()
}

#[tokio::main]
async fn until_interrupted() -> Result<(), Box<dyn Error>> {
    let listener = TcpListener::bind("127.0.0.1:9464").await?;
    println!("http://{}/metrics", listener.local_addr()?);
    let exporter = opentelemetry_stdout::MetricExporter::default();
    let end = async {
        // Where nobody can interrupt it, it ends at once.
        let _ = tokio::signal::ctrl_c().await;
    };
    run(exporter, listener, end).await
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;
    use std::sync::{Arc, Mutex};
    use std::time::Instant;

    use opentelemetry_sdk::error::OTelSdkResult;
    use opentelemetry_sdk::metrics::Temporality;
    use opentelemetry_sdk::metrics::data::{AggregatedMetrics, MetricData, ResourceMetrics};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;
    use tokio::sync::oneshot;

    use super::*;

    /// The last that was exported of what only grows.
    #[derive(Clone, Default)]
    struct Exported(Arc<Mutex<Vec<(String, u64)>>>);

    impl PushMetricExporter for Exported {
        async fn export(&self, metrics: &ResourceMetrics) -> OTelSdkResult {
            let mut counted = Vec::new();
            for metric in metrics.scope_metrics().flat_map(|scope| scope.metrics()) {
                if let AggregatedMetrics::U64(MetricData::Sum(sum)) = metric.data() {
                    let all = sum.data_points().map(|point| point.value()).sum();
                    counted.push((metric.name().to_owned(), all));
                }
            }
            *self.0.lock().unwrap() = counted;
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

    async fn scraped(address: SocketAddr) -> String {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let request =
            format!("GET /metrics HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    #[tokio::test]
    async fn prometheus_and_the_meter_hear_the_same_of_one_that_was_given_up() {
        let exported = Exported::default();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (end, ended) = oneshot::channel();
        let program = run(exported.clone(), listener, async {
            let _: Result<(), _> = ended.await;
        });
        let asks = async {
            let began = Instant::now();
            loop {
                let text = scraped(address).await;
                if text.contains("\nalveary_swarm_restarts_used_up_total 1\n") {
                    end.send(()).unwrap();
                    return text;
                }
                assert!(began.elapsed() < Duration::from_mins(1), "{text}");
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        let (program, text) = tokio::join!(program, asks);
        program.unwrap();
        assert!(text.contains(Exposition::CONTENT_TYPE), "{text}");
        assert!(
            text.contains("\nalveary_swarm_restarts_total 3\n"),
            "{text}"
        );
        assert!(
            text.contains("\nalveary_swarm_spawn_seconds_count 5\n"),
            "{text}"
        );
        let exported = exported.0.lock().unwrap();
        for told in [
            ("alveary.swarm.restarts", 3),
            ("alveary.swarm.restarts_used_up", 1),
        ] {
            let told = (told.0.to_owned(), told.1);
            assert!(exported.contains(&told), "{told:?}: {exported:?}");
        }
    }
}
