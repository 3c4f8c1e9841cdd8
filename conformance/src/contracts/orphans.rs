//! Nothing is orphaned: whatever becomes of a manager, the next one finds every agent, and no other's.

use std::collections::BTreeSet;

use alveary_core::{
    AgentId, AgentInfo, AgentState, EndedBy, ExitStatus, ListOptions, LogOptions, LogStreamKind,
    SpawnOptions, StopOptions, SwarmUid,
};
use tokio::time::Instant;

use super::identity::ensure_same;
use crate::behaviour::Behaviour;
use crate::harness::StrangerKind;
use crate::manager::{EXIT_LATER, Manager, Order};
use crate::need::Need;
use crate::swarm::Swarm;
use crate::trial::{Failure, Verdict, ensure, ensure_eq, trials};

trials!(Orphans:
    a_new_manager_finds_every_agent [Need::SecondManager],
    a_new_manager_stops_what_an_earlier_one_started [Need::SecondManager],
    a_new_manager_knows_how_an_agent_ended [Need::SecondManager],
    a_new_manager_reads_what_was_written_before_it [Need::SecondManager],
    a_spawn_that_a_new_manager_repeats_finds_the_agent [Need::SecondManager],
    a_manager_that_goes_takes_no_agent_with_it [Need::SecondManager],
    agents_that_start_while_their_manager_is_killed_are_all_found [Need::Crash, Need::Witness],
    an_end_that_no_manager_saw_is_known
        [Need::Crash, Need::LastingExits, Need::Witness, Need::Agent(EXIT_LATER)],
    what_was_written_before_a_manager_was_killed_is_read [Need::Crash, Need::LastingLogs],
    a_stranger_that_looks_alike_is_neither_listed_nor_harmed [Need::Stranger(StrangerKind::LooksAlike)],
);

fn by_id(mut infos: Vec<AgentInfo>) -> Vec<AgentInfo> {
    infos.sort_by(|a, b| a.id.cmp(&b.id));
    infos
}

async fn a_new_manager_finds_every_agent(swarm: Swarm) -> Verdict {
    for _ in 0..5 {
        swarm.spawn_ready(&Behaviour::Sleep).await?;
    }
    let ended = swarm.spawn(&Behaviour::Exit(3)).await?;
    swarm.ended(&ended.id).await?;
    let known = by_id(swarm.backend().list(ListOptions::default()).await?);
    let second = swarm.new_manager().await?;
    let found = by_id(second.list(ListOptions::default()).await?);
    ensure_eq!(found.len(), 6, "all are found");
    for (found, known) in found.iter().zip(&known) {
        let told = |info: &AgentInfo| {
            let AgentInfo {
                id,
                incarnation,
                name,
                state,
                capabilities,
                spec_hash,
                ..
            } = info.clone();
            (id, incarnation, name, state, capabilities, spec_hash)
        };
        ensure_eq!(
            told(found),
            told(known),
            "the new manager knows what the first knew"
        );
    }
    Ok(())
}

async fn a_new_manager_stops_what_an_earlier_one_started(swarm: Swarm) -> Verdict {
    let agent = swarm.spawn_ready(&Behaviour::Sleep).await?;
    let second = swarm.new_manager().await?;
    let exit = second.stop(&agent.id, StopOptions::default()).await?;
    ensure_eq!(exit.by, EndedBy::Us, "it was asked and ended");
    ensure_eq!(
        swarm.ended(&agent.id).await?,
        exit,
        "the first manager is told the same"
    );
    ensure_eq!(swarm.living_of(&agent.id).await, [], "it has ended");
    Ok(())
}

async fn a_new_manager_knows_how_an_agent_ended(swarm: Swarm) -> Verdict {
    let agent = swarm.spawn(&Behaviour::Exit(7)).await?;
    let known = swarm.ended(&agent.id).await?;
    let second = swarm.new_manager().await?;
    let found = swarm.ended_as_seen_by(&*second, &agent.id).await?;
    ensure_eq!(found, known, "the end is told as it was");
    ensure_eq!(found.status, ExitStatus::Code(7), "the code is its own");
    Ok(())
}

async fn a_new_manager_reads_what_was_written_before_it(swarm: Swarm) -> Verdict {
    let agent = swarm.spawn(&Behaviour::print("before")).await?;
    swarm.ended(&agent.id).await?;
    let second = swarm.new_manager().await?;
    let logs = second.logs(&agent.id, LogOptions::default()).await?;
    ensure_eq!(
        logs.collect_bytes(LogStreamKind::Stdout).await?,
        b"before",
        "the log outlives its manager"
    );
    Ok(())
}

async fn a_spawn_that_a_new_manager_repeats_finds_the_agent(swarm: Swarm) -> Verdict {
    let (id, spec) = (AgentId::random(), swarm.spec(&Behaviour::Sleep)?);
    let options = SpawnOptions::default();
    let first = swarm.backend().spawn(&id, &spec, options.clone()).await?;
    swarm.written(&id, "ready\n").await?;
    let second = swarm.new_manager().await?;
    let found = second.spawn(&id, &spec, options.clone()).await?;
    ensure_same(&found, &first)?;
    swarm.lists_only(&id).await?;
    second.stop(&id, StopOptions::default()).await?;
    ensure_eq!(swarm.stdout(&id).await?, b"ready\n", "it was started once");
    Ok(())
}

async fn a_manager_that_goes_takes_no_agent_with_it(swarm: Swarm) -> Verdict {
    let first = swarm.new_manager().await?;
    let id = AgentId::random();
    let spec = swarm.spec(&Behaviour::Sleep)?;
    let spawned = first.spawn(&id, &spec, SpawnOptions::default()).await?;
    swarm.written(&id, "ready\n").await?;
    drop(first);
    let second = swarm.new_manager().await?;
    let found = second.inspect(&id).await?;
    ensure_eq!(
        found.incarnation,
        spawned.incarnation,
        "it is the same start"
    );
    ensure_eq!(found.state, AgentState::Running, "it runs");
    Ok(())
}

