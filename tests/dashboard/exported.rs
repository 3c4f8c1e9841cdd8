//! What alveary really exports: names, what they do, their labels and what these say.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use alveary::layers::{LayerOptions, measured};
use alveary::{AgentBackend, AgentSpec, ManagerOptions, MemoryBackend, SwarmManager, SwarmMetrics};
use alveary_coordinator::http::{Listeners, Server};
use alveary_coordinator::{Coordinator, Database, Settings, Tokens};
use prometheus_parse::{Scrape, Value};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

/// Numbers of one name.
#[derive(Debug, Default)]
pub(crate) struct Family {
    /// Whether it only grows, as the parts of a histogram do.
    pub(crate) grows: bool,
    pub(crate) labels: BTreeMap<String, BTreeSet<String>>,
}

/// All that there is to be shown, by what it is called in a question.
#[derive(Debug, Default)]
pub(crate) struct Exported(pub(crate) BTreeMap<String, Family>);

impl Exported {
    /// What a swarm and a coordinator say of themselves.
    pub(crate) async fn by_all() -> Self {
        let mut all = Self::default();
        all.read(&of_a_swarm().await);
        all.read(&of_a_coordinator().await);
        all
    }

    fn read(&mut self, text: &str) {
        let scrape = Scrape::parse(text.lines().map(|line| Ok(line.to_owned()))).unwrap();
        for sample in &scrape.samples {
            let (name, grows) = match &sample.value {
                Value::Gauge(_) => (sample.metric.clone(), false),
                Value::Histogram(_) => (format!("{}_bucket", sample.metric), true),
                _ => (sample.metric.clone(), true),
            };
            let family = self.0.entry(name).or_default();
            family.grows = grows;
            for (label, is) in sample.labels.iter() {
                let said = family.labels.entry(label.clone()).or_default();
                said.insert(is.clone());
            }
            if let Value::Histogram(buckets) = &sample.value {
                let bounds = buckets.iter().map(|bucket| bucket.less_than.to_string());
                family.labels.insert("le".to_owned(), bounds.collect());
            }
        }
        for name in scrape.docs.keys() {
            let of_it = |exported: &String| exported.starts_with(name.as_str());
            assert!(self.0.keys().any(of_it), "{name} has no number: {text}");
        }
    }
}

async fn of_a_swarm() -> String {
    let metrics = SwarmMetrics::new();
    let backend: Arc<dyn AgentBackend> = Arc::new(MemoryBackend::new());
    let backend = measured(backend, &LayerOptions::default(), &metrics);
    let options = ManagerOptions::default().with_metrics(metrics.clone());
    let swarm = SwarmManager::with_options(backend, options);
    // Failures have no number before the first.
    let none = AgentSpec::new("none", ["none"]);
    swarm.spawn(none).await.unwrap_err();
    metrics.expose(&swarm).await
}

async fn of_a_coordinator() -> String {
    let coordinator = Coordinator::open(Settings::default(), Database::Memory).await;
    let listeners = Listeners::bind(&["127.0.0.1:0".parse().unwrap()])
        .await
        .unwrap();
    let address = listeners.addresses()[0];
    let server = Server::new(coordinator.unwrap(), Tokens::random());
    let cancel = CancellationToken::new();
    let asked = async {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let request =
            format!("GET /metrics HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        cancel.cancel();
        answer
    };
    let (served, answer) = tokio::join!(server.serve(listeners, cancel.clone()), asked);
    served.unwrap();
    let (head, text) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    text.to_owned()
}
