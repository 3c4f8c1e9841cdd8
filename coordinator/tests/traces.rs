//! What a coordinator traces, at the highest level: no token of anybody's is in it.
//!
//! A program of its own, since the trace of every thread is taken.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on ends there")]

#[expect(dead_code, reason = "the trials of the wire use the rest of it")]
#[path = "http/bed.rs"]
mod bed;

use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use alveary_coordinator::http::Guard;
use alveary_coordinator::{Settings, Tokens};
use serde_json::json;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tracing_subscriber::fmt::MakeWriter;

use bed::Bed;

/// Everything that is traced.
#[derive(Debug, Clone, Default)]
struct Traced(Arc<Mutex<Vec<u8>>>);

impl Write for Traced {
    fn write(&mut self, some: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(some);
        Ok(some.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Traced {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

#[tokio::test]
async fn no_token_is_ever_traced() {
    let traced = Traced::default();
    tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(traced.clone())
        .with_ansi(false)
        .init();
    let bed = Bed::with(
        Settings::default().with_auction(Duration::from_mins(5)),
        Guard::default(),
    )
    .await;
    let stranger = Tokens::random();
    let mut secrets = vec![
        bed.tokens.admin().expose().to_owned(),
        bed.tokens.agent(&Bed::agent("echo")).expose().to_owned(),
        stranger.admin().expose().to_owned(),
        stranger.agent(&Bed::agent("echo")).expose().to_owned(),
    ];

    // What is right, of an agent's whole life; then what is wrong in every way.
    let task = bed.give("sing").await;
    let register = json!({"agent_id": "echo", "name": "Echo"});
    bed.post("/v1/agents")
        .agent("echo")
        .json(&register)
        .send()
        .await;
    let bid = json!({"task_id": task, "agent_id": "echo", "bid_sats": 5});
    bed.post("/internal/bids")
        .agent("echo")
        .json(&bid)
        .send()
        .await;
    let claim = json!({"agent_id": "echo", "wait_ms": 20_000});
    let claim = bed
        .post("/v1/claims")
        .agent("echo")
        .json(&claim)
        .send()
        .await
        .json();
    let attempt = claim["attempt"].as_str().unwrap().to_owned();
    let report = json!({"attempt": attempt, "result": "la"});
    let path = format!("/v1/tasks/{task}/complete");
    let done = bed.post(&path).agent("echo").json(&report).send().await;
    assert_eq!(done.status, 200, "{done:?}");
    let late = json!({"attempt": attempt, "result": "lo"});
    assert_eq!(
        bed.post(&path)
            .agent("echo")
            .json(&late)
            .send()
            .await
            .status,
        409
    );
    secrets.push(attempt);
    for wrong in [&secrets[2], &secrets[3], &format!("{}x", secrets[0])] {
        assert_eq!(bed.get("/v1/tasks").bearer(wrong).send().await.status, 401);
        let origin = format!("http://{}", bed.address);
        let form = bed.post("/login").header("origin", origin);
        assert_eq!(
            form.form(&format!("token={wrong}")).send().await.status,
            403
        );
    }
    let form = format!("token={}", secrets[0]);
    let signed_in = bed.post("/login").form(&form).send().await;
    let cookie = signed_in.headers["set-cookie"].clone();
    let cookie = cookie.split(';').next().unwrap();
    let page = bed.get("/").header("cookie", cookie).send().await;
    assert_eq!(page.status, 200);
    secrets.push(cookie.split_once('=').unwrap().1.to_owned());
    let broken = bed
        .post("/v1/tasks")
        .admin()
        .header("content-type", "application/json");
    assert_eq!(broken.body(secrets[0].as_str()).send().await.status, 400);
    // A head that is no HTTP, with a token in it, and a client that goes in the middle.
    let noise = format!("authorization: Bearer {}\r\n\r\n", secrets[0]);
    bed.raw(noise.as_bytes()).await;
    let cut = bed
        .post("/v1/tasks")
        .admin()
        .json(&json!({"description": "x"}));
    let mut cut = cut.bytes("1.1");
    cut.truncate(cut.len() - 3);
    let mut stream = TcpStream::connect(bed.address).await.unwrap();
    stream.write_all(&cut).await.unwrap();
    drop(stream);
    bed.coordinator.close().await;
    assert_eq!(bed.get("/v1/tasks").admin().send().await.status, 503);

    let traced = traced.0.lock().unwrap().clone();
    let traced = String::from_utf8_lossy(&traced);
    assert!(
        traced.contains("a connection ended early"),
        "nothing is traced: {traced}"
    );
    for secret in secrets {
        // What is after the name of whom it is for is what proves it.
        let proof = secret.rsplit(['~', '.']).next().unwrap();
        assert!(proof.len() >= 32, "{proof}");
        assert!(!traced.contains(&proof[..12]), "{traced}");
    }
}
