//! What a file with many tasks costs: in time for the next one, and in memory.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use alveary_agent::protocol::{ClaimRequest, Completion, NewBid, NewTask, Sats};
use alveary_coordinator::{Coordinator, Database};
use alveary_core::AgentId;
use tokio::runtime::Runtime;

use super::house::{House, settings};

const FEW: usize = 100;
const MANY: usize = 100_000;
/// How many tasks are measured at either size.
const MEASURED: usize = 500;

/// The whole life of a task: given, bid for, won, taken up, done.
async fn live(coordinator: &Coordinator) {
    let agent_id = AgentId::new("a").unwrap();
    let new = NewTask::new("sing".parse().unwrap());
    let task_id = coordinator.add(vec![new], None).await.unwrap()[0].id;
    let bid = NewBid::new(task_id, agent_id.clone(), Sats::MIN);
    assert!(coordinator.bid(bid).await.unwrap().accepted);
    let request = ClaimRequest::new(agent_id);
    let claim = coordinator.claim(request).await.unwrap().unwrap();
    let completion = Completion::new(claim.attempt, "la");
    coordinator
        .complete(task_id, None, completion)
        .await
        .unwrap();
}

/// The median of the lives of some tasks.
async fn measure(coordinator: &Coordinator) -> Duration {
    let mut took = Vec::new();
    for _ in 0..MEASURED {
        let begun = Instant::now();
        live(coordinator).await;
        took.push(begun.elapsed());
    }
    took.sort_unstable();
    took[MEASURED / 2]
}

pub(crate) fn grow(runtime: &Runtime) {
    let house = House::open(runtime);
    let (empty, book) = (
        house.folder.path().join("empty"),
        house.folder.path().join("book"),
    );
    let (few, many) = runtime.block_on(async {
        let grow = async |from: usize, to: usize| {
            for _ in from..to {
                live(&house.coordinator).await;
            }
        };
        grow(0, FEW).await;
        let few = measure(&house.coordinator).await;
        grow(FEW + MEASURED, MANY).await;
        let many = measure(&house.coordinator).await;
        house.coordinator.close().await;
        (few, many)
    });
    println!("| the life of a task, {FEW} in the file | {few:.0?} | |");
    println!("| the life of a task, {MANY} in the file | {many:.0?} | |");
    let ratio = many.as_secs_f64() / few.as_secs_f64();
    println!("| the same, {MANY} ÷ {FEW} | {ratio:.2} | ≤ 1.5 |");
    let (opened, resident) = resident(&book);
    let (_, least) = self::resident(&empty);
    println!("| start of a coordinator with {MANY} tasks in its file | {opened} ms | |");
    println!("| its memory, resident | {:.1} MiB | |", mib(resident));
    let above = mib(resident.saturating_sub(least));
    println!("| of that, above one whose file is empty | {above:.1} MiB | ≤ 4 MiB |");
}

#[expect(clippy::cast_precision_loss, reason = "it is shown with one decimal")]
fn mib(kib: u64) -> f64 {
    kib as f64 / 1024.0
}

/// Asks another process of this program: how long it takes to open a file (ms), and how big it is then (KiB).
fn resident(file: &Path) -> (u64, u64) {
    let output = Command::new(std::env::current_exe().unwrap())
        .arg("open")
        .arg(file)
        .output()
        .unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    let mut said = said
        .split_whitespace()
        .map(|number| number.parse().unwrap());
    (said.next().unwrap(), said.next().unwrap())
}

/// Is that other process, if this is one.
pub(crate) fn run_if_asked() -> bool {
    let said: Vec<_> = std::env::args().skip(1).collect();
    let ["open", file] = said.iter().map(String::as_str).collect::<Vec<_>>()[..] else {
        return false;
    };
    let runtime = Runtime::new().unwrap();
    let begun = Instant::now();
    let file = Database::File(file.into());
    let coordinator = runtime
        .block_on(Coordinator::open(settings(), file))
        .unwrap();
    let opened = begun.elapsed().as_millis();
    runtime.block_on(live(&coordinator));
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .unwrap();
    println!("{opened} {}", line.split_whitespace().next().unwrap());
    true
}
