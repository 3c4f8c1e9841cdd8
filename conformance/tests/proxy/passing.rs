//! What nothing is to go wrong with.

use std::sync::atomic::Ordering;

use alveary_conformance::proxy::FaultProxy;
use alveary_conformance::proxy::Method::{Any, Get, Post};
use alveary_core::ErrorKind;
use hyper_util::rt::TokioIo;
use libtest_mimic::Trial;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::client::{ask, open, piece};
use super::engine::CHUNKS;
use super::{Setting, trial};

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial(
            "one_connection_carries_many_requests_unchanged",
            one_connection_carries_many_requests_unchanged,
        ),
        trial(
            "a_tunnel_goes_both_ways_until_both_have_said_all",
            a_tunnel_goes_both_ways_until_both_have_said_all,
        ),
        trial(
            "a_stream_passes_as_it_is_spoken_and_the_engine_hears_its_listener_leave",
            a_stream_passes_as_it_is_spoken_and_the_engine_hears_its_listener_leave,
        ),
        trial(
            "requests_are_recorded_without_version_and_query",
            requests_are_recorded_without_version_and_query,
        ),
        trial(
            "a_client_hears_that_the_engine_has_died",
            a_client_hears_that_the_engine_has_died,
        ),
        trial(
            "a_proxy_before_nothing_says_so",
            a_proxy_before_nothing_says_so,
        ),
    ]
}

async fn one_connection_carries_many_requests_unchanged(setting: Setting) {
    let mut connection = setting.client.connect().await.unwrap();
    let long = vec![b'y'; 5 << 20];
    for _ in 0..3 {
        let small = ask(&mut connection, "GET /small", "").await.unwrap();
        assert_eq!(small, (200, "small".into()));
        let head = ask(&mut connection, "HEAD /small", "").await.unwrap();
        assert_eq!(head, (200, "".into()));
        let chunks = ask(&mut connection, "GET /chunks", "").await.unwrap();
        assert_eq!(chunks, (200, CHUNKS.concat().into()));
        let nothing = ask(&mut connection, "POST /nothing", "x").await.unwrap();
        assert_eq!(nothing, (204, "".into()));
        let made = ask(&mut connection, "POST /make", long.clone())
            .await
            .unwrap();
        assert_eq!(made, (201, format!("took {}", 5 << 20).into()));
    }
    let connections = &setting.engine.told.connections;
    // One to see whether the engine is there, and the client's.
    assert_eq!(connections.load(Ordering::SeqCst), 2);
    assert_eq!(setting.proxy.seen(Any, "/**").len(), 15);
}

async fn a_tunnel_goes_both_ways_until_both_have_said_all(setting: Setting) {
    let response = setting.client.open("POST /tunnel").await.unwrap();
    assert_eq!(response.status(), 101);
    let tunnel = hyper::upgrade::on(response).await.unwrap();
    let mut tunnel = TokioIo::new(tunnel);
    for word in [b"there", b"again"] {
        tunnel.write_all(word).await.unwrap();
        let mut back = [0; 5];
        tunnel.read_exact(&mut back).await.unwrap();
        assert_eq!(&back, word);
    }
    tunnel.write_all(b"last").await.unwrap();
    tunnel.shutdown().await.unwrap();
    let mut rest = Vec::new();
    tunnel.read_to_end(&mut rest).await.unwrap();
    assert_eq!(rest, b"last");
}

async fn a_stream_passes_as_it_is_spoken_and_the_engine_hears_its_listener_leave(setting: Setting) {
    let response = setting.client.open("GET /events").await.unwrap();
    setting.engine.listened_to_by(1).await;
    let mut events = response.into_body();
    for event in ["one", "two"] {
        setting.engine.say(event);
        assert_eq!(piece(&mut events).await, event);
    }
    drop(events);
    setting.engine.listened_to_by(0).await;
}

async fn requests_are_recorded_without_version_and_query(setting: Setting) {
    let Setting { proxy, client, .. } = &setting;
    client.ask("POST /v1.41/make?name=a", "").await.unwrap();
    client.ask("GET /v1.41/none?x", "").await.unwrap();
    let seen = proxy.answered(Post, "/make", 1).await;
    assert_eq!(
        (seen.method.as_str(), seen.path.as_str()),
        ("POST", "/make")
    );
    assert_eq!((seen.query.as_str(), seen.answered), ("name=a", Some(201)));
    assert_eq!(proxy.seen(Get, "/*")[0].answered, Some(404));
    let (second, asked) = tokio::join!(
        proxy.arrived(Post, "/make", 2),
        client.ask("POST /make?name=b", "")
    );
    assert_eq!((second.query.as_str(), asked.unwrap().0), ("name=b", 201));
    assert!(second.at >= seen.at);
}

async fn a_client_hears_that_the_engine_has_died(setting: Setting) {
    let Setting { engine, client, .. } = setting;
    let response = client.open("GET /events").await.unwrap();
    let mut idle = client.connect().await.unwrap();
    ask(&mut idle, "GET /small", "").await.unwrap();
    drop(engine);
    let (_, broken) = super::client::heard(response.into_body()).await;
    broken.unwrap_err();
    assert!(open(&mut idle, "GET /small", "").await.is_err());
    client.ask("GET /small", "").await.unwrap_err();
}

async fn a_proxy_before_nothing_says_so(setting: Setting) {
    drop(setting);
    let error = FaultProxy::before("unix:///nonexistent/engine.sock").await;
    let error = error.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::EngineUnavailable);
    assert!(
        error.to_string().contains("`/nonexistent/engine.sock`"),
        "{error}"
    );
}
