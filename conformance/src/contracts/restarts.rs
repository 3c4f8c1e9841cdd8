//! Restarts are the manager's: a backend starts nothing again by itself.
//!
//! That they are bounded is tried where they are made, in the manager's own tests.

use alveary_core::{AgentId, AgentState, EndedBy, ExitStatus, Restart, SpawnOptions, StopOptions};

use crate::behaviour::Behaviour;
use crate::swarm::Swarm;
use crate::trial::{Verdict, ensure_eq, trials};

trials!(Restarts:
    an_agent_that_is_to_be_restarted_is_left_ended_for_the_manager,
);

async fn an_agent_that_is_to_be_restarted_is_left_ended_for_the_manager(swarm: Swarm) -> Verdict {
    let id = AgentId::random();
    let spec = swarm.spec(&Behaviour::Exit(1))?.restart(Restart::always());
    let options = SpawnOptions::default();
    swarm.backend().spawn(&id, &spec, options.clone()).await?;
    let exit = swarm.ended(&id).await?;
    ensure_eq!(exit.status, ExitStatus::Code(1), "it failed");
    // A whole other agent comes and goes: time in which an engine would have started the first anew.
    for _ in 0..3 {
        let other = swarm.spawn_ready(&Behaviour::Sleep).await?;
        let stopped = swarm
            .backend()
            .stop(&other.id, StopOptions::default())
            .await?;
        ensure_eq!(stopped.by, EndedBy::Us, "the other one was asked");
    }
    let info = swarm.backend().inspect(&id).await?;
    ensure_eq!(
        info.state,
        AgentState::Exited(exit),
        "it has stayed as it was"
    );
    ensure_eq!(info.incarnation, options.incarnation, "there was one start");
    Ok(())
}
