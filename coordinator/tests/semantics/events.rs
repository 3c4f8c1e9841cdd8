//! What happens is told, in order and without a gap.

use std::time::Duration;

use alveary_agent::protocol::{Event, EventId, OpenTasks};
use alveary_coordinator::Settings;
use futures_util::{FutureExt as _, StreamExt as _};

use super::bed::{AUCTION, Bed, HEARTBEAT, agent, book, short_of, task};

fn ids(events: &[Event]) -> Vec<u64> {
    events.iter().map(|event| event.id.0).collect()
}

async fn some_life(bed: &Bed) {
    for _ in 0..3 {
        let claim = bed.begun("a").await;
        let done = bed.complete(claim.task_id, claim.attempt, "la").await;
        done.unwrap();
    }
    bed.begun("b").await;
    bed.coordinator.gone(&agent("b")).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn numbers_follow_each_other_by_one_over_refusals_and_restarts() {
    let (_folder, path) = book();
    let bed = Bed::file(Settings::default(), &path).await;
    some_life(&bed).await;
    // A turn that fails tells nothing, and leaves no gap.
    let unknown = alveary_agent::protocol::TaskId::random();
    bed.coordinator.cancel(unknown).await.unwrap_err();
    bed.coordinator.close().await;
    let bed = Bed::file(Settings::default(), &path).await;
    some_life(&bed).await;
    let events = bed.happened(EventId(0)).await;
    let latest = bed.coordinator.metrics().await.unwrap().latest_event;
    assert_eq!(ids(&events), (1..=latest.0).collect::<Vec<_>>());
    assert!(latest.0 > 40);
}

#[tokio::test(start_paused = true)]
async fn who_comes_back_goes_on_where_it_was() {
    let bed = Bed::open(Settings::default()).await;
    some_life(&bed).await;
    let all = bed.happened(EventId(0)).await;
    for seen in 0..all.len() {
        let rest = bed.happened(EventId(seen as u64)).await;
        assert_eq!(rest, all[seen..]);
    }
}

#[tokio::test(start_paused = true)]
async fn who_names_no_event_hears_what_happens_from_now() {
    let bed = Bed::open(Settings::default()).await;
    some_life(&bed).await;
    let mut events = bed.coordinator.events(None).await.unwrap();
    assert!(!events.has_lost());
    bed.settle().await;
    assert!(events.next().now_or_never().is_none());
    let latest = bed.coordinator.metrics().await.unwrap().latest_event;
    bed.give("").await;
    assert_eq!(events.next().await.unwrap().unwrap().id.0, latest.0 + 1);
}

#[tokio::test(start_paused = true)]
async fn more_events_than_are_read_at_once_are_all_read() {
    let bed = Bed::open(Settings::default()).await;
    bed.coordinator
        .add(vec![task(""); 1_000], None)
        .await
        .unwrap();
    let events = bed.happened(EventId(0)).await;
    assert_eq!(ids(&events), (1..=2_000).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn that_events_were_thrown_away_is_told() {
    let bed = Bed::open(Settings::default().with_keep_events(100)).await;
    let mut slow = bed.coordinator.events(Some(EventId(0))).await.unwrap();
    assert!(!slow.has_lost());
    // Two events for each. What is too much is thrown away a thousand at a time.
    bed.coordinator
        .add(vec![task(""); 1_000], None)
        .await
        .unwrap();
    let again = bed.coordinator.events(Some(EventId(7))).await.unwrap();
    assert!(again.has_lost());
    let first = again.map(|event| event.unwrap().id.0).next().await.unwrap();
    assert!(first > 8, "{first}");
    // Who had asked before sees it by the numbers.
    assert_eq!(slow.next().await.unwrap().unwrap().id.0, first);
    // At the border nothing is lost.
    let at_border = bed
        .coordinator
        .events(Some(EventId(first - 1)))
        .await
        .unwrap();
    assert!(!at_border.has_lost());
    let before = bed
        .coordinator
        .events(Some(EventId(first - 2)))
        .await
        .unwrap();
    assert!(before.has_lost());
    assert!(2_000 - first >= 99, "as many as said are kept");
    assert!(2_000 - first <= 100 + 1_024, "and not many more");
}

#[tokio::test(start_paused = true)]
async fn a_number_that_was_told_is_never_told_again() {
    let (_folder, path) = book();
    let settings = Settings::default().with_keep_events(0);
    let bed = Bed::file(settings.clone(), &path).await;
    bed.coordinator
        .add(vec![task(""); 600], None)
        .await
        .unwrap();
    bed.settle().await;
    bed.coordinator.close().await;
    let bed = Bed::file(settings, &path).await;
    let latest = bed.coordinator.metrics().await.unwrap().latest_event;
    // The restart has opened the 600 auctions once more.
    assert_eq!(latest, EventId(1_800));
}

#[tokio::test(start_paused = true)]
async fn who_was_told_more_than_the_book_holds_hears_that_it_was_another_book() {
    let bed = Bed::open(Settings::default()).await;
    let mut events = bed.coordinator.events(Some(EventId(5_000))).await.unwrap();
    assert!(events.has_lost());
    bed.give("").await;
    assert_eq!(events.next().await.unwrap().unwrap().id, EventId(1));
    let wait = Duration::ZERO;
    let open = bed
        .coordinator
        .open_tasks(Some(EventId(5_000)), wait)
        .await
        .unwrap();
    assert_eq!((open.tasks.len(), open.after), (1, Some(EventId(2))));
}

#[tokio::test(start_paused = true)]
async fn events_end_with_the_coordinator() {
    let bed = Bed::open(Settings::default()).await;
    let mut events = bed.coordinator.events(None).await.unwrap();
    bed.coordinator.close().await;
    assert!(events.next().await.is_none());
    let error = bed.coordinator.events(None).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "the coordinator has ended (start it again)"
    );
}

#[tokio::test(start_paused = true)]
async fn events_keep_no_coordinator_alive() {
    let (_folder, path) = book();
    let bed = Bed::file(Settings::default(), &path).await;
    let mut events = bed.coordinator.events(None).await.unwrap();
    drop(bed);
    assert!(events.next().await.is_none());
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_open_tasks_hears_of_the_next_at_once_and_of_each_once() {
    let bed = Bed::open(Settings::default()).await;
    let first = bed.give("").await;
    let open = bed.coordinator.open_tasks(None, HEARTBEAT).await.unwrap();
    let told = |open: &OpenTasks| {
        open.tasks
            .iter()
            .map(|task| task.task_id)
            .collect::<Vec<_>>()
    };
    assert_eq!(told(&open), [first]);
    let coordinator = bed.coordinator.clone();
    let waiting = tokio::spawn(async move { coordinator.open_tasks(open.after, HEARTBEAT).await });
    bed.settle().await;
    assert!(!waiting.is_finished());
    let second = bed.give("").await;
    // No time has passed.
    let open = waiting.await.unwrap().unwrap();
    assert_eq!(told(&open), [second]);
    // Without a place, all that are open.
    let all = bed.coordinator.open_tasks(None, HEARTBEAT).await.unwrap();
    assert_eq!(told(&all), [first, second]);
}

#[tokio::test(start_paused = true)]
async fn who_waits_in_vain_is_answered_when_it_said() {
    let bed = Bed::open(Settings::default()).await;
    let first = bed.give("").await;
    bed.pass(AUCTION).await;
    assert!(bed.view(first).await.status.is_over());
    let coordinator = bed.coordinator.clone();
    let waiting = tokio::spawn(async move { coordinator.open_tasks(None, HEARTBEAT).await });
    bed.pass(short_of(HEARTBEAT)).await;
    assert!(!waiting.is_finished());
    bed.pass(Duration::from_millis(2)).await;
    assert_eq!(waiting.await.unwrap().unwrap().tasks, []);
}

#[tokio::test(start_paused = true)]
async fn who_waits_hears_that_the_coordinator_has_ended() {
    use alveary_agent::protocol::{ClaimRequest, ProblemKind};
    let bed = Bed::open(Settings::default()).await;
    bed.register("a", "").await;
    let (bids, works) = (bed.coordinator.clone(), bed.coordinator.clone());
    let bids = tokio::spawn(async move { bids.open_tasks(None, HEARTBEAT).await.err() });
    let works = tokio::spawn(async move {
        let request = ClaimRequest::new(agent("a")).with_wait(HEARTBEAT);
        works.claim(request).await.err()
    });
    bed.settle().await;
    bed.coordinator.close().await;
    for waiting in [bids, works] {
        // No time has passed.
        let error = waiting.await.unwrap().unwrap();
        assert_eq!(error.kind(), ProblemKind::Unavailable);
    }
}
