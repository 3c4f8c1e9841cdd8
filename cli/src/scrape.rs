//! Numbers about a swarm over HTTP, for Prometheus.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use alveary::{Exposition, Opened, SwarmManager, SwarmMetrics};
use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{ALLOW, CONTENT_TYPE};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::detach::has_died;
use crate::failure::Failure;
use crate::output::note;

/// How long somebody may take to say what they want.
const PATIENCE: Duration = Duration::from_secs(10);

/// So many are answered at once; who comes after them waits.
const AT_ONCE: usize = 16;

/// How long a supervisor may take until it serves them.
const UNTIL_SERVED: Duration = Duration::from_secs(5);
const LOOK: Duration = Duration::from_millis(5);

/// Where it is said by whom numbers are served, in the swarm's state folder.
const FILE: &str = "metrics.json";

/// A place where numbers are served.
#[derive(Debug)]
pub(crate) struct Scrape {
    listener: TcpListener,
    address: SocketAddr,
}

/// What a process has written down of a swarm's numbers.
#[derive(Debug, Serialize, Deserialize)]
struct Noted {
    pid: u32,
    #[serde(flatten)]
    numbers: Numbers,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Numbers {
    /// Where they are.
    Url(String),
    /// Why there are none.
    Refused(String),
}

impl Noted {
    /// What was written down last, by whoever it was.
    fn read(state: &Path) -> Option<Self> {
        serde_json::from_slice(&std::fs::read(state.join(FILE)).ok()?).ok()
    }

    /// Writes it down whole or not at all: somebody waits for it.
    fn write(numbers: Numbers, state: &Path) -> Result<(), Failure> {
        let noted = Self {
            pid: std::process::id(),
            numbers,
        };
        let file = state.join(FILE);
        let text = serde_json::to_vec(&noted).map_err(std::io::Error::other)?;
        let passing = state.join(format!("{FILE}.{}", noted.pid));
        let written =
            std::fs::write(&passing, text).and_then(|()| std::fs::rename(&passing, &file));
        written.map_err(|error| {
            Failure::input(
                format!("{} cannot be written: {error}", file.display()),
                "make room there, or choose another folder for state by ALVEARY_STATE_DIR",
            )
        })
    }
}

/// Says where the numbers are that the supervisor serves, where they were asked for.
pub(crate) async fn tell(opened: &Opened) -> Result<(), Failure> {
    let (Some(_), Some(state)) = (&opened.fleet.metrics, opened.swarm.state_dir()) else {
        return Ok(());
    };
    let until = Instant::now() + UNTIL_SERVED;
    loop {
        match Noted::read(state).filter(|noted| !has_died(noted.pid)) {
            Some(Noted {
                numbers: Numbers::Url(url),
                ..
            }) => {
                note(format_args!("numbers: {url}"));
                return Ok(());
            }
            Some(Noted {
                pid,
                numbers: Numbers::Refused(why),
            }) => {
                return Err(Failure::input(
                    why,
                    format!(
                        "free that address or name another, end the supervisor by `kill {pid}`, and bring the swarm up once more"
                    ),
                ));
            }
            None => {}
        }
        if Instant::now() > until {
            let log = state.join("supervisor.log");
            return Err(Failure::input(
                "the supervisor of the swarm serves no numbers: it was there before they were asked for, or it cannot",
                format!(
                    "read {}; end it by `kill` and bring the swarm up once more",
                    log.display()
                ),
            ));
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// Writes down, for who waits for them and who asks later, why there are none.
pub(crate) fn refuse(failure: &Failure, state: Option<&Path>) {
    let (why, _) = failure.in_words();
    failure.tell();
    if let Some(Err(failure)) = state.map(|state| Noted::write(Numbers::Refused(why), state)) {
        failure.tell();
    }
}

impl Scrape {
    /// Serves the numbers of a swarm where they are asked for, says where, and goes on for as long as what this gives is
    /// polled.
    pub(crate) async fn begin(opened: &Opened) -> Result<BoxFuture<'static, Infallible>, Failure> {
        let (Some(table), Some(metrics)) = (&opened.fleet.metrics, opened.swarm.metrics()) else {
            return Ok(std::future::pending().boxed());
        };
        let scrape = Self::listen(table.listen).await?;
        note(format_args!("numbers: {}", scrape.url()));
        if let Some(state) = opened.swarm.state_dir() {
            Noted::write(Numbers::Url(scrape.url()), state)?;
        }
        Ok(scrape.serve(opened.swarm.clone(), metrics.clone()).boxed())
    }

    async fn listen(address: SocketAddr) -> Result<Self, Failure> {
        let listening = async {
            let listener = TcpListener::bind(address).await?;
            let address = listener.local_addr()?;
            Ok::<_, std::io::Error>(Self { listener, address })
        };
        listening.await.map_err(|error| {
            Failure::input(
                format!("numbers cannot be served at {address}: {error}"),
                "name another address, or port 0 for any that is free",
            )
        })
    }

    fn url(&self) -> String {
        format!("http://{}/metrics", self.address)
    }

    /// Answers, for as long as it is polled.
    async fn serve(self, swarm: SwarmManager, metrics: SwarmMetrics) -> Infallible {
        let mut under_way = JoinSet::new();
        loop {
            if under_way.len() >= AT_ONCE {
                under_way.join_next().await;
            }
            let stream = tokio::select! {
                accepted = self.listener.accept() => match accepted {
                    Ok((stream, _)) => stream,
                    Err(error) => {
                        // As where there are too many open files: others may be closed meanwhile.
                        tracing::warn!(%error, "somebody who asked for numbers is not answered");
                        tokio::time::sleep(Duration::from_millis(100)).await;
                        continue;
                    }
                },
                Some(_) = under_way.join_next() => continue,
            };
            let (swarm, metrics) = (swarm.clone(), metrics.clone());
            under_way.spawn(async move {
                let answered = service_fn(|request| answer(request, &swarm, &metrics));
                let connection = http1::Builder::new()
                    .timer(TokioTimer::new())
                    .header_read_timeout(PATIENCE)
                    .keep_alive(false)
                    .serve_connection(TokioIo::new(stream), answered);
                // Who breaks off wants no answer; who dawdles gets none.
                let _ = tokio::time::timeout(PATIENCE * 2, connection).await;
            });
        }
    }
}

async fn answer(
    request: Request<Incoming>,
    swarm: &SwarmManager,
    metrics: &SwarmMetrics,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let mut response = Response::new(Full::default());
    let known = request.uri().path() == "/metrics";
    let reads = matches!(*request.method(), Method::GET | Method::HEAD);
    let headers = |value: &'static str| hyper::header::HeaderValue::from_static(value);
    match (known, reads) {
        (true, true) => {
            let text = metrics.expose(swarm).await;
            let kind = headers(Exposition::CONTENT_TYPE);
            response.headers_mut().insert(CONTENT_TYPE, kind);
            *response.body_mut() = Full::from(text);
        }
        (true, false) => {
            *response.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
            response.headers_mut().insert(ALLOW, headers("GET, HEAD"));
        }
        (false, _) => {
            *response.status_mut() = StatusCode::NOT_FOUND;
            *response.body_mut() = Full::from("the numbers are at /metrics\n");
        }
    }
    Ok(response)
}
