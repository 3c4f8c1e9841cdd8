//! Agents that are held still: really still, and never lost to a stop.

use std::time::Duration;

use alveary_core::{
    AgentEvent, AgentId, AgentState, EndedBy, ErrorKind, EventOptions, EventStream, ExitStatus,
    Incarnation, ListOptions, Operation, Pause, PauseOptions, RemoveOptions, Signal, StopOptions,
};
use futures_util::StreamExt;

use crate::behaviour::{Behaviour, TERM_LINE};
use crate::errand::Errand;
use crate::need::Need;
use crate::swarm::{Swarm, not_found, refused};
use crate::trial::{Failure, Verdict, ensure, ensure_eq, trials};

trials!(Pause:
    a_paused_agent_does_nothing_until_it_goes_on [Need::Pause, Need::Agent(COUNTING)],
    a_pause_is_shown_and_told [Need::Pause],
    two_pauses_are_as_one_and_two_resumptions_too [Need::Pause],
    one_that_is_stopped_in_a_pause_handles_the_signal
        [Need::Pause, Need::Agent(Behaviour::exit_on_term(7))],
    one_that_ignores_the_signal_is_ended_by_force_in_a_pause_too
        [Need::Pause, Need::Agent(Behaviour::IgnoreTerm)],
    one_that_is_paused_is_removed_by_force [Need::Pause, Need::Agent(Behaviour::IgnoreTerm)],
    a_signal_waits_for_the_end_of_the_pause
        [Need::Pause, Need::Signals, Need::Agent(Behaviour::IgnoreTerm)],
    what_a_paused_agent_uses_can_be_read [Need::Pause, Need::Stats],
    beside_a_paused_agent_no_program_is_run [Need::Pause, Need::Errand(Errand::Exit(0))],
    who_does_not_run_is_not_paused [Need::Pause],
);

const COUNTING: Behaviour = Behaviour::Count {
    lines: 100_000,
    pause: Duration::from_millis(2),
};

/// For as long as it is looked whether something goes on that should not.
const A_WHILE: Duration = Duration::from_millis(150);

fn pausing(swarm: &Swarm) -> Result<&dyn Pause, Failure> {
    let pause = swarm.backend().pause();
    pause.ok_or_else(|| Failure::new("it holds no agents still any more"))
}

async fn pause(swarm: &Swarm, id: &AgentId) -> Verdict {
    swarm.step(format!("pause agent {id}"));
    Ok(pausing(swarm)?.freeze(id, PauseOptions::default()).await?)
}

async fn resume(swarm: &Swarm, id: &AgentId) -> Verdict {
    swarm.step(format!("have agent {id} go on"));
    Ok(pausing(swarm)?.thaw(id, PauseOptions::default()).await?)
}

async fn a_paused_agent_does_nothing_until_it_goes_on(swarm: Swarm) -> Verdict {
    let agent = swarm.spawn(&COUNTING).await?;
    swarm.written(&agent.id, "\n3\n").await?;
    pause(&swarm, &agent.id).await?;
    // What it wrote before may be on its way into the log still. Who is not held still writes all the time.
    let mut before = swarm.stdout(&agent.id).await?.len();
    let mut looks = 0;
    let after = loop {
        tokio::time::sleep(A_WHILE).await;
        let after = swarm.stdout(&agent.id).await?.len();
        if after == before {
            break after;
        }
        looks += 1;
        ensure!(looks < 10, "it wrote while it was paused");
        before = after;
    };
    resume(&swarm, &agent.id).await?;
    swarm
        .until("more of its output", || async {
            Ok((swarm.stdout(&agent.id).await?.len() > after).then_some(()))
        })
        .await
}

/// Whether the next that is told of the agent in this state says so.
async fn told(events: &mut EventStream, id: &AgentId) -> Result<bool, Failure> {
    while let Some(event) = events.next().await {
        match event? {
            AgentEvent::Changed(info) if info.id == *id && info.state == AgentState::Running => {
                return Ok(info.paused);
            }
            _ => {}
        }
    }
    Err(Failure::new("the events ended"))
}

async fn a_pause_is_shown_and_told(swarm: Swarm) -> Verdict {
    let agent = swarm.spawn_ready(&Behaviour::Sleep).await?;
    let mut events = swarm.backend().events(EventOptions::default()).await?;
    for paused in [true, false] {
        if paused {
            pause(&swarm, &agent.id).await?;
        } else {
            resume(&swarm, &agent.id).await?;
        }
        let info = swarm.backend().inspect(&agent.id).await?;
        ensure_eq!(info.paused, paused, "an inspection shows it");
        ensure_eq!(info.state, AgentState::Running, "it is no state of its own");
        let listed = swarm.backend().list(ListOptions::default()).await?;
        ensure_eq!(listed[0].paused, paused, "the list shows it");
        swarm.step(format!("await the event of paused = {paused}"));
        // What was told before the call may still be under way.
        while told(&mut events, &agent.id).await? != paused {}
    }
    Ok(())
}

async fn two_pauses_are_as_one_and_two_resumptions_too(swarm: Swarm) -> Verdict {
    let agent = swarm.spawn_ready(&Behaviour::Sleep).await?;
    resume(&swarm, &agent.id).await?;
    pause(&swarm, &agent.id).await?;
    pause(&swarm, &agent.id).await?;
    ensure!(
        swarm.backend().inspect(&agent.id).await?.paused,
        "it is paused"
    );
    resume(&swarm, &agent.id).await?;
    resume(&swarm, &agent.id).await?;
    ensure!(
        !swarm.backend().inspect(&agent.id).await?.paused,
        "it goes on"
    );
    Ok(())
}

