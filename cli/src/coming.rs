//! Starts that are accepted and not made yet: what fetches an image for them goes on in this process, and ends with it.

use std::collections::HashMap;

use alveary::{Agent, AgentId, AgentState, Escaped, SwarmEvent, SwarmManager};
use futures_util::StreamExt;

use crate::outcome::Outcome;
use crate::together::{Together, Unstarted};

/// Waits until these have started, or come to nothing, which is told.
pub(crate) async fn arrived(
    swarm: &SwarmManager,
    started: impl IntoIterator<Item = (AgentId, AgentState)>,
) -> Outcome {
    let mut coming: HashMap<_, _> = started
        .into_iter()
        .filter(|(_, state)| matches!(state, AgentState::Starting { .. }))
        .collect();
    let mut outcome = Outcome::Done;
    let mut together = Together::default();
    let mut events = swarm.subscribe().await;
    while !coming.is_empty() {
        match events.next().await {
            Some(SwarmEvent::Snapshot(agents)) => {
                coming.retain(|id, _| agents.iter().any(|agent| agent.id() == id));
                for agent in &agents {
                    outcome = outcome.or(seen(&mut coming, &mut together, agent));
                }
            }
            Some(SwarmEvent::Changed(agent)) => {
                outcome = outcome.or(seen(&mut coming, &mut together, &agent));
            }
            Some(SwarmEvent::Removed(id)) => {
                coming.remove(&id);
            }
            Some(_) => {}
            None => break,
        }
    }
    together.tell();
    outcome
}

/// Takes it from those that are coming, if it has come.
fn seen(
    coming: &mut HashMap<AgentId, AgentState>,
    together: &mut Together,
    agent: &Agent,
) -> Outcome {
    // While the engine cannot be heard nobody knows.
    let on_its_way = matches!(
        agent.state(),
        AgentState::Starting { .. } | AgentState::Unknown { .. }
    );
    if on_its_way || coming.remove(agent.id()).is_none() {
        return Outcome::Done;
    }
    let AgentState::Failed { reason } = agent.state() else {
        return Outcome::Done;
    };
    let reason = Escaped(reason).to_string();
    if let Some(at_once) = together.keep(Unstarted::without_image(agent.name(), &reason)) {
        at_once.tell();
    }
    Outcome::Backend
}