/// How many agents start at once, and how often their manager is killed; `CONFORMANCE_ROUNDS` says otherwise.
const AT_ONCE: usize = 20;
const ROUNDS: u32 = 3;

fn rounds() -> u32 {
    std::env::var("CONFORMANCE_ROUNDS")
        .ok()
        .and_then(|rounds| rounds.parse().ok())
        .unwrap_or(ROUNDS)
}

async fn agents_that_start_while_their_manager_is_killed_are_all_found(swarm: Swarm) -> Verdict {
    // The first round is seen to its end, so that the others can be cut short anywhere in it.
    let begun = Instant::now();
    let uid = SwarmUid::random();
    let mut manager = twenty_sleepers(&swarm, uid)?;
    manager.has_spawned_all().await?;
    let whole = begun.elapsed();
    manager.kill().await?;
    let found = all_are_found_and_end(&swarm, uid).await?;
    ensure_eq!(
        found,
        AT_ONCE,
        "all that were spawned outlive their manager"
    );
    for _ in 1..rounds() {
        let uid = SwarmUid::random();
        let manager = twenty_sleepers(&swarm, uid)?;
        // Not a wait for something: the moment of the kill is the experiment.
        tokio::time::sleep(whole.mul_f64(fastrand::f64())).await;
        manager.kill().await?;
        all_are_found_and_end(&swarm, uid).await?;
    }
    Ok(())
}

fn twenty_sleepers(swarm: &Swarm, uid: SwarmUid) -> Result<Manager, Failure> {
    let order = Order::new(swarm.harness().name(), uid, AT_ONCE, "sleep");
    order.start(swarm.manager_program()?)
}

/// The first manager after the killed one: whatever that left is this one's to find.
async fn all_are_found_and_end(swarm: &Swarm, uid: SwarmUid) -> Result<usize, Failure> {
    let next = Swarm::of(swarm.probe(), uid).await?;
    let found = list_is_what_runs(&next).await;
    // Ends all that is listed, and sees that nothing is left.
    next.take_away().await.and(found)
}

/// Waits until the list is what really runs, and says how many that are.
async fn list_is_what_runs(swarm: &Swarm) -> Result<usize, Failure> {
    let agree = || async {
        let mut listed = BTreeSet::new();
        for info in swarm.backend().list(ListOptions::default()).await? {
            if info.state == AgentState::Running && !listed.insert(info.id.clone()) {
                return Err(Failure::new(format!("agent {} is listed twice", info.id)));
            }
        }
        let living = swarm.living().await.unwrap_or_default();
        let living: BTreeSet<_> = living.into_iter().map(|process| process.id).collect();
        Ok((listed == living).then_some(living.len()))
    };
    swarm.until("the list to be what really runs", agree).await
}

/// A swarm whose only manager was killed as soon as its agents had been spawned.
async fn without_a_manager(swarm: &Swarm, behaviour: &'static str) -> Result<SwarmUid, Failure> {
    let uid = SwarmUid::random();
    let order = Order::new(swarm.harness().name(), uid, 1, behaviour);
    let mut manager = order.start(swarm.manager_program()?)?;
    manager.has_spawned_all().await?;
    manager.kill().await?;
    Ok(uid)
}

async fn an_end_that_no_manager_saw_is_known(swarm: Swarm) -> Verdict {
    let uid = without_a_manager(&swarm, "exit-later").await?;
    let none = || async {
        let living = match swarm.harness().witness() {
            Some(witness) => witness.living(&uid).await,
            None => Vec::new(),
        };
        Ok(living.is_empty().then_some(()))
    };
    swarm
        .until("the end of an agent without a manager", none)
        .await?;
    let other = Swarm::of(swarm.probe(), uid).await?;
    let found = knows_the_end(&other).await;
    found.and(other.take_away().await)
}

async fn knows_the_end(swarm: &Swarm) -> Verdict {
    let listed = swarm.listed().await?;
    ensure_eq!(listed.len(), 1, "the agent is listed");
    let exit = swarm.ended(&listed[0]).await?;
    ensure_eq!(exit.status, ExitStatus::Code(7), "the code is its own");
    ensure_eq!(exit.by, EndedBy::Itself, "nobody asked it to end");
    Ok(())
}

async fn what_was_written_before_a_manager_was_killed_is_read(swarm: Swarm) -> Verdict {
    let uid = without_a_manager(&swarm, "sleep").await?;
    let other = Swarm::of(swarm.probe(), uid).await?;
    let found = match other.listed().await {
        Ok(listed) if listed.len() == 1 => other.written(&listed[0], "ready\n").await,
        Ok(listed) => Err(Failure::new(format!(
            "one agent should be listed: {listed:?}"
        ))),
        Err(failure) => Err(failure),
    };
    found.and(other.take_away().await)
}

async fn a_stranger_that_looks_alike_is_neither_listed_nor_harmed(swarm: Swarm) -> Verdict {
    let agent = swarm.spawn_ready(&Behaviour::Sleep).await?;
    let stranger = swarm
        .stranger(StrangerKind::LooksAlike, &AgentId::random())
        .await?;
    let listed = swarm.listed().await;
    let stopped = swarm
        .backend()
        .stop(&agent.id, StopOptions::by_force())
        .await;
    let removed = swarm.take_away().await;
    let lives = stranger.lives().await;
    stranger.end().await;
    ensure_eq!(listed?, [agent.id], "the stranger is not listed");
    stopped?;
    removed?;
    ensure!(lives, "the stranger was harmed");
    Ok(())
}
