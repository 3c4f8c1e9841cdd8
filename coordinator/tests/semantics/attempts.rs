//! Attempts: taken up, kept alive, lost.

use std::future::Future;
use std::num::NonZeroU32;
use std::path::Path;
use std::pin::pin;
use std::task::{Context, Waker};
use std::time::Duration;

use alveary_agent::protocol::{
    AttemptToken, ClaimRequest, EventId, Happening, ProblemKind, TaskStatus,
};
use alveary_coordinator::{Bidders, NoBids, Settings};
use rusqlite::Connection;

use super::bed::{AUCTION, Bed, HEARTBEAT, TICK, agent, book, short_of, stands};

/// How long an attempt may lie unclaimed unless a test says otherwise.
const UNCLAIMED: Duration = Duration::from_mins(10);

fn claims(id: &str) -> ClaimRequest {
    ClaimRequest::new(agent(id))
}

#[tokio::test(start_paused = true)]
async fn the_task_of_an_agent_that_falls_silent_is_auctioned_again() {
    let bed = Bed::open(Settings::default()).await;
    let claim = bed.begun("a").await;
    bed.pass(short_of(HEARTBEAT)).await;
    assert_eq!(bed.status(claim.task_id).await, TaskStatus::Running);
    bed.pass(TICK).await;
    let view = bed.view(claim.task_id).await;
    assert_eq!(stands(&view), (TaskStatus::Bidding, None, None));
    assert_eq!(
        (view.auctions, view.attempts, view.winning_bid),
        (2, 1, None)
    );
    assert_eq!(bed.agent("a").await.unwrap(), "offline");
    let story = bed.story(claim.task_id).await;
    let then = [
        "added",
        "opened",
        "bid",
        "assigned",
        "started",
        "superseded",
        "opened",
    ];
    assert_eq!(story, then);
    assert_eq!(bed.coordinator.metrics().await.unwrap().superseded, 1);
}

#[tokio::test(start_paused = true)]
async fn the_task_of_an_agent_that_is_gone_is_auctioned_again_at_once_and_in_full() {
    let bed = Bed::open(Settings::default()).await;
    let claim = bed.begun("a").await;
    bed.register("silent", "").await;
    bed.coordinator.gone(&agent("a")).await.unwrap();
    let task = claim.task_id;
    assert_eq!(bed.status(task).await, TaskStatus::Bidding);
    // The bids of the first auction are not those of the second.
    bed.bid("b", task, 50).await;
    bed.pass(short_of(AUCTION)).await;
    assert_eq!(bed.status(task).await, TaskStatus::Bidding);
    bed.pass(TICK).await;
    let view = bed.view(task).await;
    assert_eq!(stands(&view), (TaskStatus::Assigned, Some("b"), None));
    assert_eq!((view.auctions, view.attempts), (2, 2));
    let again = bed.claim("b").await.unwrap();
    assert_eq!(again.number, 2);
    assert_ne!(again.attempt, claim.attempt);
}

#[tokio::test(start_paused = true)]
async fn a_heartbeat_keeps_the_attempts_that_it_names_and_no_other() {
    let bed = Bed::open(Settings::default()).await;
    let kept = bed.begun("a").await;
    let task = bed.give("").await;
    bed.won("a", task).await;
    let forgotten = bed.claim_holding("a", &[kept.attempt]).await.unwrap();
    for _ in 0..3 {
        bed.pass(HEARTBEAT / 3).await;
        bed.pulse("a", &[kept.attempt]).await;
    }
    assert_eq!(bed.status(kept.task_id).await, TaskStatus::Running);
    assert_eq!(bed.status(forgotten.task_id).await, TaskStatus::Bidding);
    let answer = bed.pulse("a", &[kept.attempt, forgotten.attempt]).await;
    assert_eq!(answer, [forgotten.attempt]);
}

#[tokio::test(start_paused = true)]
async fn a_heartbeat_for_what_another_holds_keeps_nothing_alive() {
    let bed = Bed::open(Settings::default()).await;
    let claim = bed.begun("a").await;
    bed.register("b", "").await;
    let stranger = AttemptToken::random();
    for _ in 0..3 {
        bed.pass(HEARTBEAT / 3).await;
        bed.pulse("a", &[]).await;
        let answer = bed.pulse("b", &[claim.attempt, stranger]).await;
        assert_eq!(answer, [claim.attempt, stranger]);
    }
    assert_eq!(bed.status(claim.task_id).await, TaskStatus::Bidding);
    assert_eq!(bed.agent("a").await.unwrap(), "idle");
}

#[tokio::test(start_paused = true)]
async fn a_task_is_given_to_agents_as_often_as_said_and_then_fails() {
    let attempts = NonZeroU32::new(2).unwrap();
    let bed = Bed::open(Settings::default().with_attempts(attempts)).await;
    let task = bed.begun("a").await.task_id;
    bed.coordinator.gone(&agent("a")).await.unwrap();
    bed.won("b", task).await;
    bed.coordinator.gone(&agent("b")).await.unwrap();
    let reason = Some("Given up after 2 attempts: its agent is gone.");
    let view = bed.view(task).await;
    assert_eq!(stands(&view), (TaskStatus::Failed, Some("b"), reason));
    assert_eq!(view.attempts, 2);
    assert!(!bed.bid("c", task, 1).await.accepted);
}

