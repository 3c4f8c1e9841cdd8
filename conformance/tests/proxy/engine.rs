//! A small engine: makes things and counts them, speaks in chunks, streams events, turns a connection into a
//! tunnel.

use std::convert::Infallible;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, header};
use hyper_util::rt::TokioIo;
use tokio::net::UnixListener;
use tokio::sync::{broadcast, watch};
use tokio::task::JoinSet;

type Body = BoxBody<Bytes, Infallible>;

pub(crate) const CHUNKS: [&str; 3] = [r#"{"n":1}"#, r#"{"n":{"}":2}}"#, r#"{"n":3}"#];

pub(crate) struct Engine {
    folder: tempfile::TempDir,
    pub(crate) told: Arc<Told>,
    serving: tokio::task::AbortHandle,
}

/// What it was told, and what it tells.
pub(crate) struct Told {
    /// How many things were made.
    pub(crate) made: watch::Sender<usize>,
    pub(crate) connections: AtomicUsize,
    pub(crate) events: broadcast::Sender<Bytes>,
}

impl Engine {
    pub(crate) fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(folder.path().join("s")).unwrap();
        let told = Arc::new(Told {
            made: watch::Sender::new(0),
            connections: AtomicUsize::new(0),
            events: broadcast::Sender::new(64),
        });
        let serving = tokio::spawn(serve(listener, Arc::clone(&told))).abort_handle();
        Self {
            folder,
            told,
            serving,
        }
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.folder.path().join("s")
    }

    pub(crate) fn host(&self) -> String {
        format!("unix://{}", self.socket().display())
    }

    pub(crate) fn made(&self) -> usize {
        *self.told.made.borrow()
    }

    pub(crate) fn say(&self, event: &'static str) {
        self.told.events.send(Bytes::from(event)).unwrap();
    }

    /// Waits until so many listen to its events.
    pub(crate) async fn listened_to_by(&self, listeners: usize) {
        while self.told.events.receiver_count() != listeners {
            tokio::task::yield_now().await;
        }
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn serve(listener: UnixListener, told: Arc<Told>) {
    let mut connections = JoinSet::new();
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        told.connections.fetch_add(1, Ordering::SeqCst);
        let told = Arc::clone(&told);
        connections.spawn(async move {
            let service = service_fn(move |request| answer(Arc::clone(&told), request));
            let _ends_as_it_ends = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .with_upgrades()
                .await;
        });
    }
}

fn full(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into()).boxed()
}

async fn answer(told: Arc<Told>, request: Request<Incoming>) -> hyper::Result<Response<Body>> {
    let response = Response::builder();
    let method = request.method().clone();
    let path = request.uri().path().trim_start_matches("/v1.41").to_owned();
    Ok(match (method, path.as_str()) {
        (Method::POST, "/make") => {
            let length = request.into_body().collect().await?.to_bytes().len();
            told.made.send_modify(|made| *made += 1);
            response.status(201).body(full(format!("took {length}")))
        }
        (Method::GET | Method::HEAD, "/small") => response.body(full("small")),
        (Method::POST, "/nothing") => response.status(204).body(full("")),
        (Method::GET, "/chunks") => {
            let frames = CHUNKS.map(|chunk| Ok(Frame::data(Bytes::from(chunk))));
            let body = StreamBody::new(futures_util::stream::iter(frames));
            response.body(BodyExt::boxed(body))
        }
        (Method::GET, "/events") => {
            let heard = futures_util::stream::unfold(told.events.subscribe(), |mut events| async {
                let event = events.recv().await.ok()?;
                Some((Ok(Frame::data(event)), events))
            });
            response.body(BodyExt::boxed(StreamBody::new(heard)))
        }
        (Method::POST, "/tunnel") => {
            tokio::spawn(async move {
                let upgraded = hyper::upgrade::on(request).await.unwrap();
                let (mut read, mut write) = tokio::io::split(TokioIo::new(upgraded));
                tokio::io::copy(&mut read, &mut write).await.unwrap();
                // What was said is said, and so is the end.
                tokio::io::AsyncWriteExt::shutdown(&mut write)
                    .await
                    .unwrap();
            });
            response
                .status(101)
                .header(header::CONNECTION, "Upgrade")
                .header(header::UPGRADE, "tcp")
                .body(full(""))
        }
        _ => response.status(404).body(full("no such page")),
    }
    .unwrap())
}
