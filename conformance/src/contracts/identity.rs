//! An agent is (swarm, id); each start of it is an incarnation; the same start twice is one agent.

use alveary_core::{
    AgentId, AgentInfo, AgentState, ErrorKind, ListOptions, LogOptions, Operation, RemoveOptions,
    SpawnOptions, StopOptions,
};
use futures_util::future::join_all;

use crate::behaviour::Behaviour;
use crate::harness::StrangerKind;
use crate::need::Need;
use crate::swarm::{Swarm, not_found, refused};
use crate::trial::{Failure, Verdict, ensure, ensure_eq, trials};

trials!(Identity:
    a_spawned_agent_is_told_as_its_spec_says,
    a_second_spawn_of_an_id_returns_the_living_agent,
    a_second_spawn_of_an_ended_agent_returns_the_ended_one,
    twenty_concurrent_spawns_of_one_start_make_one_agent,
    another_start_of_a_living_agent_already_exists,
    another_spec_under_a_living_start_already_exists,
    the_next_start_is_legal_once_the_last_has_ended,
    a_removed_id_is_free_again,
    ids_with_a_common_beginning_are_told_apart,
    ids_that_differ_in_case_or_punctuation_alone_are_told_apart,
    an_id_of_the_full_length_is_taken,
    two_agents_may_have_one_name,
    two_swarms_do_not_see_each_others_agents,
    an_unknown_id_is_not_found,
    every_manager_of_an_engine_is_of_one_kind,
    a_stranger_that_holds_the_name_is_a_conflict [Need::Stranger(StrangerKind::HoldsTheName)],
);

async fn a_spawned_agent_is_told_as_its_spec_says(swarm: Swarm) -> Verdict {
    let id = AgentId::random();
    let spec = swarm
        .spec(&Behaviour::Sleep)?
        .capability("summarise")
        .capability("translate");
    let options = SpawnOptions::default();
    let spawned = swarm.backend().spawn(&id, &spec, options.clone()).await?;
    let inspected = swarm.backend().inspect(&id).await?;
    let listed = swarm.backend().list(ListOptions::default()).await?;
    ensure_eq!(listed.len(), 1, "the list has one agent");
    for info in [&spawned, &inspected, &listed[0]] {
        ensure_eq!(info.id, id, "the id is the caller's");
        ensure_eq!(
            info.incarnation,
            options.incarnation,
            "the incarnation is the caller's"
        );
        ensure_eq!(info.name, spec.name, "the name is the spec's");
        ensure_eq!(
            info.capabilities,
            spec.capabilities,
            "the capabilities are the spec's"
        );
        ensure_eq!(info.spec_hash, spec.hash(), "the hash is the spec's");
        ensure!(!info.state.has_ended(), "it lives, and is told as {info:?}");
    }
    Ok(())
}

/// Two reports of one and the same start.
pub(super) fn ensure_same(found: &AgentInfo, first: &AgentInfo) -> Verdict {
    ensure_eq!(found.id, first.id, "it is the same agent");
    ensure_eq!(found.incarnation, first.incarnation, "it is the same start");
    if let (Some(found), Some(first)) = (&found.handle, &first.handle) {
        ensure_eq!(found, first, "it is the same process or container");
    }
    Ok(())
}

async fn a_second_spawn_of_an_id_returns_the_living_agent(swarm: Swarm) -> Verdict {
    let id = AgentId::random();
    let spec = swarm.spec(&Behaviour::Sleep)?;
    let options = SpawnOptions::default();
    let first = swarm.backend().spawn(&id, &spec, options.clone()).await?;
    swarm.written(&id, "ready\n").await?;
    let second = swarm.backend().spawn(&id, &spec, options).await?;
    ensure_same(&second, &first)?;
    ensure!(!second.state.has_ended(), "it lives: {second:?}");
    swarm.lists_only(&id).await?;
    let exit = swarm.backend().stop(&id, StopOptions::default()).await?;
    ensure_eq!(
        swarm.stdout(&id).await?,
        b"ready\n",
        "it was started once, and ended as {exit}"
    );
    Ok(())
}

async fn a_second_spawn_of_an_ended_agent_returns_the_ended_one(swarm: Swarm) -> Verdict {
    let id = AgentId::random();
    let spec = swarm.spec(&Behaviour::Exit(3))?;
    let options = SpawnOptions::default();
    swarm.backend().spawn(&id, &spec, options.clone()).await?;
    let exit = swarm.ended(&id).await?;
    let again = swarm.backend().spawn(&id, &spec, options).await?;
    ensure_eq!(
        again.state,
        AgentState::Exited(exit),
        "a retried spawn tells how the agent ended"
    );
    Ok(())
}

