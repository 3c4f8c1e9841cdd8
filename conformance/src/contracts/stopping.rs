//! No lie about stopping: the signal, the grace, the force, and then the truth.

use std::time::Duration;

use alveary_core::{
    AgentId, AgentState, EndedBy, ErrorKind, Exit, ExitStatus, Incarnation, ListOptions,
    LogOptions, Operation, RemoveOptions, Signal, Signals, StopOptions,
};
use futures_util::future::join_all;
use tokio::time::Instant;

use crate::behaviour::{Behaviour, TERM_LINE};
use crate::need::Need;
use crate::swarm::{Swarm, not_found, refused};
use crate::trial::{Failure, Verdict, ensure, ensure_eq, trials};

/// Longer than any trial: a stop that waits for all of it has failed.
const FOREVER: Duration = Duration::from_hours(1);
const SHORT: Duration = Duration::from_millis(300);

trials!(Stopping:
    an_agent_that_handles_the_signal_ends_with_its_own_code [Need::Agent(Behaviour::exit_on_term(7))],
    an_agent_that_ignores_the_signal_is_ended_by_force_after_the_grace [Need::Agent(Behaviour::IgnoreTerm)],
    a_grace_of_zero_is_force_at_once [Need::Agent(Behaviour::IgnoreTerm)],
    the_specs_own_grace_counts_where_the_call_names_none [Need::Agent(Behaviour::IgnoreTerm)],
    the_specs_own_signal_is_sent [Need::Agent(HANDLES_USR1)],
    the_calls_signal_is_sent_before_the_specs [Need::Agent(HANDLES_USR1)],
    a_stop_returns_after_the_end [Need::Agent(Behaviour::IgnoreTerm)],
    a_stop_of_an_ended_agent_gives_its_exit_again,
    a_stop_of_an_unknown_id_is_not_found,
    twenty_concurrent_stops_share_one_signal_and_one_outcome [Need::Agent(Behaviour::IgnoreTerm)],
    the_shortest_grace_wins [Need::Agent(Behaviour::IgnoreTerm)],
    a_dropped_stop_still_ends_the_agent [Need::Agent(Behaviour::IgnoreTerm)],
    a_stop_that_means_another_start_is_a_conflict,
    an_exit_stays_readable_until_the_removal,
    a_living_agent_is_not_removed_without_force,
    a_removal_by_force_ends_the_agent [Need::Agent(Behaviour::IgnoreTerm)],
    a_removed_agent_is_forgotten,
    an_exit_code_is_told_as_it_was,
    a_code_of_137_is_not_out_of_memory,
    an_agent_that_a_signal_ended_says_which [Need::Agent(Behaviour::DieBySignal(Signal::KILL))],
    a_signal_reaches_the_agent_and_is_no_stop [Need::Signals, Need::Agent(Behaviour::IgnoreTerm)],
    a_signal_to_an_ended_agent_is_a_conflict [Need::Signals],
    a_process_that_left_its_session_ends_with_its_agent
        [Need::TreeKill, Need::Witness, Need::Agent(Behaviour::EscapingGrandchild)],
    a_child_that_is_left_behind_ends_with_its_agent
        [Need::TreeKill, Need::Witness, Need::Agent(Behaviour::LeaveChild)],
);

/// Not SIGINT: a test program that a shell started in the background has it ignored, and so may its agents.
const HANDLES_USR1: Behaviour = Behaviour::ExitOnSignal {
    signal: Signal::USR1,
    code: 9,
};

fn ensure_by_force(exit: &Exit) -> Verdict {
    ensure_eq!(exit.by, EndedBy::UsByForce, "we ended it by force: {exit}");
    // Some engines tell a signal only as a shell does.
    let killed = matches!(
        exit.status,
        ExitStatus::Signal(Signal::KILL) | ExitStatus::Code(137)
    );
    ensure!(killed, "SIGKILL ended it: {exit}");
    Ok(())
}

