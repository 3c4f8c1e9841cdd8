//! What is told converges on the truth: subscribe, then list, then events.

use std::collections::BTreeMap;
use std::time::Duration;

use alveary_core::{
    AgentBackendExt, AgentEvent, AgentId, AgentInfo, AgentState, EventOptions, EventStream,
    ListOptions, RemoveOptions, StopOptions, Watch, WatchEvent, WatchOptions,
};
use futures_util::StreamExt;
use tokio::time::Instant;

use crate::behaviour::Behaviour;
use crate::swarm::Swarm;
use crate::trial::{Failure, Verdict, ensure, ensure_eq, trials};

trials!(Convergence:
    one_who_subscribed_before_a_spawn_sees_it,
    an_end_is_told_as_it_was,
    a_removal_is_told,
    another_swarms_events_are_not_told,
    the_state_of_one_start_never_goes_back,
    an_agent_is_told_alike_by_every_question,
    a_list_of_the_living_leaves_out_what_has_ended,
    one_who_waits_is_told_the_end,
    a_watch_converges_on_the_truth,
    a_watch_that_nobody_reads_for_a_while_converges,
);

async fn subscribe(swarm: &Swarm) -> Result<EventStream, Failure> {
    Ok(swarm.backend().events(EventOptions::default()).await?)
}

/// Reads on until `wanted` finds what it looks for.
async fn next_that<T>(
    swarm: &Swarm,
    events: &mut EventStream,
    what: &str,
    mut wanted: impl FnMut(AgentEvent) -> Option<T>,
) -> Result<T, Failure> {
    swarm.step(format!("wait for an event that tells {what}"));
    while let Some(event) = events.next().await {
        if let Some(found) = wanted(event?) {
            return Ok(found);
        }
    }
    Err(Failure::new(format!(
        "the events ended before one told {what}"
    )))
}

async fn one_who_subscribed_before_a_spawn_sees_it(swarm: Swarm) -> Verdict {
    let mut events = subscribe(&swarm).await?;
    let agent = swarm.spawn(&Behaviour::Sleep).await?;
    let seen = next_that(&swarm, &mut events, "of the spawn", |event| match event {
        AgentEvent::Changed(info) if info.id == agent.id => Some(info),
        _ => None,
    })
    .await?;
    ensure_eq!(seen.incarnation, agent.incarnation, "the start is told");
    ensure_eq!(seen.name, agent.name, "the name is told");
    ensure_eq!(seen.spec_hash, agent.spec_hash, "the spec is told");
    Ok(())
}

async fn an_end_is_told_as_it_was(swarm: Swarm) -> Verdict {
    let mut events = subscribe(&swarm).await?;
    for behaviour in [Behaviour::Exit(7), Behaviour::Sleep] {
        let agent = swarm.spawn(&behaviour).await?;
        if behaviour == Behaviour::Sleep {
            swarm.written(&agent.id, "ready\n").await?;
            swarm
                .backend()
                .stop(&agent.id, StopOptions::default())
                .await?;
        }
        let told = next_that(&swarm, &mut events, "of the end", |event| match event {
            AgentEvent::Changed(info) if info.id == agent.id => info.exit().cloned(),
            _ => None,
        })
        .await?;
        let known = swarm.ended(&agent.id).await?;
        ensure_eq!(told, known, "the event tells the end as an inspection does");
    }
    Ok(())
}

async fn a_removal_is_told(swarm: Swarm) -> Verdict {
    let mut events = subscribe(&swarm).await?;
    let agent = swarm.spawn(&Behaviour::Exit(0)).await?;
    swarm.ended(&agent.id).await?;
    swarm
        .backend()
        .remove(&agent.id, RemoveOptions::default())
        .await?;
    let incarnation = next_that(&swarm, &mut events, "of the removal", |event| match event {
        AgentEvent::Removed { id, incarnation } if id == agent.id => Some(incarnation),
        _ => None,
    })
    .await?;
    ensure_eq!(
        incarnation,
        agent.incarnation,
        "the start that is gone is told"
    );
    Ok(())
}

async fn another_swarms_events_are_not_told(swarm: Swarm) -> Verdict {
    let mut events = subscribe(&swarm).await?;
    let other = swarm.another_swarm().await?;
    let there = other.spawn(&Behaviour::Exit(0)).await;
    let ended = match &there {
        Ok(there) => other.ended(&there.id).await.map(|_| ()),
        Err(failure) => Err(failure.clone()),
    };
    other.take_away().await?;
    ended?;
    let there = there?;
    let here = swarm.spawn(&Behaviour::Sleep).await?;
    let stray = next_that(
        &swarm,
        &mut events,
        "of this swarm's agent",
        |event| match event {
            AgentEvent::Changed(info) if info.id == here.id => Some(None),
            AgentEvent::Changed(info) if info.id == there.id => Some(Some(info)),
            _ => None,
        },
    )
    .await?;
    ensure_eq!(stray, None, "another swarm's agent was told of");
    Ok(())
}

async fn the_state_of_one_start_never_goes_back(swarm: Swarm) -> Verdict {
    let mut events = subscribe(&swarm).await?;
    let agent = swarm.spawn(&Behaviour::Sleep).await?;
    swarm.written(&agent.id, "ready\n").await?;
    swarm
        .backend()
        .stop(&agent.id, StopOptions::default())
        .await?;
    swarm
        .backend()
        .remove(&agent.id, RemoveOptions::default())
        .await?;
    let mut states: Vec<AgentState> = Vec::new();
    next_that(&swarm, &mut events, "of the removal", |event| match event {
        AgentEvent::Changed(info) if info.id == agent.id => {
            states.push(info.state);
            None
        }
        AgentEvent::Removed { id, .. } if id == agent.id => Some(()),
        _ => None,
    })
    .await?;
    let progress: Vec<_> = states.iter().filter_map(AgentState::progress).collect();
    ensure!(progress.is_sorted(), "its states came as {states:?}");
    ensure!(
        states.last().is_none_or(AgentState::has_ended),
        "the last word before its removal was {:?}",
        states.last()
    );
    Ok(())
}