async fn one_that_is_stopped_in_a_pause_handles_the_signal(swarm: Swarm) -> Verdict {
    let agent = swarm.spawn_ready(&Behaviour::exit_on_term(7)).await?;
    pause(&swarm, &agent.id).await?;
    // Longer than any trial: a stop that waits for all of it has failed.
    let patient = StopOptions::default().with_grace(Duration::from_hours(1));
    let exit = swarm.backend().stop(&agent.id, patient).await?;
    ensure_eq!(
        exit.status,
        ExitStatus::Code(7),
        "its handler chose the code"
    );
    ensure_eq!(exit.by, EndedBy::Us, "we asked it to end");
    let info = swarm.backend().inspect(&agent.id).await?;
    ensure!(!info.paused, "one that has ended is not paused: {info:?}");
    Ok(())
}

async fn one_that_ignores_the_signal_is_ended_by_force_in_a_pause_too(swarm: Swarm) -> Verdict {
    for grace in [Duration::ZERO, Duration::from_millis(200)] {
        let agent = swarm.spawn_ready(&Behaviour::IgnoreTerm).await?;
        pause(&swarm, &agent.id).await?;
        let options = StopOptions::default().with_grace(grace);
        let exit = swarm.backend().stop(&agent.id, options).await?;
        ensure_eq!(exit.by, EndedBy::UsByForce, "it was ended by force: {exit}");
    }
    Ok(())
}

async fn one_that_is_paused_is_removed_by_force(swarm: Swarm) -> Verdict {
    let agent = swarm.spawn_ready(&Behaviour::IgnoreTerm).await?;
    pause(&swarm, &agent.id).await?;
    let force = RemoveOptions::default().with_force(true);
    swarm.backend().remove(&agent.id, force).await?;
    ensure_eq!(swarm.listed().await?, [], "it is gone");
    swarm
        .until("its processes to be gone", || async {
            Ok(swarm.living_of(&agent.id).await.is_empty().then_some(()))
        })
        .await
}

async fn a_signal_waits_for_the_end_of_the_pause(swarm: Swarm) -> Verdict {
    let agent = swarm.spawn_ready(&Behaviour::IgnoreTerm).await?;
    pause(&swarm, &agent.id).await?;
    let Some(signals) = swarm.backend().signals() else {
        return Err(Failure::new("it sends no signals any more"));
    };
    signals.signal(&agent.id, Signal::TERM, None).await?;
    tokio::time::sleep(A_WHILE).await;
    let output = swarm.stdout(&agent.id).await?;
    ensure!(
        !output.ends_with(TERM_LINE.as_bytes()),
        "it handled a signal while it was paused"
    );
    resume(&swarm, &agent.id).await?;
    swarm.written(&agent.id, TERM_LINE).await
}

async fn what_a_paused_agent_uses_can_be_read(swarm: Swarm) -> Verdict {
    let agent = swarm.spawn_ready(&Behaviour::Sleep).await?;
    pause(&swarm, &agent.id).await?;
    let Some(stats) = swarm.backend().stats() else {
        return Err(Failure::new("it tells no usage any more"));
    };
    let usage = stats.read(&agent.id).await?;
    ensure_eq!(usage.incarnation, agent.incarnation, "it is of this start");
    Ok(())
}

async fn beside_a_paused_agent_no_program_is_run(swarm: Swarm) -> Verdict {
    let agent = swarm.spawn_ready(&Behaviour::Sleep).await?;
    pause(&swarm, &agent.id).await?;
    let (Some(exec), Some(spec)) = (
        swarm.backend().exec(),
        swarm.harness().errand(&Errand::Exit(0)),
    ) else {
        return Err(Failure::new("it runs no programs any more"));
    };
    let answer = exec.run(&agent.id, &spec).await;
    refused(
        answer,
        ErrorKind::Conflict,
        "a program beside a paused agent",
    )?;
    resume(&swarm, &agent.id).await?;
    exec.run(&agent.id, &spec).await?.wait().await?;
    Ok(())
}

async fn who_does_not_run_is_not_paused(swarm: Swarm) -> Verdict {
    let nobody = AgentId::random();
    let pausing = pausing(&swarm)?;
    let options = PauseOptions::default;
    not_found(
        pausing.freeze(&nobody, options()).await,
        Operation::Pause,
        &nobody,
    )?;
    not_found(
        pausing.thaw(&nobody, options()).await,
        Operation::Resume,
        &nobody,
    )?;
    let agent = swarm.spawn_ready(&Behaviour::Sleep).await?;
    let other = options().with_incarnation(Incarnation::random());
    let paused = pausing.freeze(&agent.id, other).await;
    refused(paused, ErrorKind::Conflict, "a pause of another start")?;
    let paused = swarm.backend().inspect(&agent.id).await?.paused;
    ensure!(!paused, "it was not meant");
    let stopped = swarm.backend().stop(&agent.id, StopOptions::default());
    stopped.await?;
    let paused = pausing.freeze(&agent.id, options()).await;
    refused(paused, ErrorKind::Conflict, "a pause of an ended agent")?;
    let resumed = pausing.thaw(&agent.id, options()).await;
    refused(
        resumed,
        ErrorKind::Conflict,
        "a resumption of an ended agent",
    )?;
    Ok(())
}
