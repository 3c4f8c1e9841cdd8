//! Engines of other hosts, by ssh.

use std::sync::Arc;
use std::time::Duration;

use alveary_core::{
    AgentBackend, AgentId, ErrorKind, ListOptions, LogItem, LogOptions, SpawnOptions, StopOptions,
};
use alveary_docker::{DockerApiConfig, DockerCliConfig};
use futures_util::StreamExt as _;

use crate::common::TestEngine;
use crate::here::{Here, remove_all, sh};
use crate::sshd::Host;
use crate::{an_agent_lives_and_ends, refusal, with};

fn to(engine: &TestEngine, name: &str) -> Here {
    with(Here::on(engine), "host", format!("ssh://{name}"))
}

pub(crate) async fn agents_run_by_ssh(engine: TestEngine) {
    let mut host = Host::of(&engine);
    let here = to(&engine, &host.known());
    an_agent_lives_and_ends(&here, &*here.api().await).await;
    an_agent_lives_and_ends(&here, &*here.cli().await).await;
}

pub(crate) async fn what_is_the_matter_with_ssh_is_told_with_the_cure(engine: TestEngine) {
    let (mut host, mut bare) = (Host::of(&engine), Host::bare(&engine));
    for (name, kind, words) in [
        (
            host.never_seen(),
            ErrorKind::EngineUnavailable,
            "does not know the key",
        ),
        (
            host.refusing(),
            ErrorKind::PermissionDenied,
            "does not let ssh in",
        ),
        (
            bare.known(),
            ErrorKind::EngineUnavailable,
            "no program `docker`",
        ),
        (
            "127.0.0.1:1".to_owned(),
            ErrorKind::EngineUnavailable,
            "cannot be reached",
        ),
    ] {
        let here = to(&engine, &name);
        for backend in [
            here.unasked::<DockerApiConfig>().await,
            here.unasked::<DockerCliConfig>().await,
        ] {
            let error = refusal(&*backend).await;
            let said = format!("{name} by {}: {error}", backend.kind());
            assert_eq!(error.kind(), kind, "{said}");
            assert!(error.message().contains(words), "{said}");
        }
    }
}

/// By the API, and by newer programs.
pub(crate) async fn the_socket_over_there_may_be_named(engine: TestEngine) {
    // Where nobody says it, this is where `docker` looks there.
    let elsewhere = TestEngine {
        host: "unix:///nonexistent/docker.sock".to_owned(),
        ..engine.clone()
    };
    let mut host = Host::of(&elsewhere);
    let name = host.known();
    let unnamed = to(&engine, &name).unasked::<DockerApiConfig>().await;
    let error = refusal(&*unnamed).await;
    assert!(error.message().contains("cannot be reached"), "{error}");
    let socket = engine.host.trim_start_matches("unix://");
    let here = to(&engine, &format!("{name}{socket}"));
    an_agent_lives_and_ends(&here, &*here.api().await).await;
}

/// A server of ssh turns away who comes with ten others that are not logged in yet.
pub(crate) async fn many_at_once_are_not_turned_away(engine: TestEngine) {
    let mut host = Host::of(&engine);
    let here = to(&engine, &host.known());
    let backend = here.api().await;
    let asked = (0..60).map(|_| {
        let backend = Arc::clone(&backend);
        tokio::spawn(async move { backend.list(ListOptions::default()).await })
    });
    for asked in asked.collect::<Vec<_>>() {
        asked.await.expect("it ends").expect("it is answered");
    }
}

pub(crate) async fn what_is_followed_goes_on_after_a_connection_was_lost(engine: TestEngine) {
    let mut host = Host::of(&engine);
    let here = to(&engine, &host.known());
    let backend = here.api().await;
    let id = AgentId::random();
    let counts = sh("i=0; while :; do echo line $i; i=$((i + 1)); sleep 0.1; done");
    let spawned = backend.spawn(&id, &counts, SpawnOptions::default()).await;
    spawned.expect("it starts");
    let follow = LogOptions::default().with_follow(true);
    let mut logs = backend.logs(&id, follow).await.expect("logs");
    let mut heard = String::new();
    let mut cut = false;
    let listened = tokio::time::timeout(Duration::from_mins(1), async {
        while !heard.contains("line 20\n") {
            let item = logs.next().await.expect("it goes on").expect("it is told");
            let LogItem::Piece(piece) = item else {
                panic!("nothing is lost: {item:?}");
            };
            heard.push_str(&String::from_utf8_lossy(&piece.bytes));
            if !cut && heard.contains("line 5\n") {
                cut = true;
                host.cut();
            }
        }
    });
    listened.await.expect("lines come after the cut");
    let expected: Vec<String> = (0..=20).map(|i| format!("line {i}\n")).collect();
    assert!(
        heard.starts_with(&expected.concat()),
        "nothing twice, nothing lost: {heard}"
    );
    let listed = backend.list(ListOptions::default()).await.expect("a list");
    assert_eq!(listed.len(), 1);
    backend
        .stop(&id, StopOptions::by_force())
        .await
        .expect("it ends");
    remove_all(&*backend).await;
}
