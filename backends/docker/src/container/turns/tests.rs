//! Against engines that are made up, in made-up time.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::FutureExt;
use futures_util::future::join_all;
use tokio::time::sleep;

use super::*;

const LIMIT: Duration = Duration::from_secs(15);

/// An engine that works on so many calls at a time, for so long on each; the others wait inside it.
struct Made {
    hands: Semaphore,
    work: Duration,
}

impl Made {
    fn new(hands: usize, work_ms: u64) -> Self {
        Self {
            hands: Semaphore::new(hands),
            work: Duration::from_millis(work_ms),
        }
    }

    async fn call(&self) {
        let _hand = self.hands.acquire().await.unwrap();
        sleep(self.work).await;
    }
}

/// How long it takes to have all these calls done.
async fn all(turns: &Turns, engine: &Made, calls: usize) -> Duration {
    let begun = Instant::now();
    join_all((0..calls).map(|_| async {
        let turn = turns.next().await;
        engine.call().await;
        turn.answered();
    }))
    .await;
    begun.elapsed()
}

fn width(turns: &Turns) -> usize {
    turns.width().pace.width
}

#[tokio::test(start_paused = true)]
async fn an_engine_bound_by_its_processor_is_kept_busy_and_not_flooded() {
    let (turns, engine) = (Turns::new(None, LIMIT), Made::new(2, 240));
    // What one call takes where nothing waits, as the first agents of a swarm show it.
    for _ in 0..8 {
        all(&turns, &engine, 1).await;
    }
    let took = all(&turns, &engine, 200).await;
    // At eight in a second that are 24 s, and nothing is lost of it.
    assert!(took < Duration::from_millis(24_300), "{took:?}");
    assert!((4..=9).contains(&width(&turns)), "{}", width(&turns));
}

#[tokio::test(start_paused = true)]
async fn twenty_at_once_from_a_cold_start_lose_nothing() {
    let (turns, engine) = (Turns::new(None, LIMIT), Made::new(2, 240));
    assert_eq!(all(&turns, &engine, 20).await, Duration::from_millis(2400));
}

#[tokio::test(start_paused = true)]
async fn the_first_burst_is_given_twice_as_many_once_nothing_was_seen_to_wait() {
    let (turns, engine) = (Turns::new(None, LIMIT), Made::new(64, 200));
    all(&turns, &engine, 2 * FIRST).await;
    assert_eq!(width(&turns), 2 * FIRST);
    // Not where twice as many might take too much of their limit.
    let turns = Turns::new(None, LIMIT);
    all(&turns, &Made::new(64, 2000), 2 * FIRST).await;
    assert_eq!(width(&turns), FIRST + 1);
}

#[tokio::test(start_paused = true)]
async fn an_engine_with_much_room_is_given_all_that_is_allowed() {
    let (turns, engine) = (Turns::new(None, LIMIT), Made::new(64, 200));
    all(&turns, &engine, 400).await;
    assert_eq!(width(&turns), MOST);
}

#[tokio::test(start_paused = true)]
async fn a_slow_engine_is_given_so_few_that_none_waits_until_its_limit() {
    let (turns, engine) = (Turns::new(None, LIMIT), Made::new(1, 3000));
    all(&turns, &engine, 40).await;
    assert!(width(&turns) <= 2, "{}", width(&turns));
}

#[tokio::test(start_paused = true)]
async fn an_engine_that_stalls_is_given_one_at_a_time_and_more_once_it_answers() {
    let turns = Turns::new(None, LIMIT);
    for _ in 0..3 {
        turns.next().await.unanswered();
    }
    assert_eq!(width(&turns), 1);
    all(&turns, &Made::new(64, 100), 100).await;
    assert!(width(&turns) > 8, "{}", width(&turns));
}

#[tokio::test(start_paused = true)]
async fn one_at_a_time_teaches_nothing_about_many() {
    let (turns, engine) = (Turns::new(None, LIMIT), Made::new(2, 240));
    for _ in 0..100 {
        all(&turns, &engine, 1).await;
    }
    assert_eq!(width(&turns), FIRST);
}

#[tokio::test(start_paused = true)]
async fn refusals_teach_nothing() {
    let (turns, engine) = (Turns::new(None, LIMIT), Made::new(2, 240));
    for _ in 0..8 {
        all(&turns, &engine, 1).await;
    }
    let best = turns.width().pace.best.map(|best| best.took);
    for _ in 0..100 {
        drop(turns.next().await);
    }
    assert_eq!(turns.width().pace.best.map(|best| best.took), best);
}

#[tokio::test(start_paused = true)]
async fn a_best_time_that_cannot_be_had_any_more_is_forgotten() {
    let turns = Turns::new(None, LIMIT);
    all(&turns, &Made::new(64, 10), 8).await;
    // All of it looks like waiting, and so nothing is added.
    let before = width(&turns);
    let slower = Made::new(64, 1000);
    all(&turns, &slower, 40).await;
    assert!(width(&turns) <= before, "{}", width(&turns));
    sleep(BELIEVED).await;
    all(&turns, &slower, 200).await;
    assert!(width(&turns) > before, "{}", width(&turns));
}

#[tokio::test(start_paused = true)]
async fn never_more_than_are_allowed_are_under_way() {
    let (turns, engine) = (Arc::new(Turns::new(Some(3), LIMIT)), Made::new(64, 50));
    let (now, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
    join_all((0..100).map(|_| async {
        let turn = turns.next().await;
        most.fetch_max(now.fetch_add(1, Ordering::Relaxed) + 1, Ordering::Relaxed);
        engine.call().await;
        now.fetch_sub(1, Ordering::Relaxed);
        turn.answered();
    }))
    .await;
    assert_eq!(most.into_inner(), 3);
}

#[tokio::test(start_paused = true)]
async fn who_gives_up_waiting_takes_nobodys_turn() {
    let turns = Turns::new(Some(1), LIMIT);
    let held = turns.next().await;
    let mut first = Box::pin(turns.next());
    let mut second = Box::pin(turns.next());
    assert!(first.as_mut().now_or_never().is_none());
    assert!(second.as_mut().now_or_never().is_none());
    // The first is woken, and gives up before it has taken its turn.
    drop(held);
    drop(first);
    assert!(second.now_or_never().is_some());
}
