//! Secrets reach the agent, and nobody else hears of them.

use std::path::Path;

use alveary_core::{
    AgentId, AgentSpec, ErrorKind, EventOptions, ListOptions, Secret, SecretSpec, SpawnOptions,
    StopOptions,
};
use futures_util::{FutureExt, StreamExt};

use crate::behaviour::Behaviour;
use crate::canary::Canary;
use crate::need::Need;
use crate::swarm::{Swarm, refused};
use crate::trial::{Failure, Verdict, ensure, ensure_eq, trials};

trials!(Secrets:
    a_secret_is_handed_over_as_a_file [Need::SecretFiles, Need::Agent(print_secret())],
    a_secret_is_a_variable_on_request [Need::Agent(Behaviour::PrintEnvironment)],
    a_secret_that_is_a_file_is_not_in_the_environment
        [Need::SecretFiles, Need::Agent(Behaviour::PrintEnvironment)],
    a_secret_that_is_a_file_is_heard_of_nowhere [Need::SecretFiles],
    a_secret_that_is_a_variable_is_heard_of_nowhere,
    the_value_of_a_variable_is_neither_in_arguments_nor_traced,
    another_value_of_a_secret_is_no_other_spec,
    a_secret_that_cannot_be_read_is_refused_by_its_key,
    a_refusal_does_not_tell_the_secret,
    others_can_read_no_file_that_holds_a_secret [Need::SecretFiles, Need::StateDirs],
);

const KEY: &str = "API_KEY";

fn print_secret() -> Behaviour {
    Behaviour::PrintSecret(KEY.to_owned())
}

fn secret(value: impl Into<String>) -> SecretSpec {
    SecretSpec::given(Secret::new(value))
}

async fn a_secret_is_handed_over_as_a_file(swarm: Swarm) -> Verdict {
    // Line breaks, quotes and characters of several bytes arrive as they are.
    let value = "line one\nline 'two' \"$HOME\" ä🐝\n";
    let spec = swarm.spec(&print_secret())?.secret(KEY, secret(value));
    let read = swarm.output_of_spec(&spec).await?;
    ensure_eq!(
        String::from_utf8_lossy(&read),
        value,
        "the file holds the value"
    );
    Ok(())
}

async fn environment_of(swarm: &Swarm, spec: &AgentSpec) -> Result<Vec<String>, Failure> {
    let printed = swarm.output_of_spec(spec).await?;
    let variables = printed.split(|byte| *byte == 0);
    Ok(variables
        .map(|variable| String::from_utf8_lossy(variable).into_owned())
        .collect())
}

async fn a_secret_is_a_variable_on_request(swarm: Swarm) -> Verdict {
    let spec = swarm
        .spec(&Behaviour::PrintEnvironment)?
        .secret(KEY, secret("the value").as_env());
    let variables = environment_of(&swarm, &spec).await?;
    let expected = format!("{KEY}=the value");
    ensure!(variables.contains(&expected), "`{KEY}` is not set as asked");
    let file = format!("{KEY}_FILE=");
    ensure!(
        !variables.iter().any(|variable| variable.starts_with(&file)),
        "there is a file besides"
    );
    Ok(())
}

async fn a_secret_that_is_a_file_is_not_in_the_environment(swarm: Swarm) -> Verdict {
    let canary = Canary::new();
    let spec = swarm
        .spec(&Behaviour::PrintEnvironment)?
        .secret(KEY, secret(canary.value()));
    let variables = environment_of(&swarm, &spec).await?;
    canary.is_not_in("its environment", variables.join("\n"))?;
    let file = format!("{KEY}_FILE=");
    ensure!(
        variables.iter().any(|variable| variable.starts_with(&file)),
        "`{KEY}_FILE` is not set"
    );
    Ok(())
}

async fn a_secret_that_is_a_file_is_heard_of_nowhere(swarm: Swarm) -> Verdict {
    let canary = Canary::new();
    let spec = swarm
        .spec(&Behaviour::Sleep)?
        .secret(KEY, secret(canary.value()));
    is_heard_of_nowhere(&swarm, &spec, &canary).await
}

async fn a_secret_that_is_a_variable_is_heard_of_nowhere(swarm: Swarm) -> Verdict {
    let canary = Canary::new();
    let spec = swarm
        .spec(&Behaviour::Sleep)?
        .secret(KEY, secret(canary.value()).as_env());
    is_heard_of_nowhere(&swarm, &spec, &canary).await
}

/// An agent of this spec lives and ends, and everything that anybody can read of it meanwhile is searched.
async fn is_heard_of_nowhere(swarm: &Swarm, spec: &AgentSpec, canary: &Canary) -> Verdict {
    let (backend, id) = (swarm.backend(), AgentId::random());
    let mut events = backend.events(EventOptions::default()).await?;
    let info = swarm.spawn_spec(&id, spec).await?;
    swarm.written(&id, "ready\n").await?;
    canary.is_not_in("the answer to the spawn", format!("{info:?}"))?;
    canary.is_not_in("the spec's `Debug`", format!("{spec:?}"))?;
    canary.is_not_in(
        "an inspection",
        format!("{:?}", backend.inspect(&id).await?),
    )?;
    let list = backend.list(ListOptions::default()).await?;
    canary.is_not_in("the list", format!("{list:?}"))?;
    canary.is_not_in("the backend's `Debug`", format!("{backend:?}"))?;
    canary.is_not_in("the backend's `Display`", backend.to_string())?;
    for process in swarm.living_of(&id).await {
        canary.is_not_in("the arguments of a process", process.argv)?;
    }
    // Refused because it lives: the error is about the very spec that holds the secret.
    let again = backend.spawn(&id, spec, SpawnOptions::default()).await;
    let error = refused(again, ErrorKind::AlreadyExists, "another start")?;
    canary.is_not_in("an error", format!("{error} {error:?}"))?;
    let exit = backend.stop(&id, StopOptions::default()).await?;
    canary.is_not_in("the exit", format!("{exit:?}"))?;
    canary.is_not_in("its output", swarm.stdout(&id).await?)?;
    // What has been told so far; nothing is waited for.
    while let Some(Some(event)) = events.next().now_or_never() {
        canary.is_not_in("an event", format!("{event:?}"))?;
    }
    canary.was_not_heard()
}

