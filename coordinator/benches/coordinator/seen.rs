//! What a bid costs where few or many agents have been seen.

use std::time::{Duration, Instant};

use alveary_agent::protocol::{NewBid, Registration, Sats, TaskId};
use alveary_core::AgentId;
use tokio::runtime::Runtime;

use super::house::House;

const FEW: usize = 10;
const MANY: usize = 10_000;
/// How many bids are measured with either.
const MEASURED: usize = 1_000;

fn id(number: usize) -> AgentId {
    AgentId::new(format!("a{number}")).unwrap()
}

/// Agents present themselves, until there are so many.
async fn fill(house: &House, many: usize) {
    let all = (0..many).map(|number| {
        let registration = Registration::new(id(number), "A");
        house.coordinator.register(registration)
    });
    futures_util::future::try_join_all(all).await.unwrap();
}

/// The median of bids of these agents, all of whom are here and free, one after the other.
async fn measure(house: &House, task_id: TaskId, many: usize) -> Duration {
    let mut took = Vec::new();
    for number in 0..MEASURED {
        let bid = NewBid::new(task_id, id(number % many), Sats::MIN);
        let begun = Instant::now();
        assert!(house.coordinator.bid(bid).await.unwrap().accepted);
        took.push(begun.elapsed());
    }
    took.sort_unstable();
    took[MEASURED / 2]
}

pub(crate) fn bids(runtime: &Runtime) {
    let [few, many] = [FEW, MANY].map(|agents| {
        let house = House::open(runtime);
        runtime.block_on(async {
            let task = house.open_auction().await;
            fill(&house, agents).await;
            measure(&house, task, agents).await
        })
    });
    println!("| a bid, {FEW} agents seen, here and free | {few:.0?} | |");
    println!("| a bid, {MANY} agents seen, here and free | {many:.0?} | |");
    let ratio = many.as_secs_f64() / few.as_secs_f64();
    println!("| the same, {MANY} ÷ {FEW} | {ratio:.2} | ≤ 1.5 |");
}
