//! Images that come from a registry.

use std::sync::Arc;
use std::time::Duration;

use alveary_core::{
    AgentBackend, AgentEvent, AgentId, AgentInfo, AgentSpec, AgentState, ErrorKind, EventOptions,
    FetchStage, FetchUnit, Pull, SpawnOptions,
};
use futures_util::StreamExt;
use serde_json::json;
use tokio::time::{Instant, timeout};

use crate::common::TestEngine;
use crate::here::{Here, both, remove_all, sh};
use crate::registry::Registry;

const PATIENCE: Duration = Duration::from_mins(1);

fn from(image: String, pull: Pull) -> AgentSpec {
    let mut spec = sh("sleep 1000");
    spec.container.image = Some(image);
    spec.container.pull = pull;
    spec
}

async fn spawned(
    backend: &dyn AgentBackend,
    spec: &AgentSpec,
) -> Result<AgentInfo, alveary_core::Error> {
    let id = AgentId::random();
    backend.spawn(&id, spec, SpawnOptions::default()).await
}

/// The stages that are told of an image, to the last of them.
async fn stages(backend: &dyn AgentBackend, spec: &AgentSpec) -> Vec<FetchStage> {
    let mut events = backend
        .events(EventOptions::default())
        .await
        .expect("events");
    let accepted = spawned(backend, spec).await.expect("it is accepted");
    let mut told = Vec::new();
    while !matches!(told.last(), Some(FetchStage::Here | FetchStage::GivenUp)) {
        if let AgentEvent::Fetching(fetch) = events.next().await.expect("more").expect("an event") {
            told.push(fetch.stage);
        }
    }
    let runs = async {
        while backend
            .inspect(&accepted.id)
            .await
            .expect("it is there")
            .state
            != AgentState::Running
        {
            events.next().await.expect("more").expect("an event");
        }
    };
    timeout(PATIENCE, runs).await.expect("it starts");
    told
}

pub(crate) async fn an_image_is_fetched_when_it_is_said_and_given_up_when_nothing_comes(
    engine: TestEngine,
) {
    let mut here = Here::on(&engine);
    let given_up_after = |silence: &str| {
        let timeout = json!({ "start": "8s", "remove": "60s", "ask": "30s", "pull": silence });
        [("timeout".to_owned(), timeout)]
    };
    here.settings.extend(given_up_after("4s"));
    let (api, cli) = (here.api().await, here.cli().await);
    // A program says nothing while a layer comes.
    here.settings.extend(given_up_after("20s"));
    let patient = here.cli().await;
    for (backend, patient) in [(Arc::clone(&api), api), (cli, patient)] {
        let by = backend.kind();
        let registry = Registry::near(&engine).await;
        let never = spawned(&*backend, &from(registry.image("1"), Pull::Never)).await;
        assert_eq!(
            never.expect_err("it is not there").kind(),
            ErrorKind::ImageNotFound
        );
        assert_eq!(
            registry.asked("1"),
            0,
            "by {by}: under `never` nobody is asked"
        );

        registry.stall(true);
        let stalled = spawned(&*backend, &from(registry.image("2"), Pull::Missing)).await;
        let error = stalled.expect_err("a half of it does not start");
        assert_eq!(error.kind(), ErrorKind::Timeout, "by {by}: {error}");
        assert!(
            error
                .cure()
                .is_some_and(|cure| cure.contains("timeout.pull"))
        );
        assert!(registry.fetched() > 0, "by {by}");
        assert_eq!(here.containers(), Vec::<String>::new(), "by {by}");
        registry.stall(false);

        // For longer than a start may take, and never for as long as nothing may come.
        registry.creep(true);
        let began = Instant::now();
        let told = stages(&*patient, &from(registry.image("1"), Pull::Missing)).await;
        assert!(began.elapsed() >= Registry::CREEP, "by {by}");
        registry.creep(false);
        assert_eq!(told.last(), Some(&FetchStage::Here), "by {by}");
        let bytes = |stage: &FetchStage| {
            matches!(
                stage,
                FetchStage::UnderWay {
                    unit: FetchUnit::Bytes,
                    ..
                }
            )
        };
        // A program tells parts.
        let tells_bytes = by.as_str() == "docker-api";
        assert_eq!(told.iter().any(bytes), tells_bytes, "by {by}: {told:?}");
        let (asked, fetched) = (registry.asked("1"), registry.fetched());
        let again = spawned(&*backend, &from(registry.image("1"), Pull::Missing)).await;
        again.expect("it is there");
        assert_eq!(
            registry.asked("1"),
            asked,
            "by {by}: what is there is not asked for"
        );
        let always = spawned(&*backend, &from(registry.image("1"), Pull::Always)).await;
        always.expect("it is there");
        assert!(registry.asked("1") > asked, "by {by}: under `always` it is");
        assert_eq!(registry.fetched(), fetched, "by {by}: and is the same");

        let absent = spawned(&*backend, &from(registry.image("3"), Pull::Missing)).await;
        let error = absent.expect_err("there is no such tag");
        assert_eq!(error.kind(), ErrorKind::ImageNotFound, "by {by}: {error}");
        assert!(
            error
                .engine_words()
                .is_some_and(|words| words.contains("manifest"))
        );
        remove_all(&*backend).await;
        engine.client(&["rmi", "-f", &registry.image("1")]);
    }
}

pub(crate) async fn a_registry_that_is_not_reached_is_not_taken_for_the_engine(engine: TestEngine) {
    let here = Here::on(&engine);
    // Nobody listens at the one, and the other is nobody's name.
    for image in ["127.0.0.1:1/alveary/absent:1", "registry.invalid/absent:1"] {
        for backend in both(&here).await {
            let by = backend.kind();
            let spec = from(image.to_owned(), Pull::Missing);
            let error = spawned(&*backend, &spec).await.expect_err("nobody has it");
            assert_eq!(error.kind(), ErrorKind::ImageNotFound, "by {by}: {error}");
            let told = error.to_string();
            let registry = "the engine does not reach its registry";
            assert!(told.contains(registry), "by {by}: {told}");
        }
    }
    assert_eq!(here.containers(), Vec::<String>::new());
}
