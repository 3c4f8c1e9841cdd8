//! Before real engines: those that `ALVEARY_TEST_ENGINES` names, as `tests/engines/engine run` sets it.

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;

use alveary_conformance::proxy::FaultProxy;
use alveary_conformance::proxy::Method::Post;
use hyper_util::rt::TokioIo;
use libtest_mimic::{Completion, Trial};
use tokio::io::AsyncReadExt;

use super::client::{Client, piece};
use super::in_runtime;

const CURE: &str = "no engine is named: run this beneath `tests/engines/engine run docker-20 --`, \
     or set ALVEARY_TEST_ENGINES=name=unix:///…";

pub(crate) fn trials() -> Vec<Trial> {
    let said = std::env::var("ALVEARY_TEST_ENGINES").unwrap_or_default();
    let engines: Vec<_> = said
        .split(',')
        .filter_map(|engine| engine.split_once('='))
        .collect();
    let sentence = "a_container_lives_its_life_through_the_proxy";
    if engines.is_empty() {
        let in_ci = std::env::var("CI").is_ok_and(|ci| ci == "true");
        let run = move || {
            if in_ci {
                Err(CURE.into())
            } else {
                Ok(Completion::ignored_with(CURE))
            }
        };
        let trial = Trial::ignorable_test(format!("real::{sentence}"), run);
        return vec![trial.with_ignored_flag(!in_ci)];
    }
    let trial = |(name, host): (&str, &str)| {
        let host = host.to_owned();
        Trial::test(format!("{name}::{sentence}"), move || {
            in_runtime(a_container_lives_its_life_through_the_proxy(host));
            Ok(())
        })
    };
    engines.into_iter().map(trial).collect()
}

/// Takes a container away, whatever becomes of its test.
struct Removed {
    socket: String,
    name: String,
}

impl Drop for Removed {
    fn drop(&mut self) {
        let path = format!("/v1.41/containers/{}?force=true", self.name);
        let request = format!("DELETE {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        let Ok(mut engine) = UnixStream::connect(&self.socket) else {
            return;
        };
        // Most often it is gone.
        let _answer = engine
            .write_all(request.as_bytes())
            .and_then(|()| engine.read_to_end(&mut Vec::new()));
    }
}

async fn a_container_lives_its_life_through_the_proxy(host: String) {
    let proxy = FaultProxy::before(&host).await.unwrap();
    let client = Client::of(proxy.socket());
    let name = format!("alveary-proxy-{}", std::process::id());
    let body = r#"{"Image":"alveary-test/busybox:1","Cmd":["sh","-c","echo hello"],
        "HostConfig":{"NetworkMode":"none"},"AttachStdout":true}"#;
    let _removed = Removed {
        socket: host.trim_start_matches("unix://").to_owned(),
        name: name.clone(),
    };
    let path = |method: &str, rest: &str| format!("{method} /v1.41/containers/{name}{rest}");

    // Made though its maker is gone.
    let held = proxy.on(Post, "/containers/create").once().cut_and_hold();
    let create = format!("POST /v1.41/containers/create?name={name}");
    client.ask(&create, body).await.unwrap_err();
    assert_eq!(client.ask(&path("GET", "/json"), "").await.unwrap().0, 404);
    held.release();
    let made = proxy.answered(Post, "/containers/create", 1).await;
    assert_eq!(made.answered, Some(201));

    let filters = format!("%7B%22container%22%3A%5B%22{name}%22%5D%7D");
    let events = format!("GET /v1.41/events?filters={filters}&since=1");
    let mut events = client.open(&events).await.unwrap().into_body();
    let attach = path("POST", "/attach?stream=1&stdout=1");
    let attached = client.open(&attach).await.unwrap();
    let tunnel = hyper::upgrade::on(attached).await.unwrap();
    let (status, words) = client.ask(&path("POST", "/start"), "").await.unwrap();
    assert_eq!(status, 204, "{words:?}");
    let mut said = Vec::new();
    TokioIo::new(tunnel).read_to_end(&mut said).await.unwrap();
    assert!(said.ends_with(b"hello\n"), "{said:?}");
    let waited = client.ask(&path("POST", "/wait"), "").await.unwrap();
    let exit: serde_json::Value = serde_json::from_slice(&waited.1).unwrap();
    assert_eq!(exit["StatusCode"], 0, "{waited:?}");
    let logs = client
        .ask(&path("GET", "/logs?stdout=1"), "")
        .await
        .unwrap();
    assert!(logs.1.ends_with(b"hello\n"), "{logs:?}");
    let removed = client
        .ask(&path("DELETE", "?force=true"), "")
        .await
        .unwrap();
    assert!([200, 204].contains(&removed.0), "{removed:?}");
    let mut told = Vec::new();
    while !String::from_utf8_lossy(&told).contains("\"die") {
        told.extend_from_slice(&piece(&mut events).await);
    }
    // The proxy was not too clever: the engine itself agrees that it is gone.
    let engine = Client::of(Path::new(host.trim_start_matches("unix://")));
    assert_eq!(engine.ask(&path("GET", "/json"), "").await.unwrap().0, 404);
}
