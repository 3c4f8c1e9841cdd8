//! What the peers do, and what becomes of it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use alveary_agent::protocol::{Happening, TaskStatus};
use alveary_coordinator::Settings;

use crate::ground::Ground;
use crate::hand::Hand;
use crate::house::House;

/// Long enough for a peer that polls five times in a second.
const AUCTION: Duration = Duration::from_secs(3);

pub(crate) async fn they_join_bid_deliver_and_end_cleanly(ground: Ground) {
    let house = House::open(AUCTION, ground.gateway()).await;
    let peers = ground.up(house.port).await;
    until_both_have_bid(&house).await;

    // All bid, each once, in the original's range; whoever cannot do it is told so and does not mind.
    let task = house.add("sing \u{e4} & b", "work").await;
    let done = house.until_over(task).await;
    assert_eq!(done.status, TaskStatus::Completed, "{done:?}");
    assert_eq!(done.result.as_deref(), Some("SING \u{c4} & B"));
    assert_eq!(done.assigned_agent.unwrap().as_str(), "timmy");
    let failed = house.add("fail: no voice", "work").await;
    let told = house.until_over(failed).await;
    assert_eq!(
        (told.status, told.result.as_deref()),
        (TaskStatus::Completed, Some("Error: no voice"))
    );
    peers.end().await;
}

/// Has tasks auctioned until both bidders have bid for one, each once.
async fn until_both_have_bid(house: &House) {
    loop {
        let task = house.add("say something", "talk").await;
        house
            .until("its auction is over", |what| match what {
                Happening::Assigned { task: of, .. } | Happening::Failed { task: of, .. } => {
                    *of == task
                }
                _ => false,
            })
            .await;
        let bids = house.coordinator.bids(task).await.unwrap();
        let bidders: BTreeSet<&str> = bids.iter().map(|bid| bid.agent_id.as_str()).collect();
        assert_eq!(bidders.len(), bids.len(), "somebody bids twice: {bids:?}");
        for bid in &bids {
            assert!((10..=100).contains(&bid.bid_sats.get()), "{bid:?}");
        }
        if bidders == BTreeSet::from(["echo", "timmy"]) {
            return;
        }
    }
}

pub(crate) async fn every_answer_is_as_it_was() {
    let house = House::open(AUCTION, None).await;
    let url = format!("http://127.0.0.1:{}", house.port);
    let env = BTreeMap::from([("COORDINATOR_URL", url)]);
    let mut quirks = Hand::start(&["python3", "quirks.py"], &env);
    quirks.line("all is as it was").await;
    assert!(quirks.ended().await.success());
}

pub(crate) async fn at_their_own_pace_they_win_and_deliver() {
    // Fifteen seconds of auction, five between two polls.
    let house = House::open(Settings::default().auction, None).await;
    let url = format!("http://127.0.0.1:{}/", house.port);
    let env = BTreeMap::from([("COORDINATOR_URL", url)]);
    let runner = [
        "python3",
        "-m",
        "swarm.agent_runner",
        "--agent-id",
        "timmy",
        "--name",
        "timmy",
    ];
    let task = house.add("sing", "").await;
    let mut bids = Hand::start(&runner, &env);
    let mut works = Hand::start(&["python3", "-m", "timmy.docker_agent"], &env);
    bids.line(&format!("sats for {task}")).await;
    works.line(&format!("{task} is completed")).await;
    let done = house.until_over(task).await;
    assert_eq!(done.result.as_deref(), Some("SING"));
    assert_eq!((done.auctions, done.attempts), (1, 1));
}

pub(crate) async fn without_a_token_nothing_is_theirs() {
    let house = House::with(Settings::default().with_auction(AUCTION), None).await;
    let task = house.add("sing", "").await;
    let env = BTreeMap::from([
        (
            "COORDINATOR_URL",
            format!("http://127.0.0.1:{}", house.port),
        ),
        ("PEER_INTERVAL", "0.2".to_owned()),
    ]);
    let runner = [
        "python3",
        "-m",
        "swarm.agent_runner",
        "--agent-id",
        "timmy",
        "--name",
        "timmy",
    ];
    let mut bids = Hand::start(&runner, &env);
    let mut works = Hand::start(&["python3", "-m", "timmy.docker_agent"], &env);
    for peer in [&mut bids, &mut works] {
        // And it goes on to ask.
        for _ in 0..2 {
            let line = peer.line("a poll failed").await;
            assert!(line.contains("401"), "{line}");
        }
    }
    assert_eq!(house.until_over(task).await.status, TaskStatus::Failed);
    assert_eq!(house.coordinator.agents().await.unwrap(), []);
}
