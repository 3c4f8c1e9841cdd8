//! What agents use up.

use std::collections::HashMap;
use std::time::Duration;

use alveary::{AgentId, SwarmManager, Usage};
use futures_util::future::join_all;
use futures_util::{Stream, stream};
use tokio::time::{MissedTickBehavior, interval};

use super::News;
use crate::top::row::Used;

/// How much time is between two readings.
const EVERY: Duration = Duration::from_secs(1);

/// How long one agent may keep the others waiting.
const PATIENCE: Duration = Duration::from_secs(5);

pub(super) fn usage(swarm: &SwarmManager) -> impl Stream<Item = News> + use<> {
    let mut pace = interval(EVERY);
    pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let before = HashMap::new();
    stream::unfold((swarm.clone(), pace, before), async |state| {
        let (swarm, mut pace, before) = state;
        pace.tick().await;
        let now = read(&swarm).await;
        let used = now
            .iter()
            .map(|(id, usage)| (id.clone(), used(usage, before.get(id))));
        let news = News::Usage(used.collect());
        Some((news, (swarm, pace, now)))
    })
}

fn used(now: &Usage, before: Option<&Usage>) -> Used {
    Used {
        cpu: before.and_then(|before| now.cpu_percent_since(before)),
        memory: now.memory,
        pids: now.pids,
    }
}

/// Of whom it can be read. Why it cannot be of others is seen by their states.
async fn read(swarm: &SwarmManager) -> HashMap<AgentId, Usage> {
    let (Some(facet), Ok(agents)) = (swarm.backend().stats(), swarm.list().await) else {
        return HashMap::new();
    };
    let living = agents.iter().filter(|agent| !agent.is_settled());
    let reads = living.map(|agent| async {
        let read = tokio::time::timeout(PATIENCE, facet.read(agent.id())).await;
        Some((agent.id().clone(), read.ok()?.ok()?))
    });
    join_all(reads).await.into_iter().flatten().collect()
}
