//! Who wins, and when an auction is over.

use std::time::Duration;

use alveary_agent::protocol::{TaskId, TaskStatus};
use alveary_coordinator::{Bidders, NoBids, Settings};

use super::bed::{AUCTION, Bed, TICK, agent, sats, short_of, stands};

#[tokio::test(start_paused = true)]
async fn the_lowest_bid_wins_and_the_earliest_among_equals() {
    let bed = Bed::open(Settings::default()).await;
    bed.register("silent", "").await;
    let task = bed.give("").await;
    // Neither the first, nor the last, nor the first by name.
    for (id, amount) in [("d", 30), ("c", 10), ("a", 10), ("b", 20)] {
        assert!(bed.bid(id, task, amount).await.accepted);
    }
    bed.pass(AUCTION).await;
    let view = bed.view(task).await;
    assert_eq!(stands(&view), (TaskStatus::Assigned, Some("c"), None));
    assert_eq!(view.winning_bid, Some(sats(10)));
}

#[tokio::test(start_paused = true)]
async fn an_auction_lasts_its_length_to_the_millisecond() {
    let bed = Bed::open(Settings::default().with_auction(Duration::from_secs(5))).await;
    bed.register("silent", "").await;
    let task = bed.give("").await;
    bed.bid("a", task, 10).await;
    bed.pass(short_of(Duration::from_secs(5))).await;
    assert_eq!(bed.status(task).await, TaskStatus::Bidding);
    bed.pass(TICK).await;
    assert_eq!(bed.status(task).await, TaskStatus::Assigned);
}

#[tokio::test(start_paused = true)]
async fn an_auction_ends_with_the_bid_of_the_last_who_is_able_and_free() {
    let bed = Bed::open(Settings::default()).await;
    bed.register("a", "sing").await;
    bed.register("b", "dance, sing").await;
    bed.register("c", "dance").await;
    let task = bed.give("sing").await;
    bed.bid("a", task, 10).await;
    assert_eq!(bed.status(task).await, TaskStatus::Bidding);
    bed.bid("b", task, 20).await;
    let view = bed.view(task).await;
    assert_eq!(stands(&view), (TaskStatus::Assigned, Some("a"), None));
}

#[tokio::test(start_paused = true)]
async fn a_second_bid_of_one_agent_is_not_the_bid_of_another() {
    let bed = Bed::open(Settings::default()).await;
    bed.register("a", "").await;
    bed.register("b", "").await;
    let task = bed.give("").await;
    bed.bid("a", task, 10).await;
    bed.bid("a", task, 9).await;
    assert_eq!(bed.status(task).await, TaskStatus::Bidding);
}

#[tokio::test(start_paused = true)]
async fn where_anybody_may_bid_no_auction_ends_early() {
    let bed = Bed::open(Settings::default().with_bidders(Bidders::Anybody)).await;
    bed.register("a", "").await;
    let task = bed.give("").await;
    bed.bid("a", task, 10).await;
    bed.pass(short_of(AUCTION)).await;
    assert_eq!(bed.status(task).await, TaskStatus::Bidding);
    bed.bid("stranger", task, 5).await;
    bed.pass(TICK).await;
    let view = bed.view(task).await;
    assert_eq!(
        stands(&view),
        (TaskStatus::Assigned, Some("stranger"), None)
    );
}

#[tokio::test(start_paused = true)]
async fn an_auction_waits_for_nobody_who_is_at_work() {
    let bed = Bed::open(Settings::default()).await;
    bed.begun("busy").await;
    bed.register("a", "").await;
    let task = bed.give("").await;
    bed.bid("a", task, 10).await;
    assert_eq!(bed.status(task).await, TaskStatus::Assigned);
}

#[tokio::test(start_paused = true)]
async fn where_all_who_are_able_are_at_work_the_first_who_becomes_free_ends_the_auction() {
    let bed = Bed::open(Settings::default()).await;
    let first = bed.begun("a").await;
    let task = bed.give("").await;
    bed.bid("a", task, 10).await;
    assert_eq!(bed.status(task).await, TaskStatus::Bidding);
    bed.complete(first.task_id, first.attempt, "la")
        .await
        .unwrap();
    let view = bed.view(task).await;
    assert_eq!(stands(&view), (TaskStatus::Assigned, Some("a"), None));
}

#[tokio::test(start_paused = true)]
async fn one_who_becomes_free_and_has_not_bid_is_waited_for() {
    let bed = Bed::open(Settings::default()).await;
    let first = bed.begun("a").await;
    let task = bed.give("").await;
    bed.complete(first.task_id, first.attempt, "la")
        .await
        .unwrap();
    assert_eq!(bed.status(task).await, TaskStatus::Bidding);
    bed.bid("a", task, 10).await;
    assert_eq!(bed.status(task).await, TaskStatus::Assigned);
}

#[tokio::test(start_paused = true)]
async fn an_auction_ends_when_the_one_who_was_waited_for_goes_or_can_do_it_no_more() {
    let bed = Bed::open(Settings::default()).await;
    bed.register("a", "sing").await;
    bed.register("b", "sing").await;
    let task = bed.give("sing").await;
    bed.bid("a", task, 10).await;
    bed.coordinator.gone(&agent("b")).await.unwrap();
    assert_eq!(bed.status(task).await, TaskStatus::Assigned);

    bed.register("c", "sing").await;
    bed.register("d", "sing").await;
    let task = bed.give("sing").await;
    bed.bid("c", task, 10).await;
    assert_eq!(bed.status(task).await, TaskStatus::Bidding);
    bed.register("d", "dance").await;
    assert_eq!(bed.status(task).await, TaskStatus::Assigned);
}

