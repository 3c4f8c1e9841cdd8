//! One verb done to several agents: all at once, each with its own outcome.

use std::collections::HashSet;

use alveary::{Agent, Error, ErrorKind, SwarmManager};
use futures_util::StreamExt;

use crate::args::Whom;
use crate::failure::{Failure, tell_of};
use crate::outcome::Outcome;
use crate::output::Progress;

/// How many calls are under way at once. Stopping is mostly waiting.
const AT_ONCE: usize = 64;

/// Whom these names mean, each agent once, in the order of the names.
pub(crate) async fn resolve(swarm: &SwarmManager, names: &[String]) -> Result<Vec<Agent>, Failure> {
    let mut seen = HashSet::new();
    let mut all = Vec::new();
    for name in names {
        for agent in swarm.resolve(name).await.map_err(unknown)? {
            if seen.insert(agent.id().clone()) {
                all.push(agent);
            }
        }
    }
    Ok(all)
}

/// Whether the agent may be meant by this: by its name, its group's, or the beginning of its id.
pub(crate) fn means(name: &str, agent: &Agent) -> bool {
    agent.name() == name || agent.group == name || agent.id().as_str().starts_with(name)
}

/// Whom these words mean: those that are named, or all that have not ended.
pub(crate) async fn meant(swarm: &SwarmManager, whom: &Whom) -> Result<Vec<Agent>, Failure> {
    if !whom.all {
        return resolve(swarm, &whom.names).await;
    }
    let mut agents = swarm.list().await?;
    agents.retain(|agent| !agent.is_settled());
    Ok(agents)
}

/// Who is not there is a matter of what was typed, and not of an operation that failed.
fn unknown(error: Error) -> Failure {
    match error.kind() {
        ErrorKind::NotFound | ErrorKind::InvalidSpec => Failure::input(
            error.message(),
            error.cure().unwrap_or("give it another name"),
        ),
        _ => error.into(),
    }
}

/// Does this to each agent and shows how far it is. No failure of one keeps the others from it; the first is
/// what the shell is told.
pub(crate) async fn each<T, F>(
    agents: Vec<Agent>,
    doing: &'static str,
    act: impl Fn(Agent) -> F,
    done: impl Fn(&T) -> String,
) -> Outcome
where
    F: Future<Output = Result<T, Error>>,
{
    each_wave(vec![agents], doing, act, done).await
}

/// As [`each`], and it begins with a wave when it is done with the one before.
pub(crate) async fn each_wave<T, F>(
    waves: Vec<Vec<Agent>>,
    doing: &'static str,
    act: impl Fn(Agent) -> F,
    done: impl Fn(&T) -> String,
) -> Outcome
where
    F: Future<Output = Result<T, Error>>,
{
    let progress = Progress::new(doing, waves.iter().map(Vec::len).sum());
    let mut outcome = Outcome::Done;
    for wave in waves {
        let tasks = wave.into_iter().map(|agent| {
            let name = agent.name().to_owned();
            let task = act(agent);
            async move { (name, task.await) }
        });
        let mut results =
            std::pin::pin!(futures_util::stream::iter(tasks).buffer_unordered(AT_ONCE));
        while let Some((name, result)) = results.next().await {
            match result {
                Ok(value) => progress.step(&name, done(&value)),
                Err(error) => {
                    progress.aside(|| tell_of(&name, &error));
                    if outcome == Outcome::Done {
                        outcome = Failure::from(error).outcome();
                    }
                }
            }
        }
    }
    outcome
}