async fn an_agent_is_told_alike_by_every_question(swarm: Swarm) -> Verdict {
    let sleeper = swarm.spawn_ready(&Behaviour::Sleep).await?;
    let ended = swarm.spawn(&Behaviour::Exit(5)).await?;
    swarm.ended(&ended.id).await?;
    for id in [&sleeper.id, &ended.id] {
        let inspected = swarm.backend().inspect(id).await?;
        let listed = swarm.backend().list(ListOptions::default()).await?;
        let listed: Vec<_> = listed.into_iter().filter(|info| info.id == *id).collect();
        ensure_eq!(
            listed,
            [inspected],
            "the list tells what an inspection tells"
        );
    }
    Ok(())
}

async fn a_list_of_the_living_leaves_out_what_has_ended(swarm: Swarm) -> Verdict {
    let living = swarm.spawn_ready(&Behaviour::Sleep).await?;
    let ended = swarm.spawn(&Behaviour::Exit(0)).await?;
    swarm.ended(&ended.id).await?;
    let options = ListOptions::default().with_living_only(true);
    let ids = |list: Vec<AgentInfo>| list.into_iter().map(|info| info.id).collect::<Vec<_>>();
    let found = ids(swarm.backend().list(options).await?);
    ensure_eq!(found, [living.id], "one of the two lives");
    ensure_eq!(
        swarm.listed().await?.len(),
        2,
        "both are listed unless that is asked"
    );
    Ok(())
}

async fn one_who_waits_is_told_the_end(swarm: Swarm) -> Verdict {
    let agent = swarm.spawn_ready(&Behaviour::Sleep).await?;
    let (waited, stopped) = futures_util::future::join(
        swarm.backend().wait(&agent.id),
        swarm.backend().stop(&agent.id, StopOptions::default()),
    )
    .await;
    ensure_eq!(waited?, stopped?, "both are told one outcome");
    Ok(())
}

/// The states of a swarm, by what a watch has told so far.
type Picture = BTreeMap<AgentId, AgentState>;

fn draw(picture: &mut Picture, event: WatchEvent) {
    match event {
        WatchEvent::Snapshot(all) => *picture = picture_of(all),
        WatchEvent::Changed(info) => {
            picture.insert(info.id, info.state);
        }
        WatchEvent::Gone(id) => {
            picture.remove(&id);
        }
        _ => {}
    }
}

fn picture_of(list: Vec<AgentInfo>) -> Picture {
    list.into_iter().map(|info| (info.id, info.state)).collect()
}

fn watch_options() -> WatchOptions {
    WatchOptions::default().with_relist(Duration::from_secs(2))
}

/// Reads the watch until it shows what the list says; the trial's deadline bounds it.
async fn converge(swarm: &Swarm, watch: &mut Watch<'_>, picture: &mut Picture) -> Verdict {
    loop {
        let truth = picture_of(swarm.backend().list(ListOptions::default()).await?);
        if *picture == truth {
            return Ok(());
        }
        swarm.step(format!(
            "wait for a watch to converge from {picture:?} on {truth:?}"
        ));
        match watch.next().await {
            Some(event) => draw(picture, event),
            None => return Err(Failure::new("the watch ended")),
        }
    }
}

async fn a_watch_converges_on_the_truth(swarm: Swarm) -> Verdict {
    let mut watch = swarm.backend().watch(watch_options());
    let mut picture = Picture::new();
    for round in 0..3 {
        let staying = swarm.spawn_ready(&Behaviour::Sleep).await?;
        let leaving = swarm.spawn_ready(&Behaviour::Sleep).await?;
        swarm
            .backend()
            .stop(&leaving.id, StopOptions::default())
            .await?;
        converge(&swarm, &mut watch, &mut picture).await?;
        swarm
            .backend()
            .remove(&leaving.id, RemoveOptions::default())
            .await?;
        converge(&swarm, &mut watch, &mut picture).await?;
        swarm
            .backend()
            .stop(&staying.id, StopOptions::by_force())
            .await?;
        // The next start of an id that the watch has seen end.
        if round == 1 {
            swarm.spawn_as(&staying.id, &Behaviour::Sleep).await?;
        }
        converge(&swarm, &mut watch, &mut picture).await?;
    }
    ensure_eq!(picture.len(), 3, "one agent of each round is left");
    Ok(())
}

/// More than engines keep for a slow listener, or as much as a slow engine does meanwhile.
const UNREAD: usize = 500;
const UNREAD_FOR: Duration = Duration::from_millis(1500);

async fn a_watch_that_nobody_reads_for_a_while_converges(swarm: Swarm) -> Verdict {
    let mut watch = swarm.backend().watch(watch_options());
    let mut picture = Picture::new();
    converge(&swarm, &mut watch, &mut picture).await?;
    // Until it shows something, it may not have subscribed.
    let first = swarm.spawn(&Behaviour::Sleep).await?;
    converge(&swarm, &mut watch, &mut picture).await?;
    let begun = Instant::now();
    for _ in 0..UNREAD {
        let agent = swarm.spawn(&Behaviour::Exit(0)).await?;
        let options = RemoveOptions::default().with_force(true);
        swarm.backend().remove(&agent.id, options).await?;
        if begun.elapsed() > UNREAD_FOR {
            break;
        }
    }
    swarm
        .backend()
        .stop(&first.id, StopOptions::by_force())
        .await?;
    converge(&swarm, &mut watch, &mut picture).await
}