async fn an_agent_that_handles_the_signal_ends_with_its_own_code(swarm: Swarm) -> Verdict {
    let agent = swarm.spawn_ready(&Behaviour::exit_on_term(7)).await?;
    let options = StopOptions::default().with_grace(FOREVER);
    let exit = swarm.backend().stop(&agent.id, options).await?;
    ensure_eq!(
        exit.status,
        ExitStatus::Code(7),
        "its handler chose the code"
    );
    ensure_eq!(exit.by, EndedBy::Us, "we asked it to end");
    ensure_eq!(
        swarm.stdout(&agent.id).await?,
        b"ready\ncaught\n",
        "its handler ran"
    );
    Ok(())
}

async fn an_agent_that_ignores_the_signal_is_ended_by_force_after_the_grace(
    swarm: Swarm,
) -> Verdict {
    let agent = swarm.spawn_ready(&Behaviour::IgnoreTerm).await?;
    let asked = Instant::now();
    let options = StopOptions::default().with_grace(SHORT);
    let exit = swarm.backend().stop(&agent.id, options).await?;
    ensure!(
        asked.elapsed() >= SHORT,
        "it had {SHORT:?} and was ended after {:?}",
        asked.elapsed()
    );
    ensure_by_force(&exit)?;
    ensure_eq!(
        signals_seen(&swarm, &agent.id).await?,
        1,
        "it was asked once first"
    );
    Ok(())
}

async fn signals_seen(swarm: &Swarm, id: &AgentId) -> Result<usize, Failure> {
    let output = String::from_utf8_lossy(&swarm.stdout(id).await?).into_owned();
    Ok(output
        .lines()
        .filter(|line| *line == TERM_LINE.trim())
        .count())
}

async fn a_grace_of_zero_is_force_at_once(swarm: Swarm) -> Verdict {
    let agent = swarm.spawn_ready(&Behaviour::IgnoreTerm).await?;
    let exit = swarm
        .backend()
        .stop(&agent.id, StopOptions::by_force())
        .await?;
    ensure_by_force(&exit)
}

async fn the_specs_own_grace_counts_where_the_call_names_none(swarm: Swarm) -> Verdict {
    // A machine that has much to do may take long for one: of several, one is not held up.
    for tries_left in (0..3).rev() {
        let id = AgentId::random();
        let spec = swarm.spec(&Behaviour::IgnoreTerm)?.grace(SHORT);
        swarm.spawn_spec(&id, &spec).await?;
        swarm.written(&id, "ready\n").await?;
        let asked = Instant::now();
        let exit = swarm.backend().stop(&id, StopOptions::default()).await?;
        let took = asked.elapsed();
        ensure_by_force(&exit)?;
        if took >= SHORT && took < Duration::from_secs(8) {
            break;
        }
        ensure!(
            took >= SHORT && tries_left > 0,
            "the spec gives it {SHORT:?}, and the stop took {took:?}"
        );
    }
    Ok(())
}

async fn the_specs_own_signal_is_sent(swarm: Swarm) -> Verdict {
    let id = AgentId::random();
    let stop = alveary_core::Stop::default()
        .signal(Signal::USR1)
        .grace(FOREVER);
    let spec = swarm.spec(&HANDLES_USR1)?.stop(stop);
    swarm.spawn_spec(&id, &spec).await?;
    swarm.written(&id, "ready\n").await?;
    let exit = swarm.backend().stop(&id, StopOptions::default()).await?;
    ensure_eq!(exit.status, ExitStatus::Code(9), "it handled SIGUSR1");
    Ok(())
}

async fn the_calls_signal_is_sent_before_the_specs(swarm: Swarm) -> Verdict {
    let agent = swarm.spawn_ready(&HANDLES_USR1).await?;
    let options = StopOptions::default()
        .with_signal(Signal::USR1)
        .with_grace(FOREVER);
    let exit = swarm.backend().stop(&agent.id, options).await?;
    ensure_eq!(exit.status, ExitStatus::Code(9), "it handled SIGUSR1");
    ensure_eq!(exit.by, EndedBy::Us, "we asked it to end");
    Ok(())
}