async fn the_value_of_a_variable_is_neither_in_arguments_nor_traced(swarm: Swarm) -> Verdict {
    let canary = Canary::new();
    let id = AgentId::random();
    let spec = swarm.spec(&Behaviour::Sleep)?.env("LOG", canary.value());
    swarm.spawn_spec(&id, &spec).await?;
    swarm.written(&id, "ready\n").await?;
    for process in swarm.living_of(&id).await {
        canary.is_not_in("the arguments of a process", process.argv)?;
    }
    let info = swarm.backend().inspect(&id).await?;
    canary.is_not_in("an inspection", format!("{info:?}"))?;
    swarm.backend().stop(&id, StopOptions::default()).await?;
    canary.was_not_heard()
}

async fn another_value_of_a_secret_is_no_other_spec(swarm: Swarm) -> Verdict {
    let id = AgentId::random();
    let spec = |value| -> Result<AgentSpec, Failure> {
        let plain = swarm.spec(&Behaviour::Sleep)?;
        Ok(plain.secret(KEY, secret(value).as_env()))
    };
    let (one, two) = (spec("one")?, spec("two")?);
    ensure_eq!(one.hash(), two.hash(), "the hash is blind to secrets");
    let options = SpawnOptions::default();
    let first = swarm.backend().spawn(&id, &one, options.clone()).await?;
    let again = swarm.backend().spawn(&id, &two, options).await?;
    ensure_eq!(again.incarnation, first.incarnation, "it is the same start");
    Ok(())
}

async fn a_secret_that_cannot_be_read_is_refused_by_its_key(swarm: Swarm) -> Verdict {
    for source in [
        SecretSpec::file("/nonexistent/alveary/secret"),
        SecretSpec::env("NO_SUCH_VARIABLE_IN_CONFORMANCE"),
    ] {
        let spec = swarm.spec(&Behaviour::Sleep)?.secret(KEY, source.as_env());
        let spawned = swarm
            .backend()
            .spawn(&AgentId::random(), &spec, SpawnOptions::default())
            .await;
        let error = refused(
            spawned,
            ErrorKind::InvalidSpec,
            "a secret that is not there",
        )?;
        ensure!(
            error.to_string().contains(KEY),
            "the error should name `{KEY}`: {error}"
        );
    }
    ensure_eq!(swarm.listed().await?, [], "nothing was begun");
    Ok(())
}

async fn a_refusal_does_not_tell_the_secret(swarm: Swarm) -> Verdict {
    let canary = Canary::new();
    let value = format!("{}\0", canary.value());
    let spec = swarm
        .spec(&Behaviour::Sleep)?
        .secret(KEY, secret(value).as_env());
    let spawned = swarm
        .backend()
        .spawn(&AgentId::random(), &spec, SpawnOptions::default())
        .await;
    let error = refused(spawned, ErrorKind::InvalidSpec, "a NUL in a variable")?;
    canary.is_not_in("the error", format!("{error} {error:?}"))?;
    ensure_eq!(swarm.listed().await?, [], "nothing was begun");
    canary.was_not_heard()
}

async fn others_can_read_no_file_that_holds_a_secret(swarm: Swarm) -> Verdict {
    let canary = Canary::new();
    let id = AgentId::random();
    let spec = swarm
        .spec(&Behaviour::Sleep)?
        .env("LOG", canary.value())
        .secret(KEY, secret(canary.value()));
    swarm.spawn_spec(&id, &spec).await?;
    swarm.written(&id, "ready\n").await?;
    for dir in swarm.harness().state_dirs(swarm.uid()) {
        search(&dir, &canary)?;
    }
    Ok(())
}

/// Every file beneath `dir` that any user could open is searched.
fn search(dir: &Path, canary: &Canary) -> Verdict {
    if !permits(dir, 0o001) {
        return Ok(());
    }
    let Ok(entries) = std::fs::read_dir(dir) else {
        return Ok(());
    };
    for entry in entries.flatten() {
        let path = entry.path();
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => search(&path, canary)?,
            Ok(kind) if kind.is_file() && permits(&path, 0o004) => {
                let text = std::fs::read(&path).unwrap_or_default();
                canary.is_not_in(&format!("{}, which anybody can read", path.display()), text)?;
            }
            _ => {}
        }
    }
    Ok(())
}

#[cfg(unix)]
fn permits(path: &Path, others: u32) -> bool {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(path).is_ok_and(|meta| meta.permissions().mode() & others != 0)
}

#[cfg(not(unix))]
fn permits(_path: &Path, _others: u32) -> bool {
    true
}