#[tokio::test(start_paused = true)]
async fn only_who_can_do_what_a_task_asks_for_takes_part() {
    let bed = Bed::open(Settings::default()).await;
    bed.register("a", "sing").await;
    let task = bed.give("dance, sing").await;
    // What an agent said when it presented itself goes before what it says when it bids.
    let answer = bed.bid_as("a", "dance, sing", task, 1).await;
    assert!(!answer.accepted);
    assert_eq!(answer.message, "The task asks for: dance,sing.");
    assert!(!bed.bid_as("unknown", "dance", task, 1).await.accepted);
    assert!(
        bed.bid_as("able", "dance, paint, sing", task, 50)
            .await
            .accepted
    );
    bed.pass(AUCTION).await;
    let view = bed.view(task).await;
    assert_eq!(stands(&view), (TaskStatus::Assigned, Some("able"), None));
    assert_eq!(bed.coordinator.bids(task).await.unwrap().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn of_several_bids_of_one_agent_the_lowest_holds_since_it_was_made() {
    let bed = Bed::open(Settings::default()).await;
    bed.register("silent", "").await;
    let task = bed.give("").await;
    for (id, amount) in [("a", 20), ("b", 15), ("a", 15), ("a", 40)] {
        let answer = bed.bid(id, task, amount).await;
        assert_eq!(
            (answer.accepted, answer.message.as_str()),
            (true, "Bid accepted.")
        );
    }
    assert_eq!(bed.coordinator.bids(task).await.unwrap().len(), 4);
    bed.pass(AUCTION).await;
    let view = bed.view(task).await;
    assert_eq!(stands(&view), (TaskStatus::Assigned, Some("b"), None));

    let task = bed.give("").await;
    for amount in [20, 5, 40] {
        bed.bid("a", task, amount).await;
    }
    bed.bid("c", task, 6).await;
    bed.pass(AUCTION).await;
    let view = bed.view(task).await;
    assert_eq!(stands(&view), (TaskStatus::Assigned, Some("a"), None));
    assert_eq!(view.winning_bid, Some(sats(5)));
}

#[tokio::test(start_paused = true)]
async fn who_is_gone_does_not_win() {
    let bed = Bed::open(Settings::default()).await;
    bed.register("silent", "").await;
    let (task, alone) = (bed.give("").await, bed.give("").await);
    bed.bid("a", task, 10).await;
    bed.bid("a", alone, 10).await;
    bed.bid("b", task, 20).await;
    bed.coordinator.gone(&agent("a")).await.unwrap();
    bed.pass(AUCTION).await;
    let view = bed.view(task).await;
    assert_eq!(stands(&view), (TaskStatus::Assigned, Some("b"), None));
    assert_eq!(bed.status(alone).await, TaskStatus::Failed);
}

#[tokio::test(start_paused = true)]
async fn a_task_for_which_nobody_bids_fails() {
    let bed = Bed::open(Settings::default()).await;
    let task = bed.give("").await;
    bed.pass(short_of(AUCTION)).await;
    assert_eq!(bed.status(task).await, TaskStatus::Bidding);
    bed.pass(TICK).await;
    let view = bed.view(task).await;
    let reason = Some("No agent has bid for the task.");
    assert_eq!(stands(&view), (TaskStatus::Failed, None, reason));
    assert!(view.completed_at.is_some());
    assert_eq!(bed.story(task).await, ["added", "opened", "failed"]);
}

#[tokio::test(start_paused = true)]
async fn or_is_auctioned_again_as_many_times_as_said() {
    let bed = Bed::open(Settings::default().with_no_bids(NoBids::Retry(2))).await;
    let (never, late) = (bed.give("").await, bed.give("sing").await);
    for auction in 1..=3 {
        let view = bed.view(never).await;
        assert_eq!((view.status, view.auctions), (TaskStatus::Bidding, auction));
        if auction == 3 {
            assert!(bed.bid_as("a", "sing", late, 10).await.accepted);
        }
        bed.pass(AUCTION).await;
    }
    assert_eq!(bed.status(never).await, TaskStatus::Failed);
    assert_eq!(bed.status(late).await, TaskStatus::Assigned);
    assert_eq!(bed.view(late).await.auctions, 3);
}

#[tokio::test(start_paused = true)]
async fn a_bid_without_an_open_auction_is_answered_and_not_taken() {
    let bed = Bed::open(Settings::default()).await;
    let over = bed.give("").await;
    bed.pass(AUCTION).await;
    for task in [over, TaskId::random()] {
        let answer = bed.bid("a", task, 10).await;
        assert!(!answer.accepted);
        let message = "No open auction for this task — it may have already closed.";
        assert_eq!(answer.message, message);
    }
    assert_eq!(bed.coordinator.bids(over).await.unwrap().len(), 0);
    assert_eq!(bed.coordinator.metrics().await.unwrap().refused_bids, 2);
}

#[tokio::test(start_paused = true)]
async fn tasks_that_were_given_together_go_out_in_their_order() {
    let bed = Bed::open(Settings::default()).await;
    bed.register("silent", "").await;
    let given = (0..20).map(|_| super::bed::task("")).collect();
    let given = bed.coordinator.add(given, None).await.unwrap();
    for task in given.iter().rev() {
        bed.bid("a", task.id, 10).await;
    }
    bed.pass(AUCTION).await;
    let mut held = Vec::new();
    for task in &given {
        let claim = bed.claim_holding("a", &held).await.unwrap();
        assert_eq!(claim.task_id, task.id);
        held.push(claim.attempt);
    }
}
