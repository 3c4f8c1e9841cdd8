//! A dropped call leaves nothing that is not listed, and nothing that cannot be ended.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;

use alveary_core::{
    AgentId, ErrorKind, EventOptions, ListOptions, LogOptions, RemoveOptions, SpawnOptions,
    StopOptions,
};

use crate::behaviour::Behaviour;
use crate::swarm::Swarm;
use crate::trial::{Failure, Verdict, ensure, ensure_eq, trials};

trials!(Cancellation:
    a_dropped_spawn_is_listed_or_never_was,
    a_dropped_spawn_is_finished_by_its_repetition,
    a_dropped_stop_is_finished_by_its_repetition,
    a_dropped_removal_has_happened_or_not,
    a_dropped_question_harms_nobody,
);

/// At how many places a call is dropped at the most.
const PLACES: usize = 40;

/// Polls a call so many times, each when it has been woken, and drops it then; what it gave, if it came to
/// an end before.
async fn dropped_after<F: Future>(polls: usize, call: F) -> Option<F::Output> {
    let mut call = pin!(call);
    let mut left = polls;
    poll_fn(|cx| {
        if left == 0 {
            return Poll::Ready(None);
        }
        left -= 1;
        match call.as_mut().poll(cx) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            Poll::Pending if left == 0 => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}

/// Drops a call at every place at which it can be dropped, a place in each round.
async fn at_every_place<F>(round: impl Fn(usize) -> F) -> Verdict
where
    F: Future<Output = Result<bool, Failure>>,
{
    for polls in 0..PLACES {
        if round(polls).await? {
            return Ok(());
        }
    }
    Ok(())
}

async fn a_dropped_spawn_is_listed_or_never_was(swarm: Swarm) -> Verdict {
    at_every_place(|polls| {
        let swarm = swarm.clone();
        async move {
            let (id, spec) = (AgentId::random(), swarm.spec(&Behaviour::Sleep)?);
            let spawn = swarm.backend().spawn(&id, &spec, SpawnOptions::default());
            let ended = dropped_after(polls, spawn).await.transpose()?.is_some();
            is_listed_if_it_lives(&swarm, &id).await?;
            Ok(ended)
        }
    })
    .await?;
    // Those that came to be after we looked are listed too, and can be ended.
    swarm.take_away().await
}

async fn is_listed_if_it_lives(swarm: &Swarm, id: &AgentId) -> Verdict {
    swarm
        .until(format!("agent {id} to be listed if it lives"), || async {
            let lives = !swarm.living_of(id).await.is_empty();
            let listed = swarm.listed().await?.contains(id);
            Ok((listed || !lives).then_some(()))
        })
        .await
}

async fn a_dropped_spawn_is_finished_by_its_repetition(swarm: Swarm) -> Verdict {
    at_every_place(|polls| {
        let swarm = swarm.clone();
        async move {
            let (id, spec) = (AgentId::random(), swarm.spec(&Behaviour::Sleep)?);
            let options = SpawnOptions::default();
            let spawn = || swarm.backend().spawn(&id, &spec, options.clone());
            let ended = dropped_after(polls, spawn()).await.transpose()?.is_some();
            let info = spawn().await?;
            ensure_eq!(
                info.incarnation,
                options.incarnation,
                "it is the same start"
            );
            swarm.written(&id, "ready\n").await?;
            swarm.lists_only(&id).await?;
            swarm.backend().stop(&id, StopOptions::default()).await?;
            ensure_eq!(swarm.stdout(&id).await?, b"ready\n", "it was started once");
            ensure_eq!(swarm.living_of(&id).await, [], "no double is left");
            swarm
                .backend()
                .remove(&id, RemoveOptions::default())
                .await?;
            Ok(ended)
        }
    })
    .await
}

async fn a_dropped_stop_is_finished_by_its_repetition(swarm: Swarm) -> Verdict {
    at_every_place(|polls| {
        let swarm = swarm.clone();
        async move {
            let id = swarm.spawn_ready(&Behaviour::Sleep).await?.id;
            let stop = || swarm.backend().stop(&id, StopOptions::default());
            let ended = dropped_after(polls, stop()).await.transpose()?.is_some();
            let exit = stop().await?;
            ensure_eq!(swarm.ended(&id).await?, exit, "one outcome");
            ensure_eq!(swarm.living_of(&id).await, [], "it has ended");
            Ok(ended)
        }
    })
    .await
}

async fn a_dropped_removal_has_happened_or_not(swarm: Swarm) -> Verdict {
    at_every_place(|polls| {
        let swarm = swarm.clone();
        async move {
            let id = swarm.spawn(&Behaviour::Exit(0)).await?.id;
            swarm.ended(&id).await?;
            let remove = || swarm.backend().remove(&id, RemoveOptions::default());
            let ended = dropped_after(polls, remove()).await.transpose()?.is_some();
            match remove().await {
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(error.into()),
                _ => {}
            }
            ensure!(!swarm.listed().await?.contains(&id), "it is gone");
            Ok(ended)
        }
    })
    .await
}

async fn a_dropped_question_harms_nobody(swarm: Swarm) -> Verdict {
    let id = swarm.spawn_ready(&Behaviour::Sleep).await?.id;
    let backend = swarm.backend();
    for polls in 0..5 {
        dropped_after(polls, backend.check()).await.transpose()?;
        dropped_after(polls, backend.inspect(&id))
            .await
            .transpose()?;
        let list = backend.list(ListOptions::default());
        dropped_after(polls, list).await.transpose()?;
        let events = backend.events(EventOptions::default());
        dropped_after(polls, events).await.transpose()?;
        let logs = backend.logs(&id, LogOptions::default().with_follow(true));
        dropped_after(polls, logs).await.transpose()?;
    }
    let info = backend.inspect(&id).await?;
    ensure!(!info.state.has_ended(), "it lives: {info:?}");
    ensure_eq!(swarm.stdout(&id).await?, b"ready\n", "its log is as it was");
    Ok(())
}
