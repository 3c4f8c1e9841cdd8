//! A swarm within one program: its agents are closures in the memory backend, and they talk with their coordinator over
//! channels. No process, no port, no token; and the same auctions, the same promises.
//!
//! ```sh
//! cargo run --example in_process
//! ```

#![expect(clippy::print_stdout, reason = "an example shows what it did")]

use std::convert::Infallible;
use std::sync::Arc;

use alveary::{
    AgentContext, AgentSpec, DownOptions, LogOptions, LogStreamKind, MemoryBackend, StopOptions,
    SwarmManager,
};
use alveary_agent::protocol::{Happening, NewTask};
use alveary_agent::{Agent, Pricing, Task};
use alveary_coordinator::{Channel, Coordinator, Database, Settings};
use futures_util::StreamExt as _;

/// What a bee can do is its argument, and what it asks for it its variable `AGENT_BID`.
async fn bee(
    context: AgentContext,
    coordinator: Coordinator,
) -> Result<(), Box<dyn std::error::Error>> {
    let price: Pricing = context.var("AGENT_BID").unwrap_or("10").parse()?;
    let agent = Agent::builder(context.name())
        .id(context.id().clone())
        .capability(context.args()[0].as_str(), {
            let context = context.clone();
            move |task: Task| {
                context.print(format!("{}\n", task.description));
                async move { Ok::<_, Infallible>(task.description.as_str().to_uppercase()) }
            }
        })
        .bid(price)
        .transport(Channel::new(coordinator, context.id().clone()))
        .build()?;
    // Whoever stops the agent lets it finish what it has begun.
    agent.run(context.stop_token()).await?;
    Ok(())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let coordinator = Coordinator::open(Settings::default(), Database::Memory).await?;
    let theirs = coordinator.clone();
    let backend = MemoryBackend::new().with_program("bee", move |context| {
        let coordinator = theirs.clone();
        async move { i32::from(bee(context, coordinator).await.is_err()) }
    });
    let swarm = SwarmManager::new(Arc::new(backend));
    for (name, able, price) in [
        ("cheap", "sing", "7"),
        ("dear", "sing", "90"),
        ("other", "dance", "1"),
    ] {
        let spec = AgentSpec::new(name, ["bee", able]).env("AGENT_BID", price);
        swarm.spawn(spec).await?;
    }
    // Whoever is not there yet misses an auction; these are there before the first opens.
    while coordinator.agents().await?.len() < 3 {
        tokio::task::yield_now().await;
    }

    let mut events = coordinator.events(None).await?;
    let task = NewTask::new("la la".parse()?).with_capabilities("sing".parse()?);
    let task = coordinator.add(vec![task], None).await?[0].id;
    while let Some(event) = events.next().await {
        if matches!(event?.what, Happening::Completed { .. }) {
            break;
        }
    }
    let done = coordinator.task(task).await?;
    let cheap = swarm.find("cheap").await?.ok_or("it is there")?;
    println!(
        "{} for {:?}",
        done.result.as_deref().unwrap_or_default(),
        done.winning_bid
    );
    assert_eq!(done.assigned_agent.as_ref(), Some(cheap.id()));
    assert_eq!(done.result.as_deref(), Some("LA LA"));

    // To the manager they are agents like any other: they have logs, and an exit.
    let exit = swarm.stop(cheap.id(), StopOptions::default()).await?;
    let log = swarm.logs(cheap.id(), LogOptions::default()).await?;
    assert_eq!(log.collect_bytes(LogStreamKind::Stdout).await?, b"la la\n");
    assert!(exit.is_success(), "{exit}");
    swarm.down(DownOptions::default()).await?;
    Ok(())
}