async fn a_stop_returns_after_the_end(swarm: Swarm) -> Verdict {
    let agent = swarm.spawn_ready(&Behaviour::IgnoreTerm).await?;
    let options = StopOptions::default().with_grace(SHORT);
    let exit = swarm.backend().stop(&agent.id, options).await?;
    // Looked at once, and not until it is so.
    let living = swarm.living_of(&agent.id).await;
    ensure!(
        living.is_empty()
            || swarm.probe().capabilities().tree_kill != alveary_core::TreeKill::Enforced,
        "it was told to have ended, and these lived: {living:?}"
    );
    let main = agent.pid.filter(|_| !living.is_empty());
    ensure!(
        main.is_none() || living.iter().all(|process| process.pid != main),
        "it was told to have ended, and its main process lived: {living:?}"
    );
    let info = swarm.backend().inspect(&agent.id).await?;
    ensure_eq!(
        info.state,
        AgentState::Exited(exit),
        "an inspection at once tells the same end"
    );
    let living_only = ListOptions::default().with_living_only(true);
    ensure_eq!(
        swarm.backend().list(living_only).await?,
        [],
        "a list of the living at once is without it"
    );
    Ok(())
}

async fn a_stop_of_an_ended_agent_gives_its_exit_again(swarm: Swarm) -> Verdict {
    let agent = swarm.spawn(&Behaviour::Exit(3)).await?;
    let first = swarm.ended(&agent.id).await?;
    ensure_eq!(
        first.status,
        ExitStatus::Code(3),
        "it ended with its own code"
    );
    ensure_eq!(first.by, EndedBy::Itself, "it ended of its own accord");
    for options in [StopOptions::default(), StopOptions::by_force()] {
        let again = swarm.backend().stop(&agent.id, options).await?;
        ensure_eq!(again, first, "a stop tells the end as it was");
    }
    Ok(())
}

async fn a_stop_of_an_unknown_id_is_not_found(swarm: Swarm) -> Verdict {
    let id = AgentId::random();
    for options in [StopOptions::default(), StopOptions::by_force()] {
        not_found(
            swarm.backend().stop(&id, options).await,
            Operation::Stop,
            &id,
        )?;
    }
    Ok(())
}

async fn twenty_concurrent_stops_share_one_signal_and_one_outcome(swarm: Swarm) -> Verdict {
    let agent = swarm.spawn_ready(&Behaviour::IgnoreTerm).await?;
    let options = StopOptions::default().with_grace(SHORT);
    let stops = (0..20).map(|_| swarm.backend().stop(&agent.id, options.clone()));
    let mut exits = Vec::new();
    for exit in join_all(stops).await {
        exits.push(exit?);
    }
    for exit in &exits {
        ensure_eq!(*exit, exits[0], "all are told one outcome");
    }
    ensure_by_force(&exits[0])?;
    ensure_eq!(
        signals_seen(&swarm, &agent.id).await?,
        1,
        "it was asked once"
    );
    Ok(())
}

async fn the_shortest_grace_wins(swarm: Swarm) -> Verdict {
    let agent = swarm.spawn_ready(&Behaviour::IgnoreTerm).await?;
    let patient = swarm
        .backend()
        .stop(&agent.id, StopOptions::default().with_grace(FOREVER));
    let hasty = async {
        // Only once the patient one has begun.
        swarm.written(&agent.id, TERM_LINE).await?;
        let options = StopOptions::default().with_grace(SHORT);
        Ok::<_, Failure>(swarm.backend().stop(&agent.id, options).await?)
    };
    let (patient, hasty) = futures_util::future::join(patient, hasty).await;
    let (patient, hasty) = (patient?, hasty?);
    ensure_eq!(patient, hasty, "both are told one outcome");
    ensure_by_force(&hasty)?;
    ensure_eq!(
        signals_seen(&swarm, &agent.id).await?,
        1,
        "it was asked once"
    );
    Ok(())
}

