//! Every call ends, and none waits for another that has nothing to do with it.

use std::future::Future;
use std::time::Duration;

use alveary_core::{
    AgentId, EventOptions, ListOptions, LogOptions, LogStreamKind, RemoveOptions, Result,
    SpawnOptions, StopOptions,
};
use futures_util::future::join_all;
use tokio::time::timeout;

use crate::behaviour::{Behaviour, TERM_LINE};
use crate::need::Need;
use crate::swarm::Swarm;
use crate::trial::{Failure, Verdict, ensure_eq, trials};

trials!(Bounds:
    every_call_ends,
    a_stop_that_waits_holds_up_no_other_call [Need::Agent(Behaviour::IgnoreTerm)],
    fifty_agents_start_and_end_at_once,
);

/// The call ends soon, well or not: long before the grace of the stop that is under way is over, and before the trial
/// is.
async fn ends<T>(
    swarm: &Swarm,
    what: &str,
    call: impl Future<Output = Result<T>>,
) -> Result<Result<T>, Failure> {
    let soon = swarm.harness().deadline() / 3;
    timeout(soon, call)
        .await
        .map_err(|_| Failure::new(format!("{what} did not end within {soon:?}")))
}

async fn every_question_ends(swarm: &Swarm, id: &AgentId) -> Verdict {
    let backend = swarm.backend();
    // What they answer is for other trials.
    let _ = ends(swarm, "check", backend.check()).await?;
    let _ = ends(swarm, "inspect", backend.inspect(id)).await?;
    let _ = ends(swarm, "list", backend.list(ListOptions::default())).await?;
    let _ = ends(swarm, "events", backend.events(EventOptions::default())).await?;
    let reading = async {
        let logs = backend.logs(id, LogOptions::default()).await?;
        logs.collect_bytes(LogStreamKind::Stdout).await
    };
    let _ = ends(swarm, "logs, read to their end,", reading).await?;
    Ok(())
}

async fn every_call_ends(swarm: Swarm) -> Verdict {
    let living = swarm.spawn_ready(&Behaviour::Sleep).await?.id;
    let ended = swarm.spawn(&Behaviour::Exit(0)).await?.id;
    swarm.ended(&ended).await?;
    for id in [living, ended, AgentId::random()] {
        every_question_ends(&swarm, &id).await?;
        let remove = swarm.backend().remove(&id, RemoveOptions::default());
        let _ = ends(&swarm, "remove", remove).await?;
        let stop = swarm.backend().stop(&id, StopOptions::by_force());
        let _ = ends(&swarm, "a stop by force", stop).await?;
        let spec = swarm.spec(&Behaviour::Exit(0))?;
        let spawn = swarm.backend().spawn(&id, &spec, SpawnOptions::default());
        let _ = ends(&swarm, "spawn", spawn).await?;
    }
    Ok(())
}

async fn a_stop_that_waits_holds_up_no_other_call(swarm: Swarm) -> Verdict {
    let slow = swarm.spawn_ready(&Behaviour::IgnoreTerm).await?.id;
    let patient = StopOptions::default().with_grace(Duration::from_hours(1));
    let stop = swarm.backend().stop(&slow, patient);
    let others = async {
        swarm.written(&slow, TERM_LINE).await?;
        every_question_ends(&swarm, &slow).await?;
        let other = swarm.spawn_ready(&Behaviour::Sleep).await?.id;
        every_question_ends(&swarm, &other).await?;
        let stop = swarm.backend().stop(&other, StopOptions::default());
        ends(&swarm, "a stop of another agent", stop).await??;
        let remove = swarm.backend().remove(&other, RemoveOptions::default());
        ends(&swarm, "a removal of another agent", remove).await??;
        let force = swarm.backend().stop(&slow, StopOptions::by_force());
        ends(&swarm, "a stop by force", force).await??;
        Ok::<(), Failure>(())
    };
    let (stopped, others) = futures_util::future::join(stop, others).await;
    others?;
    stopped?;
    Ok(())
}

async fn fifty_agents_start_and_end_at_once(swarm: Swarm) -> Verdict {
    let spawns = (0..50).map(|_| swarm.spawn(&Behaviour::Sleep));
    let mut ids = Vec::new();
    for spawned in join_all(spawns).await {
        ids.push(spawned?.id);
    }
    let mut listed = swarm.listed().await?;
    listed.sort();
    ids.sort();
    ensure_eq!(listed, ids, "all fifty are listed, each once");
    let stops = ids
        .iter()
        .map(|id| swarm.backend().stop(id, StopOptions::by_force()));
    for stopped in join_all(stops).await {
        stopped?;
    }
    let living = ListOptions::default().with_living_only(true);
    ensure_eq!(
        swarm.backend().list(living).await?,
        [],
        "all fifty have ended"
    );
    Ok(())
}
