//! A swarm's agents, as its coordinator is to know them.

use alveary::{Agent, AgentId, AgentState, SwarmEvent, SwarmManager};
use alveary_coordinator::Coordinator;
use futures_util::StreamExt;

/// Tells the coordinator who of the swarm lives and who is gone, for as long as both do: who lives is not offline
/// because the coordinator was away, and the work of who has ended is another's at once.
pub(super) async fn tell(swarm: SwarmManager, coordinator: Coordinator) {
    let mut events = swarm.subscribe().await;
    // It is not to keep the swarm open.
    drop(swarm);
    while let Some(event) = events.next().await {
        let (alive, gone) = match event {
            SwarmEvent::Snapshot(agents) => (living(&agents), ended(&agents)),
            SwarmEvent::Changed(agent) => {
                let agents = [*agent];
                (living(&agents), ended(&agents))
            }
            SwarmEvent::Removed(agent) => (Vec::new(), vec![agent]),
            _ => continue,
        };
        if let Err(error) = coordinator.alive(&alive).await {
            tracing::warn!("the coordinator does not hear who lives: {error}");
        }
        for agent in gone {
            if let Err(error) = coordinator.gone(&agent).await {
                tracing::warn!("the coordinator does not hear that {agent} is gone: {error}");
            }
        }
    }
}

fn living(agents: &[Agent]) -> Vec<AgentId> {
    let lives = |agent: &&Agent| *agent.state() == AgentState::Running;
    agents
        .iter()
        .filter(lives)
        .map(|agent| agent.id().clone())
        .collect()
}

fn ended(agents: &[Agent]) -> Vec<AgentId> {
    let has_ended = |agent: &&Agent| agent.state().has_ended();
    agents
        .iter()
        .filter(has_ended)
        .map(|agent| agent.id().clone())
        .collect()
}