async fn a_dropped_stop_still_ends_the_agent(swarm: Swarm) -> Verdict {
    let agent = swarm.spawn_ready(&Behaviour::IgnoreTerm).await?;
    let options = StopOptions::default().with_grace(Duration::from_secs(1));
    tokio::select! {
        exit = swarm.backend().stop(&agent.id, options) => {
            ensure!(exit.is_err(), "it ignores the signal and ended within its grace");
            exit?;
        }
        begun = swarm.written(&agent.id, TERM_LINE) => begun?,
    }
    ensure_by_force(&swarm.ended(&agent.id).await?)
}

async fn a_stop_that_means_another_start_is_a_conflict(swarm: Swarm) -> Verdict {
    let agent = swarm.spawn_ready(&Behaviour::Sleep).await?;
    let other = StopOptions::by_force().with_incarnation(Incarnation::random());
    let stopped = swarm.backend().stop(&agent.id, other).await;
    refused(
        stopped,
        ErrorKind::Conflict,
        "a stop that means another start",
    )?;
    let info = swarm.backend().inspect(&agent.id).await?;
    ensure!(
        !info.state.has_ended(),
        "it was ended all the same: {info:?}"
    );
    let this = StopOptions::by_force().with_incarnation(agent.incarnation);
    swarm.backend().stop(&agent.id, this).await?;
    Ok(())
}

async fn an_exit_stays_readable_until_the_removal(swarm: Swarm) -> Verdict {
    let agent = swarm.spawn_ready(&Behaviour::Sleep).await?;
    let exit = swarm
        .backend()
        .stop(&agent.id, StopOptions::default())
        .await?;
    let state = AgentState::Exited(exit);
    ensure_eq!(
        swarm.backend().inspect(&agent.id).await?.state,
        state,
        "an inspection tells the end"
    );
    let listed = swarm.backend().list(ListOptions::default()).await?;
    ensure_eq!(listed.len(), 1, "it is listed");
    ensure_eq!(listed[0].state, state, "the list tells the end");
    Ok(())
}

async fn a_living_agent_is_not_removed_without_force(swarm: Swarm) -> Verdict {
    let agent = swarm.spawn_ready(&Behaviour::Sleep).await?;
    let removed = swarm
        .backend()
        .remove(&agent.id, RemoveOptions::default())
        .await;
    refused(
        removed,
        ErrorKind::StillRunning,
        "the removal of a living agent",
    )?;
    let info = swarm.backend().inspect(&agent.id).await?;
    ensure!(
        !info.state.has_ended(),
        "it was ended all the same: {info:?}"
    );
    Ok(())
}

async fn a_removal_by_force_ends_the_agent(swarm: Swarm) -> Verdict {
    let agent = swarm.spawn_ready(&Behaviour::IgnoreTerm).await?;
    let options = RemoveOptions::default().with_force(true);
    swarm.backend().remove(&agent.id, options).await?;
    ensure_eq!(swarm.listed().await?, [], "it is gone");
    swarm
        .until("its processes to be gone", || async {
            Ok(swarm.living_of(&agent.id).await.is_empty().then_some(()))
        })
        .await
}

async fn a_removed_agent_is_forgotten(swarm: Swarm) -> Verdict {
    let agent = swarm.spawn(&Behaviour::print("words")).await?;
    let (backend, id) = (swarm.backend(), &agent.id);
    swarm.ended(id).await?;
    backend.remove(id, RemoveOptions::default()).await?;
    not_found(backend.inspect(id).await, Operation::Inspect, id)?;
    let logs = backend.logs(id, LogOptions::default()).await;
    not_found(logs, Operation::Logs, id)?;
    let stop = backend.stop(id, StopOptions::default()).await;
    not_found(stop, Operation::Stop, id)?;
    let again = backend.remove(id, RemoveOptions::default()).await;
    not_found(again, Operation::Remove, id)
}