async fn twenty_concurrent_spawns_of_one_start_make_one_agent(swarm: Swarm) -> Verdict {
    let id = AgentId::random();
    let spec = swarm.spec(&Behaviour::Sleep)?;
    let options = SpawnOptions::default();
    let spawns = (0..20).map(|_| swarm.backend().spawn(&id, &spec, options.clone()));
    let mut infos = Vec::new();
    for spawned in join_all(spawns).await {
        infos.push(spawned?);
    }
    for info in &infos[1..] {
        ensure_eq!(
            info.incarnation,
            infos[0].incarnation,
            "every caller is told of one start"
        );
    }
    swarm.lists_only(&id).await?;
    swarm.written(&id, "ready\n").await?;
    swarm.backend().stop(&id, StopOptions::default()).await?;
    ensure_eq!(swarm.stdout(&id).await?, b"ready\n", "it was started once");
    ensure_eq!(swarm.living_of(&id).await, [], "no double is left");
    Ok(())
}

async fn another_start_of_a_living_agent_already_exists(swarm: Swarm) -> Verdict {
    let first = swarm.spawn_ready(&Behaviour::Sleep).await?;
    let spec = swarm.spec(&Behaviour::Sleep)?;
    let other = swarm
        .backend()
        .spawn(&first.id, &spec, SpawnOptions::default())
        .await;
    refused(
        other,
        ErrorKind::AlreadyExists,
        "another start of a living agent",
    )?;
    ensure_same(&swarm.backend().inspect(&first.id).await?, &first)
}

async fn another_spec_under_a_living_start_already_exists(swarm: Swarm) -> Verdict {
    let first = swarm.spawn_ready(&Behaviour::Sleep).await?;
    let other = swarm
        .backend()
        .spawn(
            &first.id,
            &swarm.spec(&Behaviour::IgnoreTerm)?,
            SpawnOptions::default().with_incarnation(first.incarnation),
        )
        .await;
    refused(
        other,
        ErrorKind::AlreadyExists,
        "another spec under a living start",
    )?;
    ensure_same(&swarm.backend().inspect(&first.id).await?, &first)
}

async fn the_next_start_is_legal_once_the_last_has_ended(swarm: Swarm) -> Verdict {
    let first = swarm.spawn(&Behaviour::Exit(3)).await?;
    swarm.ended(&first.id).await?;
    let second = swarm.spawn_as(&first.id, &Behaviour::Sleep).await?;
    ensure!(
        second.incarnation != first.incarnation,
        "the next start is told as the last"
    );
    let seen = swarm.backend().inspect(&first.id).await?;
    ensure_same(&seen, &second)?;
    ensure!(!seen.state.has_ended(), "the next start lives: {seen:?}");
    swarm.lists_only(&first.id).await?;
    Ok(())
}

async fn a_removed_id_is_free_again(swarm: Swarm) -> Verdict {
    let first = swarm.spawn(&Behaviour::print("first")).await?;
    swarm.ended(&first.id).await?;
    swarm
        .backend()
        .remove(&first.id, RemoveOptions::default())
        .await?;
    ensure_eq!(swarm.listed().await?, [], "it is gone");
    swarm
        .spawn_as(&first.id, &Behaviour::print("second"))
        .await?;
    swarm.ended(&first.id).await?;
    ensure_eq!(
        swarm.stdout(&first.id).await?,
        b"second",
        "nothing is left of the first agent of this id"
    );
    Ok(())
}

/// Agents of all these ids live side by side, and the end of one is not that of another.
async fn are_told_apart(swarm: &Swarm, ids: &[String]) -> Verdict {
    for id in ids {
        let id = AgentId::new(id).map_err(|why| Failure::new(format!("{id}: {why}")))?;
        swarm.spawn_as(&id, &Behaviour::Sleep).await?;
    }
    let mut listed = swarm.listed().await?;
    listed.sort();
    let mut expected: Vec<_> = ids.iter().map(String::as_str).collect();
    expected.sort_unstable();
    let listed: Vec<_> = listed.iter().map(AgentId::as_str).collect();
    ensure_eq!(listed, expected, "all are listed, each once");
    let first = AgentId::new(&ids[0]).map_err(|why| Failure::new(why.to_string()))?;
    swarm
        .backend()
        .stop(&first, StopOptions::by_force())
        .await?;
    for info in swarm.backend().list(ListOptions::default()).await? {
        ensure_eq!(
            info.state.has_ended(),
            info.id == first,
            "agent {first} was stopped, and agent {} is {}",
            info.id,
            info.state
        );
    }
    Ok(())
}

async fn ids_with_a_common_beginning_are_told_apart(swarm: Swarm) -> Verdict {
    let common = "0b9f0a3e-65d4-4d1e-9d0b-0000";
    let mut ids: Vec<String> = [8, 12, 16]
        .into_iter()
        .map(|length| common[..length].to_owned())
        .collect();
    ids.extend(["00000000", "00000001"].map(|end| format!("{common}{end}")));
    // Two that are alike in all but the last of their 64 characters.
    ids.extend(["1", "2"].map(|end| format!("0b9f0a3e{}{end}", "x".repeat(55))));
    are_told_apart(&swarm, &ids).await
}

