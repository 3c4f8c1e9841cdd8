//! From a task's coming in to its first bid and to its result, with agents that wait over HTTP.

use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::time::{Duration, Instant};

use alveary_agent::protocol::{EventId, Happening, Sats};
use alveary_agent::{Agent, HttpTransport, Pricing, Task, TokenFile};
use alveary_core::AgentId;
use futures_util::StreamExt as _;
use serde_json::{Value, json};
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::client::{Client, get, post};
use super::house::House;

const TASKS: usize = 300;
const FLEET: usize = 5;

/// How long an agent of the original waits between two questions for tasks.
const POLL: Duration = Duration::from_secs(5);
/// How many tasks come in meanwhile, evenly.
const BETWEEN: u32 = 20;

/// A fleet that has nothing to do.
struct Idle {
    house: House,
    agents: Vec<JoinHandle<()>>,
    cancel: CancellationToken,
    client: Client,
    add: Vec<u8>,
}

impl Idle {
    async fn start(house: House, many: usize) -> Self {
        let address = house.serve().await;
        let cancel = CancellationToken::new();
        let mut agents = Vec::new();
        for number in 0..many {
            let id = AgentId::new(format!("a{number}")).unwrap();
            let file = house.folder.path().join(format!("{id}.token"));
            std::fs::write(&file, house.tokens.agent(&id).expose()).unwrap();
            let transport = HttpTransport::new(&format!("http://{address}")).unwrap();
            let agent = Agent::builder(id.as_str())
                .id(id)
                .concurrency(NonZeroUsize::MIN)
                .bid(Pricing::range(Sats::MIN..=Sats::new(100).unwrap()))
                .handler(|_: Task| async { Ok::<_, String>("la".to_owned()) })
                .transport(transport.with_token(TokenFile::new(file)))
                .build()
                .unwrap();
            let cancelled = cancel.clone();
            agents.push(tokio::spawn(async move {
                agent.run(cancelled).await.unwrap();
            }));
        }
        while house.coordinator.agents().await.unwrap().len() < many {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let add = post(
            "/v1/tasks",
            house.tokens.admin().expose(),
            r#"{"description": "sing"}"#,
        );
        Self {
            client: Client::connect(address).await,
            house,
            agents,
            cancel,
            add,
        }
    }

    /// How long it takes from the question to the first event that is meant, again and again.
    async fn measure(&mut self, meant: impl Fn(&Happening) -> bool) -> Vec<Duration> {
        let mut took = Vec::new();
        let mut events = self
            .house
            .coordinator
            .events(Some(EventId(0)))
            .await
            .unwrap();
        for _ in 0..TASKS {
            let begun = Instant::now();
            self.client.ask(&self.add).await;
            let (mut heard, mut done) = (false, false);
            while !(heard && done) {
                let event = events.next().await.unwrap().unwrap();
                if !heard && meant(&event.what) {
                    took.push(begun.elapsed());
                    heard = true;
                }
                done |= matches!(event.what, Happening::Completed { .. });
            }
        }
        took
    }

    async fn end(self) {
        self.cancel.cancel();
        for agent in self.agents {
            agent.await.unwrap();
        }
    }
}

fn row(what: &str, mut took: Vec<Duration>, goal: &str) {
    took.sort_unstable();
    let at = |part: usize| took[took.len() * part / 100].as_secs_f64() * 1_000.0;
    println!("| {what} | {:.2} ms | {:.2} ms | {goal} |", at(50), at(99));
}

/// The same questions at the pace of the original's agents.
async fn polled(house: House) -> Vec<Duration> {
    let mut client = Client::connect(house.serve().await).await;
    let token = house.tokens.admin();
    let add = post("/v1/tasks", token.expose(), r#"{"description": "sing"}"#);
    let poll = get("/internal/tasks", token.expose());
    client.ask(&poll).await;
    let polled = tokio::time::Instant::now();
    let mut came = HashMap::new();
    for task in 0..BETWEEN {
        tokio::time::sleep_until(polled + POLL * task / BETWEEN).await;
        let begun = Instant::now();
        let given: Value = serde_json::from_slice(client.ask(&add).await).unwrap();
        came.insert(given["tasks"][0]["id"].clone(), begun);
    }
    tokio::time::sleep_until(polled + POLL).await;
    let open: Vec<Value> = serde_json::from_slice(client.ask(&poll).await).unwrap();
    let mut took = Vec::new();
    for task in open {
        let id = &task["task_id"];
        let bid = json!({"task_id": id, "agent_id": "polls", "bid_sats": 10}).to_string();
        client
            .ask(&post("/internal/bids", token.expose(), &bid))
            .await;
        took.push(came[id].elapsed());
    }
    assert_eq!(took.len(), came.len());
    took
}

pub(crate) fn first_bid(runtime: &Runtime) {
    let house = House::open(runtime);
    let what = format!(
        "from `POST` to the first bid, by a poll every {} s as in the system that alveary replaces",
        POLL.as_secs()
    );
    row(&what, runtime.block_on(polled(house)), "");
    let house = House::open(runtime);
    runtime.block_on(async {
        let mut idle = Idle::start(house, FLEET).await;
        let took = idle
            .measure(|what| matches!(what, Happening::BidPlaced { .. }))
            .await;
        row(
            "from `POST /v1/tasks` to the first bid, by long-poll",
            took,
            "≤ 5 ms",
        );
        idle.end().await;
    });
}

pub(crate) fn result(runtime: &Runtime) {
    let house = House::open(runtime);
    runtime.block_on(async {
        let mut idle = Idle::start(house, FLEET).await;
        let took = idle
            .measure(|what| matches!(what, Happening::Completed { .. }))
            .await;
        let what = format!("from `POST /v1/tasks` to the result, with {FLEET} idle agents");
        row(&what, took, "");
        idle.end().await;
    });
}
