//! A lost reply is no answer: the same call again says what became of it.
//!
//! What a backend does when its *engine's* reply is lost is for that backend's own tests; here it is the
//! backend's reply that is lost on the way to its caller.

use std::sync::Arc;

use alveary_core::{
    AgentBackend, AgentId, ErrorKind, Operation, RemoveOptions, Retry, SpawnOptions, StopOptions,
};

use crate::behaviour::Behaviour;
use crate::chaos::Chaos;
use crate::swarm::{Swarm, not_found, refused};
use crate::trial::{Verdict, ensure_eq, trials};

trials!(LostReplies:
    a_spawn_whose_reply_was_lost_is_listed,
    a_spawn_whose_reply_was_lost_is_repeated_without_a_double,
    a_stop_whose_reply_was_lost_tells_its_outcome_again,
    a_removal_whose_reply_was_lost_is_seen_to_have_happened,
);

fn losing_one_reply(swarm: &Swarm) -> Chaos {
    let chaos = Chaos::new(Arc::clone(swarm.backend()));
    chaos.lose_next_replies(1);
    chaos
}

async fn a_spawn_whose_reply_was_lost_is_listed(swarm: Swarm) -> Verdict {
    let (id, spec) = (AgentId::random(), swarm.spec(&Behaviour::Sleep)?);
    let spawned = losing_one_reply(&swarm)
        .spawn(&id, &spec, SpawnOptions::default())
        .await;
    refused(spawned, ErrorKind::Indeterminate, "a lost reply")?;
    swarm.lists_only(&id).await?;
    Ok(())
}

async fn a_spawn_whose_reply_was_lost_is_repeated_without_a_double(swarm: Swarm) -> Verdict {
    let (id, spec) = (AgentId::random(), swarm.spec(&Behaviour::Sleep)?);
    let options = SpawnOptions::default();
    let chaos = losing_one_reply(&swarm);
    let lost = chaos.spawn(&id, &spec, options.clone()).await;
    let lost = refused(lost, ErrorKind::Indeterminate, "a lost reply")?;
    ensure_eq!(lost.retry(), Retry::SameId, "it may be made again");
    let info = chaos.spawn(&id, &spec, options.clone()).await?;
    ensure_eq!(
        info.incarnation,
        options.incarnation,
        "it is the same start"
    );
    swarm.lists_only(&id).await?;
    swarm.written(&id, "ready\n").await?;
    chaos.stop(&id, StopOptions::default()).await?;
    ensure_eq!(swarm.stdout(&id).await?, b"ready\n", "it was started once");
    ensure_eq!(swarm.living_of(&id).await, [], "no double is left");
    Ok(())
}

async fn a_stop_whose_reply_was_lost_tells_its_outcome_again(swarm: Swarm) -> Verdict {
    let agent = swarm.spawn_ready(&Behaviour::Sleep).await?;
    let chaos = losing_one_reply(&swarm);
    let lost = chaos.stop(&agent.id, StopOptions::default()).await;
    refused(lost, ErrorKind::Indeterminate, "a lost reply")?;
    let known = swarm.ended(&agent.id).await?;
    let again = chaos.stop(&agent.id, StopOptions::default()).await?;
    ensure_eq!(again, known, "it ended once, and so it is told");
    Ok(())
}

async fn a_removal_whose_reply_was_lost_is_seen_to_have_happened(swarm: Swarm) -> Verdict {
    let agent = swarm.spawn(&Behaviour::Exit(0)).await?;
    swarm.ended(&agent.id).await?;
    let chaos = losing_one_reply(&swarm);
    let lost = chaos.remove(&agent.id, RemoveOptions::default()).await;
    refused(lost, ErrorKind::Indeterminate, "a lost reply")?;
    let again = chaos.remove(&agent.id, RemoveOptions::default()).await;
    not_found(again, Operation::Remove, &agent.id)
}