#[tokio::test(start_paused = true)]
async fn auctions_without_bids_are_counted_apart_from_attempts() {
    let settings = Settings::default().with_no_bids(NoBids::Retry(1));
    let bed = Bed::open(settings).await;
    let task = bed.give("").await;
    bed.pass(AUCTION).await;
    bed.won("a", task).await;
    bed.coordinator.gone(&agent("a")).await.unwrap();
    let view = bed.view(task).await;
    assert_eq!((view.status, view.auctions), (TaskStatus::Bidding, 3));
    bed.pass(AUCTION).await;
    assert_eq!(bed.status(task).await, TaskStatus::Failed);
}

#[tokio::test(start_paused = true)]
async fn what_a_living_agent_does_not_take_up_is_auctioned_again() {
    let bed = Bed::open(Settings::default()).await;
    let task = bed.give("").await;
    bed.won("a", task).await;
    let mut left = UNCLAIMED;
    while left > HEARTBEAT {
        bed.pass(short_of(HEARTBEAT)).await;
        left -= short_of(HEARTBEAT);
        bed.pulse("a", &[]).await;
    }
    bed.pass(short_of(left)).await;
    bed.pulse("a", &[]).await;
    assert_eq!(bed.status(task).await, TaskStatus::Assigned);
    bed.pass(TICK).await;
    assert_eq!(bed.status(task).await, TaskStatus::Bidding);
    assert_eq!(bed.agent("a").await.unwrap(), "idle");
}

#[tokio::test(start_paused = true)]
async fn what_waits_for_an_agent_at_work_stays_its_own() {
    let bed = Bed::open(Settings::default()).await;
    let first = bed.begun("a").await;
    let waits = bed.give("").await;
    bed.won("a", waits).await;
    for _ in 0..100 {
        bed.pulse("a", &[first.attempt]).await;
        bed.pass(HEARTBEAT / 2).await;
    }
    assert_eq!(bed.status(waits).await, TaskStatus::Assigned);
}

#[tokio::test(start_paused = true)]
async fn an_original_agent_that_is_given_a_task_and_never_speaks_again_loses_it() {
    let bed = Bed::open(Settings::default().with_bidders(Bidders::Anybody)).await;
    let task = bed.give("").await;
    bed.bid("timmy", task, 10).await;
    bed.bid("polls", task, 20).await;
    bed.bid("works", task, 30).await;
    bed.register("works", "").await;
    bed.pass(AUCTION).await;
    bed.pass(short_of(UNCLAIMED)).await;
    assert_eq!(bed.view(task).await.assigned_agent, Some(agent("timmy")));
    bed.pass(TICK).await;
    // Such agents bid once in their lives: the bid of the other still stands. Who presents itself bids anew.
    bed.pass(AUCTION).await;
    let view = bed.view(task).await;
    assert_eq!(stands(&view), (TaskStatus::Assigned, Some("polls"), None));
    let second = bed.coordinator.bids(task).await.unwrap();
    let second = second.iter().filter(|bid| bid.auction == 2);
    assert_eq!(
        second.map(|bid| bid.agent_id.as_str()).collect::<Vec<_>>(),
        ["polls"]
    );
}

#[tokio::test(start_paused = true)]
async fn a_late_report_is_refused_and_recorded_and_changes_nothing() {
    let bed = Bed::open(Settings::default()).await;
    let late = bed.begun("a").await;
    let task = late.task_id;
    bed.coordinator.gone(&agent("a")).await.unwrap();
    let while_open = bed.complete(task, late.attempt, "late").await.unwrap_err();
    assert_eq!(while_open.kind(), ProblemKind::Superseded);
    bed.won("b", task).await;
    let now = bed.claim("b").await.unwrap();
    let while_taken = bed.complete(task, late.attempt, "late").await.unwrap_err();
    assert_eq!(
        while_taken.to_string(),
        format!("attempt 1 at task {task} is over (drop the work: nobody waits for it any more)")
    );
    bed.complete(task, now.attempt, "right").await.unwrap();
    let after = bed.complete(task, late.attempt, "late").await.unwrap_err();
    assert_eq!(after.kind(), ProblemKind::Superseded);
    // Not even with the same words: it was not this attempt that was accepted.
    let same = bed.complete(task, late.attempt, "right").await.unwrap_err();
    assert_eq!(same.kind(), ProblemKind::Superseded);
    let view = bed.view(task).await;
    assert_eq!(
        stands(&view),
        (TaskStatus::Completed, Some("b"), Some("right"))
    );
    let story = bed.story(task).await;
    assert_eq!(story.iter().filter(|word| **word == "late").count(), 4);
    assert_eq!(story.iter().filter(|word| **word == "completed").count(), 1);
    assert_eq!(bed.coordinator.metrics().await.unwrap().late_reports, 4);
    let told = bed.happened(EventId(0)).await;
    assert!(told.iter().any(|event| event.what
        == Happening::LateReport {
            task,
            agent: agent("a"),
            attempt: 1
        }));
}

