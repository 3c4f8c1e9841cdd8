//! A coordinator that is served on a free port, and a client that says exactly what it is told to.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use alveary_coordinator::http::{Guard, Listeners, Server};
use alveary_coordinator::{Bidders, Coordinator, Database, Settings, Tokens};
use alveary_core::AgentId;
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// How long anything may take before a test fails.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

/// A coordinator that is served.
#[derive(Debug)]
pub(crate) struct Bed {
    pub(crate) address: SocketAddr,
    pub(crate) coordinator: Coordinator,
    pub(crate) tokens: Tokens,
    pub(crate) cancel: CancellationToken,
    pub(crate) served: Option<JoinHandle<std::io::Result<()>>>,
}

/// An answer, in full.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HashMap<String, String>,
    pub(crate) body: String,
}

/// A question. What is not said is not sent.
#[derive(Debug, Clone)]
pub(crate) struct Ask<'a> {
    bed: &'a Bed,
    method: &'a str,
    path: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Bed {
    /// A coordinator that takes anybody, as the original does.
    pub(crate) async fn open() -> Self {
        Self::with(
            Settings::default().with_bidders(Bidders::Anybody),
            Guard::default(),
        )
        .await
    }

    /// A coordinator that asks for tokens.
    pub(crate) async fn closed() -> Self {
        Self::with(Settings::default(), Guard::default()).await
    }

    pub(crate) async fn with(settings: Settings, guard: Guard) -> Self {
        let coordinator = Coordinator::open(settings, Database::Memory).await.unwrap();
        let tokens = Tokens::random();
        let listeners = Listeners::bind(&["127.0.0.1:0".parse().unwrap()])
            .await
            .unwrap();
        let address = listeners.addresses()[0];
        let cancel = CancellationToken::new();
        let server = Server::new(coordinator.clone(), tokens.clone()).with_guard(guard);
        let served = tokio::spawn(server.serve(listeners, cancel.clone()));
        Self {
            address,
            coordinator,
            tokens,
            cancel,
            served: Some(served),
        }
    }

    pub(crate) fn ask<'a>(&'a self, method: &'a str, path: impl Into<String>) -> Ask<'a> {
        Ask {
            bed: self,
            method,
            path: path.into(),
            headers: Vec::new(),
            body: Vec::new(),
        }
    }

    pub(crate) fn get(&self, path: impl Into<String>) -> Ask<'_> {
        self.ask("GET", path)
    }

    pub(crate) fn post(&self, path: impl Into<String>) -> Ask<'_> {
        self.ask("POST", path)
    }

    /// The task that a form gives.
    pub(crate) async fn give(&self, description: &str) -> String {
        let form = form_urlencoded::Serializer::new(String::new())
            .append_pair("description", description)
            .finish();
        let answer = self.post("/swarm/tasks").admin().form(&form).send().await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json()["task_id"].as_str().unwrap().to_owned()
    }

    pub(crate) fn agent(id: &str) -> AgentId {
        AgentId::new(id).unwrap()
    }

    /// Waits until so many clients wait for something to happen, as the server itself says.
    pub(crate) async fn until_waiting(&self, count: usize) {
        self.until_counted("alveary_waiting_clients", count).await;
    }

    /// Waits until one of the server's numbers is this.
    pub(crate) async fn until_counted(&self, name: &str, count: usize) {
        let until = Instant::now() + PATIENCE;
        let wanted = format!("\n{name} {count}\n");
        loop {
            let numbers = self.get("/metrics").send().await.body;
            if numbers.contains(&wanted) {
                return;
            }
            assert!(Instant::now() < until, "it is not {count}: {numbers}");
        }
    }

    /// The document that the server gives of itself.
    pub(crate) async fn document(&self) -> Value {
        self.get("/openapi.json").send().await.json()
    }

    /// Sends these bytes, and reads what comes until the other side closes.
    pub(crate) async fn raw(&self, bytes: &[u8]) -> Vec<u8> {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        // Who is refused may be cut off before everything is sent.
        let _ = stream.write_all(bytes).await;
        let mut read = Vec::new();
        tokio::time::timeout(PATIENCE, async {
            let _ = stream.read_to_end(&mut read).await;
        })
        .await
        .expect("the connection is not closed");
        read
    }
}

impl Drop for Bed {
    fn drop(&mut self) {
        self.cancel.cancel();
    }
}

impl Ask<'_> {
    pub(crate) fn header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    pub(crate) fn bearer(self, token: &str) -> Self {
        self.header("authorization", format!("Bearer {token}"))
    }

    pub(crate) fn admin(self) -> Self {
        let token = self.bed.tokens.admin();
        self.bearer(token.expose())
    }

    /// Asks as this agent.
    pub(crate) fn agent(self, id: &str) -> Self {
        let token = self.bed.tokens.agent(&Bed::agent(id));
        self.bearer(token.expose())
    }

    pub(crate) fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    pub(crate) fn json(self, body: &Value) -> Self {
        self.header("content-type", "application/json")
            .body(body.to_string())
    }

    pub(crate) fn form(self, body: &str) -> Self {
        self.header("content-type", "application/x-www-form-urlencoded")
            .body(body)
    }

    /// The question as it goes over the wire. `version` 1.0 is answered without chunks.
    pub(crate) fn bytes(&self, version: &str) -> Vec<u8> {
        let mut head = format!("{} {} HTTP/{version}\r\n", self.method, self.path);
        if !self.headers.iter().any(|(name, _)| name == "host") {
            write!(head, "host: {}\r\n", self.bed.address).unwrap();
        }
        for (name, value) in &self.headers {
            write!(head, "{name}: {value}\r\n").unwrap();
        }
        if !self.body.is_empty() || self.method == "POST" {
            write!(head, "content-length: {}\r\n", self.body.len()).unwrap();
        }
        head += "connection: close\r\n\r\n";
        [head.as_bytes(), &self.body].concat()
    }

    pub(crate) async fn send(self) -> Answer {
        let read = self.bed.raw(&self.bytes("1.0")).await;
        Answer::read(&read).unwrap_or_else(|| panic!("no answer to {} {}", self.method, self.path))
    }
}

impl Answer {
    pub(crate) fn read(bytes: &[u8]) -> Option<Self> {
        let mut headers = [httparse::EMPTY_HEADER; 32];
        let mut head = httparse::Response::new(&mut headers);
        let httparse::Status::Complete(length) = head.parse(bytes).ok()? else {
            return None;
        };
        Some(Self {
            status: head.code?,
            headers: head
                .headers
                .iter()
                .map(|header| {
                    let value = String::from_utf8_lossy(header.value).into_owned();
                    (header.name.to_ascii_lowercase(), value)
                })
                .collect(),
            body: String::from_utf8_lossy(&bytes[length..]).into_owned(),
        })
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}