async fn an_exit_code_is_told_as_it_was(swarm: Swarm) -> Verdict {
    for code in [0, 1, 7, 255] {
        let agent = swarm.spawn(&Behaviour::Exit(code)).await?;
        let exit = swarm.ended(&agent.id).await?;
        ensure_eq!(
            exit.status,
            ExitStatus::Code(i32::from(code)),
            "the code is its own"
        );
        ensure_eq!(exit.by, EndedBy::Itself, "it ended of its own accord");
    }
    Ok(())
}

async fn a_code_of_137_is_not_out_of_memory(swarm: Swarm) -> Verdict {
    let agent = swarm.spawn(&Behaviour::Exit(137)).await?;
    let exit = swarm.ended(&agent.id).await?;
    ensure!(!exit.oom, "no engine has flagged it: {exit}");
    ensure_eq!(exit.by, EndedBy::Itself, "it ended of its own accord");
    Ok(())
}

async fn an_agent_that_a_signal_ended_says_which(swarm: Swarm) -> Verdict {
    let agent = swarm.spawn(&Behaviour::DieBySignal(Signal::KILL)).await?;
    let exit = swarm.ended(&agent.id).await?;
    let told = matches!(
        exit.status,
        ExitStatus::Signal(Signal::KILL) | ExitStatus::Code(137)
    );
    ensure!(told, "SIGKILL ended it: {exit}");
    ensure_eq!(exit.by, EndedBy::Itself, "it was not we who sent it");
    ensure!(!exit.oom, "no engine has flagged it: {exit}");
    Ok(())
}

fn signals(swarm: &Swarm) -> Result<&dyn Signals, Failure> {
    let signals = swarm.backend().signals();
    signals.ok_or_else(|| Failure::new("it sends no signals any more"))
}

async fn a_signal_reaches_the_agent_and_is_no_stop(swarm: Swarm) -> Verdict {
    let agent = swarm.spawn_ready(&Behaviour::IgnoreTerm).await?;
    signals(&swarm)?
        .signal(&agent.id, Signal::TERM, Some(agent.incarnation))
        .await?;
    swarm.written(&agent.id, TERM_LINE).await?;
    let info = swarm.backend().inspect(&agent.id).await?;
    ensure_eq!(info.state, AgentState::Running, "a signal is no stop");
    let other = Some(Incarnation::random());
    let stray = signals(&swarm)?
        .signal(&agent.id, Signal::KILL, other)
        .await;
    refused(
        stray,
        ErrorKind::Conflict,
        "a signal that means another start",
    )?;
    let info = swarm.backend().inspect(&agent.id).await?;
    ensure_eq!(info.state, AgentState::Running, "it was not meant");
    Ok(())
}

async fn a_signal_to_an_ended_agent_is_a_conflict(swarm: Swarm) -> Verdict {
    let agent = swarm.spawn(&Behaviour::Exit(0)).await?;
    swarm.ended(&agent.id).await?;
    let signal = signals(&swarm)?.signal(&agent.id, Signal::USR1, None).await;
    refused(signal, ErrorKind::Conflict, "a signal to an ended agent")?;
    Ok(())
}

async fn a_process_that_left_its_session_ends_with_its_agent(swarm: Swarm) -> Verdict {
    let agent = swarm.spawn_ready(&Behaviour::EscapingGrandchild).await?;
    let options = StopOptions::default().with_grace(SHORT);
    swarm.backend().stop(&agent.id, options).await?;
    ensure_eq!(swarm.living_of(&agent.id).await, [], "all of it has ended");
    Ok(())
}

async fn a_child_that_is_left_behind_ends_with_its_agent(swarm: Swarm) -> Verdict {
    let agent = swarm.spawn(&Behaviour::LeaveChild).await?;
    let exit = swarm.ended(&agent.id).await?;
    ensure_eq!(
        exit.status,
        ExitStatus::Code(0),
        "its main process ended well"
    );
    swarm
        .until("the child to be gone", || async {
            Ok(swarm.living_of(&agent.id).await.is_empty().then_some(()))
        })
        .await
}
