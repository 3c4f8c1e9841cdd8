//! Who gets a task.

use std::convert::Infallible;
use std::time::{Duration, Instant};

use alveary_agent::protocol::{Happening, Sats, TaskStatus};
use alveary_agent::{Quote, Task};

use super::bed::{Bed, Way, brisk, calm, id};
use super::hands::{Puppet, shout};

fn sats(amount: u64) -> Sats {
    Sats::new(amount).unwrap()
}

pub(crate) async fn the_lowest_bid_wins_and_of_equal_ones_the_first(way: Way) {
    let bed = Bed::calm(way).await;
    let dear = Puppet::known(&bed, "dear", "").await;
    let late = Puppet::known(&bed, "a-late-one", "").await;
    let first = Puppet::known(&bed, "first", "").await;
    let task = bed.add("sing", "").await;
    for (who, amount) in [(&dear, 30), (&first, 20), (&late, 20)] {
        assert!(who.bid(task, amount).await.accepted);
    }
    bed.until_won(task, "first").await;
    assert_eq!(dear.claim().await, None);
    assert_eq!(late.claim().await, None);
    let claim = first.claim().await.unwrap();
    assert_eq!((claim.task_id, claim.number), (task, 1));
    assert_eq!(bed.task(task).await.winning_bid, Some(sats(20)));
}

pub(crate) async fn an_auction_is_over_as_soon_as_all_who_are_free_and_able_have_bid(way: Way) {
    let bed = Bed::calm(way).await;
    let one = Puppet::known(&bed, "one", "song").await;
    let two = Puppet::known(&bed, "two", "song,dance").await;
    let _unable = Puppet::known(&bed, "unable", "dance").await;
    let busy = Puppet::known(&bed, "busy", "toil,song").await;
    let toil = bed.add("toil", "toil").await;
    busy.bid(toil, 1).await;
    bed.until_won(toil, "busy").await;

    let task = bed.add("sing", "song").await;
    one.bid(task, 5).await;
    assert_eq!(bed.task(task).await.status, TaskStatus::Bidding);
    let before = Instant::now();
    two.bid(task, 9).await;
    bed.until_won(task, "one").await;
    // The auction is ten minutes long.
    assert!(before.elapsed() < Duration::from_secs(10));
}

pub(crate) async fn who_goes_without_a_bid_is_waited_for_no_longer(way: Way) {
    let bed = Bed::calm(way).await;
    let one = Puppet::known(&bed, "one", "").await;
    let mute = Puppet::known(&bed, "mute", "").await;
    let task = bed.add("sing", "").await;
    one.bid(task, 5).await;
    assert_eq!(bed.task(task).await.status, TaskStatus::Bidding);
    mute.way.leave(&mute.id).await.unwrap();
    bed.until_won(task, "one").await;
}

pub(crate) async fn an_auction_that_somebody_free_stays_out_of_lasts_its_length(way: Way) {
    let bed = Bed::with(way, brisk()).await;
    let length = bed.coordinator.settings().auction;
    let one = Puppet::known(&bed, "one", "").await;
    let _mute = Puppet::known(&bed, "mute", "").await;
    let before = Instant::now();
    let task = bed.add("sing", "").await;
    one.bid(task, 5).await;
    bed.until_won(task, "one").await;
    let took = before.elapsed();
    assert!(took >= length, "it was over after {took:?}");
}

pub(crate) async fn a_task_goes_to_who_can_do_it_however_cheap_others_are(way: Way) {
    let bed = Bed::calm(way).await;
    let sign = |task: Task| async move { Ok::<_, Infallible>(task.agent_id.to_string()) };
    let cheap = bed.agent("cheap").bid(sats(1));
    let cheap = cheap.capability("song", sign);
    let able = bed.agent("able").bid(sats(50));
    let able = able.capabilities(&"song,translation".parse().unwrap(), sign);
    let _running = [
        bed.start("cheap", cheap).await,
        bed.start("able", able).await,
    ];
    let special = bed.add("translate a song", "song,translation").await;
    assert_eq!(
        bed.until_over(special).await.result.as_deref(),
        Some("able")
    );
    let bidders = bed.coordinator.bids(special).await.unwrap();
    let bidders: Vec<_> = bidders.iter().map(|bid| &bid.agent_id).collect();
    assert_eq!(bidders, [&id("able")]);
    let plain = bed.add("hum", "").await;
    assert_eq!(bed.until_over(plain).await.result.as_deref(), Some("cheap"));
}

pub(crate) async fn a_bid_of_who_cannot_do_it_is_answered_and_does_not_count(way: Way) {
    let bed = Bed::calm(way).await;
    let unable = Puppet::known(&bed, "unable", "dance").await;
    let able = Puppet::known(&bed, "able", "song").await;
    let task = bed.add("sing", "song").await;
    let answer = unable.bid(task, 1).await;
    assert!(
        !answer.accepted && answer.message.contains("song"),
        "{answer:?}"
    );
    assert_eq!((answer.task_id, &answer.agent_id), (task, &unable.id));
    able.bid(task, 70).await;
    bed.until_won(task, "able").await;
}

pub(crate) async fn a_bid_after_the_auction_is_answered_and_does_not_count(way: Way) {
    let bed = Bed::calm(way).await;
    let one = Puppet::known(&bed, "one", "").await;
    let task = bed.add("sing", "").await;
    one.bid(task, 50).await;
    bed.until_won(task, "one").await;
    let late = Puppet::known(&bed, "late", "").await;
    let answer = late.bid(task, 1).await;
    assert!(
        !answer.accepted && answer.message.contains("No open auction"),
        "{answer:?}"
    );
    assert_eq!(late.claim().await, None);
    assert_eq!(one.claim().await.unwrap().task_id, task);
    assert_eq!(bed.task(task).await.winning_bid, Some(sats(50)));
}

pub(crate) async fn a_task_for_which_nobody_bids_fails(way: Way) {
    let bed = Bed::with(way, calm().with_auction(Duration::from_millis(300))).await;
    let stays_out = |_: Quote| async { None };
    let pricing = alveary_agent::Pricing::function(stays_out);
    let agent = bed.agent("idle").handler(shout).bid(pricing);
    let agent = bed.start("idle", agent).await;
    let task = bed.add("sing", "").await;
    let failed = bed.until_over(task).await;
    assert_eq!(failed.status, TaskStatus::Failed);
    assert_eq!((failed.assigned_agent, failed.attempts), (None, 0));
    let any_bid = |what: &Happening| matches!(what, Happening::BidPlaced { .. });
    assert!(!bed.story().await.iter().any(any_bid));
    assert_eq!(agent.end().await.completed, 0);
}
