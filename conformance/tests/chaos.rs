//! What core makes of a backend's events and replies, when some of them are lost.

#![expect(clippy::unwrap_used, reason = "this whole file is tests")]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use alveary_conformance::Chaos;
use alveary_core::{
    AgentBackend, AgentBackendExt, AgentId, AgentSpec, AgentState, Error, ErrorKind, EventOptions,
    ListOptions, MemoryBackend, RemoveOptions, Retry, SpawnOptions, StopOptions, WatchEvent,
    WatchOptions,
};
use futures_util::{FutureExt, StreamExt};

fn memory() -> Arc<dyn AgentBackend> {
    let backend = MemoryBackend::new().with_program("stays", |agent| async move {
        agent.stop_requested().await;
        0
    });
    Arc::new(backend)
}

async fn spawn(backend: &dyn AgentBackend) -> Result<AgentId, Error> {
    let id = AgentId::random();
    let spec = AgentSpec::new("a", ["stays"]);
    backend.spawn(&id, &spec, SpawnOptions::default()).await?;
    Ok(id)
}

type Picture = BTreeMap<AgentId, AgentState>;

async fn truth(backend: &dyn AgentBackend) -> Picture {
    let list = backend.list(ListOptions::default()).await.unwrap();
    list.into_iter().map(|info| (info.id, info.state)).collect()
}

/// Agents come and go while a watch looks on through `chaos`; then it has to come to the truth.
async fn comes_to_the_truth(inner: Arc<dyn AgentBackend>, chaos: Chaos) -> u32 {
    let options = WatchOptions::default()
        .with_relist(Duration::from_secs(1))
        .with_delay(Duration::from_millis(1), Duration::from_millis(10));
    let mut watch = chaos.watch(options);
    let (mut picture, mut losses) = (Picture::new(), 0);
    for round in 0..20 {
        let id = spawn(&*inner).await.unwrap();
        if round % 2 == 0 {
            inner.stop(&id, StopOptions::default()).await.unwrap();
        }
        if round % 4 == 0 {
            inner.remove(&id, RemoveOptions::default()).await.unwrap();
        }
        while picture != truth(&*inner).await {
            match watch.next().await.unwrap() {
                WatchEvent::Snapshot(all) => {
                    picture = all.into_iter().map(|info| (info.id, info.state)).collect();
                }
                WatchEvent::Changed(info) => {
                    picture.insert(info.id, info.state);
                }
                WatchEvent::Gone(id) => {
                    picture.remove(&id);
                }
                WatchEvent::Lost(_) => losses += 1,
                other => panic!("{other:?}"),
            }
        }
    }
    losses
}

#[tokio::test(start_paused = true)]
async fn a_watch_comes_to_the_truth_though_most_events_are_lost() {
    let inner = memory();
    let chaos = Chaos::new(inner.clone()).with_seed(1).with_lost_events(0.8);
    assert_eq!(comes_to_the_truth(inner, chaos).await, 0);
}

#[tokio::test(start_paused = true)]
async fn a_watch_comes_to_the_truth_though_its_stream_is_cut_again_and_again() {
    let inner = memory();
    let chaos = Chaos::new(inner.clone())
        .with_seed(2)
        .with_lost_streams(0.5);
    assert!(comes_to_the_truth(inner, chaos).await > 0, "it was cut");
}

#[tokio::test(start_paused = true)]
async fn a_watch_comes_to_the_truth_though_replies_are_lost() {
    let inner = memory();
    let chaos = Chaos::new(inner.clone())
        .with_seed(3)
        .with_lost_replies(0.5);
    assert!(comes_to_the_truth(inner, chaos).await > 0, "some were lost");
}

#[tokio::test(start_paused = true)]
async fn one_who_waits_is_told_the_end_though_no_event_comes() {
    let chaos = Chaos::new(memory()).with_lost_events(1.0);
    let id = spawn(&chaos).await.unwrap();
    let (waited, stopped) = tokio::join!(chaos.wait(&id), chaos.stop(&id, StopOptions::default()),);
    assert_eq!(waited.unwrap(), stopped.unwrap());
}

#[tokio::test]
async fn a_lost_reply_is_of_a_call_that_was_carried_out() {
    let inner = memory();
    let chaos = Chaos::new(inner.clone());
    chaos.lose_next_replies(1);
    let lost = spawn(&chaos).await.unwrap_err();
    assert_eq!(lost.kind(), ErrorKind::Indeterminate);
    assert_eq!(lost.retry(), Retry::SameId);
    assert_eq!(truth(&*inner).await.len(), 1);
    chaos.lose_next_replies(1);
    let lost = chaos.list(ListOptions::default()).await.unwrap_err();
    assert_eq!(lost.kind(), ErrorKind::Timeout);
    assert_eq!(chaos.list(ListOptions::default()).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_doubled_spawn_makes_one_agent() {
    let chaos = Chaos::new(memory()).with_doubled_calls(1.0);
    let id = spawn(&chaos).await.unwrap();
    assert_eq!(truth(&chaos).await, [(id, AgentState::Running)].into());
}

#[tokio::test(start_paused = true)]
async fn a_call_takes_its_time_and_no_more() {
    let chaos = Chaos::new(memory()).with_delays(Duration::from_secs(1));
    let begun = tokio::time::Instant::now();
    chaos.check().await.unwrap();
    let took = begun.elapsed();
    assert!(
        took > Duration::ZERO && took <= Duration::from_secs(2),
        "{took:?}"
    );
}

#[tokio::test]
async fn what_goes_wrong_is_the_same_for_the_same_seed() {
    let losses = |seed| async move {
        let chaos = Chaos::new(memory()).with_seed(seed).with_lost_replies(0.5);
        let mut losses = Vec::new();
        for _ in 0..64 {
            losses.push(chaos.check().await.is_err());
        }
        losses
    };
    assert_eq!(losses(7).await, losses(7).await);
    assert_ne!(losses(7).await, losses(8).await);
}

#[tokio::test]
async fn without_chaos_everything_passes_through() {
    let chaos = Chaos::new(memory());
    let mut events = chaos.events(EventOptions::default()).await.unwrap();
    let id = spawn(&chaos).await.unwrap();
    assert!(events.next().now_or_never().flatten().is_some());
    assert!(chaos.signals().is_some());
    chaos
        .stop_and_remove(&id, StopOptions::default())
        .await
        .unwrap();
}