#[tokio::test(start_paused = true)]
async fn a_claim_gives_again_what_its_agent_does_not_hold_and_nothing_twice() {
    let bed = Bed::open(Settings::default()).await;
    let first = bed.begun("a").await;
    let waits = bed.give("").await;
    bed.won("a", waits).await;
    // The answer of the first claim was lost: it comes again, before what waits.
    assert_eq!(bed.claim("a").await.unwrap(), first);
    let second = bed.claim_holding("a", &[first.attempt]).await.unwrap();
    assert_eq!(second.task_id, waits);
    let both = [first.attempt, second.attempt];
    assert_eq!(bed.claim_holding("a", &both).await, None);
    let started = bed.story(first.task_id).await;
    assert_eq!(started.iter().filter(|word| **word == "started").count(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_claim_that_is_given_again_begins_its_time_anew() {
    let bed = Bed::open(Settings::default()).await;
    let claim = bed.begun("a").await;
    bed.pass(short_of(HEARTBEAT)).await;
    bed.claim("a").await.unwrap();
    bed.pass(short_of(HEARTBEAT)).await;
    assert_eq!(bed.status(claim.task_id).await, TaskStatus::Running);
}

/// Somebody else who writes into a coordinator's file: as long as that lasts, no turn is over.
fn writing(path: &Path) -> Connection {
    let other = Connection::open(path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    other
}

#[tokio::test(start_paused = true)]
async fn a_claim_that_is_dropped_with_its_answer_on_the_way_is_given_out_again() {
    let (_folder, path) = book();
    let bed = Bed::file(Settings::default(), &path).await;
    let task = bed.give("").await;
    bed.won("a", task).await;
    let other = writing(&path);
    {
        let mut asked = pin!(bed.coordinator.claim(claims("a")));
        let mut nobody = Context::from_waker(Waker::noop());
        assert!(asked.as_mut().poll(&mut nobody).is_pending());
        other.execute_batch("ROLLBACK").unwrap();
        // It is answered, and nobody reads the answer.
        bed.settle().await;
    }
    assert_eq!(bed.status(task).await, TaskStatus::Running);
    let claim = bed.claim("a").await.unwrap();
    assert_eq!((claim.task_id, claim.number), (task, 1));
    bed.complete(task, claim.attempt, "la").await.unwrap();
    assert_eq!(bed.status(task).await, TaskStatus::Completed);
}

#[tokio::test(start_paused = true)]
async fn a_claim_that_is_dropped_before_it_is_answered_has_claimed_nothing() {
    let (_folder, path) = book();
    let bed = Bed::file(Settings::default(), &path).await;
    let task = bed.give("").await;
    bed.won("a", task).await;
    let other = writing(&path);
    {
        let mut asked = pin!(bed.coordinator.claim(claims("a")));
        let mut nobody = Context::from_waker(Waker::noop());
        assert!(asked.as_mut().poll(&mut nobody).is_pending());
    }
    other.execute_batch("ROLLBACK").unwrap();
    // It had its turn, and the turn was taken back.
    let story = bed.story(task).await;
    assert_eq!(story.last(), Some(&"started"), "{story:?}");
    assert_eq!(bed.status(task).await, TaskStatus::Assigned);
    assert_eq!(bed.claim("a").await.unwrap().task_id, task);
}

#[tokio::test(start_paused = true)]
async fn the_wall_clock_moves_nothing() {
    use alveary_coordinator::ShowClock;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::time::SystemTime;
    let hours = Arc::new(AtomicU64::new(1000));
    let shown = Arc::clone(&hours);
    let clock = ShowClock::new(move || {
        SystemTime::UNIX_EPOCH + Duration::from_hours(shown.load(Ordering::SeqCst))
    });
    let bed = Bed::open(Settings::default().with_clock(clock)).await;
    bed.register("silent", "").await;
    let running = {
        let task = bed.give("").await;
        bed.bid("a", task, 10).await;
        bed.pass(AUCTION).await;
        bed.claim("a").await.unwrap()
    };
    let open = bed.give("").await;
    for hour in [1001, 2, 1000] {
        hours.store(hour, Ordering::SeqCst);
        bed.pass(TICK).await;
        bed.pulse("silent", &[]).await;
        assert_eq!(bed.status(open).await, TaskStatus::Bidding);
        assert_eq!(bed.status(running.task_id).await, TaskStatus::Running);
        assert_eq!(bed.agent("silent").await.unwrap(), "idle");
    }
    hours.store(1, Ordering::SeqCst);
    bed.pass(AUCTION).await;
    assert_eq!(bed.status(open).await, TaskStatus::Failed);
    assert_eq!(bed.status(running.task_id).await, TaskStatus::Running);
    bed.pass(HEARTBEAT.saturating_sub(AUCTION)).await;
    assert_eq!(bed.status(running.task_id).await, TaskStatus::Bidding);
}
