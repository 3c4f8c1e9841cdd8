//! A coordinator that ends and is started again on the same file, while agents of other processes wait.

use std::time::Duration;

use alveary_agent::protocol::{AgentStatus, Happening, Timestamp};
use alveary_agent::{Pricing, Summary};
use rustix::process::Signal;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::bed::NEVER;
use super::hands::{Gate, shout};
use super::processes::House;

const AGENTS: [&str; 4] = ["one", "two", "three", "busy"];

pub(crate) async fn agents_that_wait_are_found_again_after_a_kill() {
    restarted_by(Signal::KILL).await;
}

pub(crate) async fn agents_that_wait_are_found_again_after_an_orderly_end() {
    restarted_by(Signal::TERM).await;
}

/// It is away for longer than an agent may be silent, and no agent is taken for lost; work under way goes on.
async fn restarted_by(signal: Signal) {
    let house = House::new(NEVER, Duration::from_secs(10));
    let served = house.serve(0, |_| {}).await;
    let port = served.address.port();
    let (cancel, gate) = (CancellationToken::new(), Gate::default());
    let mut running = Vec::new();
    for name in AGENTS {
        let agent = served.agent(name);
        let agent = match name {
            // So dear that it is given nothing else.
            "busy" => agent
                .capability("toil", gate.handler())
                .bid("100000".parse::<Pricing>().unwrap()),
            _ => agent.handler(shout),
        };
        let agent = agent.build().unwrap();
        running.push(tokio::spawn(agent.run(cancel.clone())));
        served.until_known(name).await;
    }
    let toil = served.give_asking("dig", &["toil"]).await;
    gate.until_at_work(1).await;

    served.process.end(signal).await;
    // No wait for anything: that it is away so long is what is tried.
    tokio::time::sleep(house.heartbeat * 3 / 2).await;
    let served = house.serve(port, |_| {}).await;
    let began = Timestamp::now();

    // Each is heard of by its own heart, after the time in which it would be taken for lost.
    let mark = began.as_millis() + i64::try_from(house.heartbeat.as_millis()).unwrap();
    let is_back = |agent: &Value| {
        let seen: Timestamp = agent["last_seen"].as_str().unwrap().parse().unwrap();
        seen.as_millis() > mark
    };
    let agents = served
        .until("/v1/agents", |known| {
            known["agents"].as_array().unwrap().iter().all(is_back)
        })
        .await;
    assert_eq!(agents["agents"].as_array().unwrap().len(), AGENTS.len());
    let next = served.give("sing").await;
    assert_eq!(served.until_is(next, "completed").await["result"], "SING");
    gate.open();
    let dug = served.until_is(toil, "completed").await;
    assert_eq!(
        (&dug["attempts"], &dug["result"]),
        (&1.into(), &"passed".into())
    );

    cancel.cancel();
    let mut total = 0;
    for agent in running {
        let Summary {
            completed,
            superseded,
            given_back,
            ..
        } = agent.await.unwrap().unwrap();
        assert_eq!((superseded, given_back), (0, 0));
        total += completed;
    }
    assert_eq!(total, 2);
    served.process.end(Signal::TERM).await;
    let story = house.story().await;
    let offline = |what: &&Happening| {
        matches!(
            what,
            Happening::AgentChanged {
                status: AgentStatus::Offline,
                ..
            }
        )
    };
    // Each once, when it takes its leave.
    assert_eq!(
        story.iter().filter(offline).count(),
        AGENTS.len(),
        "{story:#?}"
    );
    let lost = |what: &Happening| {
        matches!(
            what,
            Happening::Superseded { .. } | Happening::LateReport { .. }
        )
    };
    assert!(!story.iter().any(lost), "{story:#?}");
}
