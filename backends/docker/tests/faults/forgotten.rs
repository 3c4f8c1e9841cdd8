//! More happens while nobody listens than an engine keeps of its events.

use std::sync::Arc;

use alveary_conformance::proxy::Answer;
use alveary_conformance::proxy::Method::Get;
use alveary_core::{AgentBackendExt, WatchEvent, WatchOptions};
use futures_util::StreamExt;
use libtest_mimic::Trial;
use tokio::time::{Duration, timeout};

use crate::common::IMAGE;
use crate::ground::{Ground, Wanted, ask};
use crate::scenario;

/// Docker keeps 256.
const OTHERS: usize = 300;

const PATIENCE: Duration = Duration::from_mins(1);

pub(crate) fn trials() -> Vec<Trial> {
    vec![scenario(
        "events::an_end_that_an_engine_has_forgotten_to_tell_is_told_all_the_same",
        "events: an end, and 300 others, while no stream can be had",
        overtaken,
    )]
}

async fn overtaken(mut ground: Ground) -> Ground {
    let wanted = Wanted::new();
    ground.comes_to_be(&wanted).await;
    let backend = Arc::clone(&ground.backend);
    let mut watch = backend.watch(WatchOptions::default());
    let first = watch.next().await;
    assert!(matches!(first, Some(WatchEvent::Snapshot(_))), "{first:?}");

    let refusal = Answer::status(500).json(r#"{"message":"no"}"#);
    let rule = ground.proxy.on(Get, "/events").answer(refusal);
    ground.proxy.cut_all();
    match timeout(PATIENCE, watch.next()).await {
        Ok(Some(WatchEvent::Lost(_))) => {}
        other => ground.wrong(format!("of a stream that is cut is told {other:?}")),
    }
    let container = format!("faults-{}-{}", ground.swarm, wanted.id);
    ask(
        &ground.engine,
        "POST",
        &format!("/v1.41/containers/{container}/kill"),
    );
    let name = format!("alveary-faults-{}", ground.swarm);
    for _ in 0..OTHERS {
        let tag = format!("/v1.41/images/{IMAGE}/tag?repo={name}&tag=1");
        ask(&ground.engine, "POST", &tag);
    }
    let untagged = ask(&ground.engine, "DELETE", &format!("/v1.41/images/{name}:1"));
    let untagged = String::from_utf8_lossy(&untagged).into_owned();
    assert!(
        untagged.contains("Untagged"),
        "there was no tag: {untagged}"
    );
    rule.call_off();

    let told = timeout(PATIENCE, async {
        loop {
            let told = match watch.next().await.unwrap() {
                WatchEvent::Snapshot(all) => all.into_iter().find(|info| info.id == wanted.id),
                WatchEvent::Changed(info) => Some(info).filter(|info| info.id == wanted.id),
                _ => None,
            };
            if told.is_some_and(|info| info.state.has_ended()) {
                return;
            }
        }
    });
    if told.await.is_err() {
        ground.wrong("its end is not told");
    }
    ground
}
