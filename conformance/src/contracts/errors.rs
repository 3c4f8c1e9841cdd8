//! An error says what failed, on which agent, and what cures it.

use alveary_core::{
    AgentId, AgentSpec, Error, ErrorKind, LogOptions, Operation, RemoveOptions, Retry,
    SpawnOptions, StopOptions, is_unsafe,
};

use crate::behaviour::Behaviour;
use crate::swarm::{Swarm, refused};
use crate::trial::{Failure, Verdict, ensure, ensure_eq, trials};

trials!(Errors:
    every_error_names_the_operation_the_agent_and_the_cure,
    an_error_that_repeats_itself_is_not_to_be_retried,
    an_error_about_a_hostile_spec_is_one_printable_line,
);

/// Everything that can be made to fail on any backend.
async fn failures(swarm: &Swarm) -> Result<Vec<(Operation, AgentId, Error)>, Failure> {
    let backend = swarm.backend();
    let living = swarm.spawn_ready(&Behaviour::Sleep).await?.id;
    let unknown = AgentId::random();
    let spec = swarm.spec(&Behaviour::Sleep)?;
    let bad = AgentSpec::new("../x", spec.command.clone());
    let missing = program_that_is_not_there(&spec);
    let spawn = |id, spec| backend.spawn(id, spec, SpawnOptions::default());
    let mut failures = Vec::new();
    let mut note = |operation, id: &AgentId, error| failures.push((operation, id.clone(), error));
    let error = spawn(&living, &spec).await;
    let error = refused(error, ErrorKind::AlreadyExists, "another start")?;
    note(Operation::Spawn, &living, error);
    let error = spawn(&unknown, &bad).await;
    let error = refused(error, ErrorKind::InvalidSpec, "a bad name")?;
    note(Operation::Spawn, &unknown, error);
    let error = spawn(&unknown, &missing).await;
    let error = refused(error, ErrorKind::InvalidSpec, "a program that is not there")?;
    note(Operation::Spawn, &unknown, error);
    let error = backend.inspect(&unknown).await;
    let error = refused(error, ErrorKind::NotFound, "an unknown id")?;
    note(Operation::Inspect, &unknown, error);
    let error = backend.stop(&unknown, StopOptions::default()).await;
    let error = refused(error, ErrorKind::NotFound, "an unknown id")?;
    note(Operation::Stop, &unknown, error);
    let error = backend.remove(&unknown, RemoveOptions::default()).await;
    let error = refused(error, ErrorKind::NotFound, "an unknown id")?;
    note(Operation::Remove, &unknown, error);
    let error = backend.remove(&living, RemoveOptions::default()).await;
    let error = refused(error, ErrorKind::StillRunning, "a living agent")?;
    note(Operation::Remove, &living, error);
    let error = backend.logs(&unknown, LogOptions::default()).await;
    let error = refused(error, ErrorKind::NotFound, "an unknown id")?;
    note(Operation::Logs, &unknown, error);
    Ok(failures)
}

pub(super) fn program_that_is_not_there(spec: &AgentSpec) -> AgentSpec {
    let mut spec = spec.clone();
    spec.command = vec!["/nonexistent/alveary-conformance".to_owned()];
    spec
}

async fn every_error_names_the_operation_the_agent_and_the_cure(swarm: Swarm) -> Verdict {
    for (operation, id, error) in failures(&swarm).await? {
        ensure_eq!(error.operation(), operation, "the operation of `{error}`");
        ensure_eq!(error.agent(), Some(&id), "the agent of `{error}`");
        ensure!(
            !error.message().trim().is_empty(),
            "it says nothing: `{error}`"
        );
        let cure = error.cure().unwrap_or_default();
        ensure!(!cure.trim().is_empty(), "it has no cure: `{error}`");
        ensure!(
            error.to_string().contains(cure),
            "it does not tell its cure: `{error}`"
        );
    }
    Ok(())
}

async fn an_error_that_repeats_itself_is_not_to_be_retried(swarm: Swarm) -> Verdict {
    for (_, _, error) in failures(&swarm).await? {
        ensure_eq!(
            error.retry(),
            Retry::Never,
            "a retry would fail as this did: `{error}`"
        );
    }
    Ok(())
}

async fn an_error_about_a_hostile_spec_is_one_printable_line(swarm: Swarm) -> Verdict {
    let hostile = "\u{1b}[2J\u{202e}x\n\r";
    let mut program = swarm.spec(&Behaviour::Sleep)?;
    program.command = vec![format!("/nonexistent/{hostile}")];
    let mut name = swarm.spec(&Behaviour::Sleep)?;
    hostile.clone_into(&mut name.name);
    let key = swarm.spec(&Behaviour::Sleep)?.env(hostile, "1");
    for spec in [program, name, key] {
        let spawned = swarm
            .backend()
            .spawn(&AgentId::random(), &spec, SpawnOptions::default())
            .await;
        let error = refused(spawned, ErrorKind::InvalidSpec, "a hostile spec")?;
        let sentence = error.to_string();
        ensure!(
            !sentence.contains(is_unsafe),
            "it could drive a terminal: {sentence:?}"
        );
    }
    Ok(())
}