async fn ids_that_differ_in_case_or_punctuation_alone_are_told_apart(swarm: Swarm) -> Verdict {
    let ids = ["echo", "Echo", "a.b", "a-b", "a_b", "a--b", "a-", "a"].map(ToOwned::to_owned);
    are_told_apart(&swarm, &ids).await
}

async fn an_id_of_the_full_length_is_taken(swarm: Swarm) -> Verdict {
    let id = AgentId::new("a".repeat(64)).map_err(|why| Failure::new(why.to_string()))?;
    swarm.spawn_as(&id, &Behaviour::print("here")).await?;
    swarm.ended(&id).await?;
    ensure_eq!(swarm.stdout(&id).await?, b"here", "it ran");
    Ok(())
}

async fn two_agents_may_have_one_name(swarm: Swarm) -> Verdict {
    let first = swarm.spawn(&Behaviour::Sleep).await?;
    let second = swarm.spawn(&Behaviour::Sleep).await?;
    ensure_eq!(
        first.name,
        second.name,
        "names are the manager's to keep unique"
    );
    ensure_eq!(swarm.listed().await?.len(), 2, "both are there");
    Ok(())
}

async fn two_swarms_do_not_see_each_others_agents(swarm: Swarm) -> Verdict {
    let other = swarm.another_swarm().await?;
    let found = apart(&swarm, &other).await;
    found.and(other.take_away().await)
}

async fn apart(swarm: &Swarm, other: &Swarm) -> Verdict {
    let here = swarm.spawn(&Behaviour::Sleep).await?;
    let there = other.spawn(&Behaviour::Sleep).await?;
    // The very same id, in both.
    other.spawn_as(&here.id, &Behaviour::Sleep).await?;
    swarm.lists_only(&here.id).await?;
    not_found(
        swarm.backend().inspect(&there.id).await,
        Operation::Inspect,
        &there.id,
    )?;
    not_found(
        swarm
            .backend()
            .stop(&there.id, StopOptions::by_force())
            .await,
        Operation::Stop,
        &there.id,
    )?;
    swarm
        .backend()
        .stop(&here.id, StopOptions::by_force())
        .await?;
    for info in other.backend().list(ListOptions::default()).await? {
        ensure!(
            !info.state.has_ended(),
            "the other swarm's agent {} ended with this swarm's",
            info.id
        );
    }
    Ok(())
}

async fn an_unknown_id_is_not_found(swarm: Swarm) -> Verdict {
    let backend = swarm.backend();
    let id = AgentId::random();
    // A neighbour whose id begins like the unknown one must not be taken for it.
    let neighbour = AgentId::new(format!("{id}-2")).map_err(|why| Failure::new(why.to_string()))?;
    swarm.spawn_as(&neighbour, &Behaviour::Sleep).await?;
    not_found(backend.inspect(&id).await, Operation::Inspect, &id)?;
    let stop = backend.stop(&id, StopOptions::default()).await;
    not_found(stop, Operation::Stop, &id)?;
    for force in [false, true] {
        let options = RemoveOptions::default().with_force(force);
        not_found(backend.remove(&id, options).await, Operation::Remove, &id)?;
    }
    let logs = backend.logs(&id, LogOptions::default()).await;
    not_found(logs, Operation::Logs, &id)?;
    if let Some(signals) = backend.signals() {
        let signal = signals.signal(&id, alveary_core::Signal::USR1, None).await;
        not_found(signal, Operation::Signal, &id)?;
    }
    swarm.lists_only(&neighbour).await?;
    Ok(())
}

async fn every_manager_of_an_engine_is_of_one_kind(swarm: Swarm) -> Verdict {
    let other = swarm.another_swarm().await?;
    let kinds = [swarm.backend().kind(), other.backend().kind()];
    other.take_away().await?;
    ensure_eq!(kinds[0], kinds[1], "the kind names the engine");
    ensure!(
        !swarm.backend().to_string().trim().is_empty(),
        "its `Display` says nothing"
    );
    Ok(())
}

async fn a_stranger_that_holds_the_name_is_a_conflict(swarm: Swarm) -> Verdict {
    let id = AgentId::random();
    let stranger = swarm.stranger(StrangerKind::HoldsTheName, &id).await?;
    let spec = swarm.spec(&Behaviour::Sleep)?;
    let spawned = swarm
        .backend()
        .spawn(&id, &spec, SpawnOptions::default())
        .await;
    let lives = stranger.lives().await;
    stranger.end().await;
    refused(spawned, ErrorKind::Conflict, "a name that a stranger holds")?;
    ensure!(lives, "the stranger was harmed");
    Ok(())
}
