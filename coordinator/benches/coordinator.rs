//! What a coordinator costs: a bid beside a bare handler that only writes the same row, a task from its coming in to
//! its first bid and to its result, and a task in a file that holds few or many.
//!
//! All of it on loopback, with real agents and a real file, and bounded.

#![expect(clippy::unwrap_used, reason = "a bench that cannot go on ends there")]
#![expect(clippy::print_stdout, reason = "a bench says what it has measured")]

#[path = "coordinator/bare.rs"]
mod bare;
#[path = "coordinator/client.rs"]
mod client;
#[path = "coordinator/house.rs"]
mod house;
#[path = "coordinator/life.rs"]
mod life;
#[path = "coordinator/seen.rs"]
mod seen;
#[path = "coordinator/size.rs"]
mod size;

use std::time::{Duration, Instant};

use alveary_conformance::Pairs;
use criterion::{Criterion, criterion_group};
use tokio::runtime::Runtime;

use bare::Bare;
use client::Client;
use house::House;

/// How many bid at once.
const BIDDERS: u32 = 16;
/// How many bids each of them makes in one round.
const BIDS: u32 = 100;
const ROUNDS: u32 = 30;

/// How long it takes these clients to make their bids.
async fn burst(clients: &mut [Client], requests: &[Vec<u8>]) -> Duration {
    let begun = Instant::now();
    let bidding = clients
        .iter_mut()
        .zip(requests)
        .map(async |(client, request)| {
            for _ in 0..BIDS {
                client.ask(request).await;
            }
        });
    futures_util::future::join_all(bidding).await;
    begun.elapsed()
}

/// The same bids, in turn, to a coordinator and to a handler that only writes them down.
fn bids(runtime: &Runtime) {
    let (bare, house) = (Bare::open(), House::open(runtime));
    runtime.block_on(async {
        let (there, here) = (bare.serve().await, house.serve().await);
        let task = house.open_auction().await;
        let requests: Vec<_> = (0..BIDDERS)
            .map(|id| house.bid(task, &format!("a{id}")))
            .collect();
        let (mut to_bare, mut to_us) = (Vec::new(), Vec::new());
        for _ in 0..BIDDERS {
            to_bare.push(Client::connect(there).await);
            to_us.push(Client::connect(here).await);
        }
        let mut pairs = Pairs::default();
        for round in 0..=ROUNDS {
            let theirs = burst(&mut to_bare, &requests).await;
            let ours = burst(&mut to_us, &requests).await;
            // The first is for warming up.
            if round > 0 {
                pairs.push(theirs, ours);
            }
        }
        let many = BIDDERS * BIDS;
        let row = format!("{many} bids over HTTP, {BIDDERS} at once, beside a bare insert");
        println!("{}", pairs.row(&row, "≤ 2"));
        let [theirs, ours] = pairs
            .medians()
            .map(|took| f64::from(many) / took.as_secs_f64());
        let ratio = ours / theirs;
        println!(
            "| the same, as bids per second | {theirs:.0} | {ours:.0} | {ratio:.2} | | ≥ 0.5 |"
        );

        let mut pairs = Pairs::default();
        for _ in 0..ROUNDS * BIDS {
            let theirs = to_bare[0].time(&requests[0]).await;
            pairs.push(theirs, to_us[0].time(&requests[0]).await);
        }
        println!(
            "{}",
            pairs.row("one bid over HTTP, beside a bare insert", "≤ 2")
        );
    });
}

fn bid(criterion: &mut Criterion) {
    let runtime = Runtime::new().unwrap();
    let (bare, house) = (Bare::open(), House::open(&runtime));
    let mut group = criterion.benchmark_group("coordinator/bid");
    group.sample_size(20);
    for ours in [false, true] {
        let (mut client, request) = runtime.block_on(async {
            let task = house.open_auction().await;
            let address = if ours {
                house.serve().await
            } else {
                bare.serve().await
            };
            (Client::connect(address).await, house.bid(task, "a0"))
        });
        let name = if ours {
            "a coordinator"
        } else {
            "a bare insert"
        };
        group.bench_function(name, |bencher| {
            bencher.iter_custom(|times| {
                runtime.block_on(async {
                    let begun = Instant::now();
                    for _ in 0..times {
                        client.ask(&request).await;
                    }
                    begun.elapsed()
                })
            });
        });
    }
    group.finish();
}

criterion_group!(benches, bid);

fn main() {
    if size::run_if_asked() {
        return;
    }
    benches();
    Criterion::default().configure_from_args().final_summary();
    let runtime = Runtime::new().unwrap();
    println!("\n{}", Pairs::HEAD);
    bids(&runtime);
    println!("\n| what | p50 | p99 | goal |\n|---|---|---|---|");
    life::first_bid(&runtime);
    life::result(&runtime);
    println!("\n| what | measured | goal |\n|---|---|---|");
    size::grow(&runtime);
    seen::bids(&runtime);
}
