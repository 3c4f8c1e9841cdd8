//! Who waits for whom while a swarm is brought up.

use std::collections::HashMap;
use std::sync::Arc;

use alveary_core::{AgentId, Error, ErrorKind, Operation, Result};
use tokio::sync::watch;

use super::plan::Planned;

/// How far a member is, for those that come after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    Coming,
    Ready,
    Failed,
}

/// The members of a group, and how far each is.
type Group = Vec<(String, watch::Receiver<Stage>)>;

/// A step on its way.
pub(super) struct Task {
    pub(super) planned: Planned,
    pub(super) stage: watch::Sender<Stage>,
    /// Whoever has to be ready first, group by group: all who come after a group look at one list of it.
    before: Vec<Arc<Group>>,
    /// Whoever has to be gone first, where it is itself to go.
    gone_first: Option<Arc<Group>>,
    /// Whether others wait for it.
    pub(super) awaited: bool,
}

/// The steps, each with those for whom it waits. `waves` says of those that are to go in which order they do.
pub(super) fn tasks(planned: Vec<Planned>, waves: &HashMap<AgentId, usize>) -> Vec<Task> {
    let mut stages: HashMap<String, Group> = HashMap::new();
    let mut going: HashMap<usize, Group> = HashMap::new();
    let mut tasks: Vec<Task> = Vec::with_capacity(planned.len());
    for planned in planned {
        let (stage, seen) = watch::channel(Stage::Coming);
        if planned.record.is_some() {
            stages
                .entry(planned.group.clone())
                .or_default()
                .push((planned.step.name.clone(), seen));
        } else if let Some(wave) = waves.get(&planned.step.id) {
            going
                .entry(*wave)
                .or_default()
                .push((planned.step.name.clone(), seen));
        }
        tasks.push(Task {
            planned,
            stage,
            before: Vec::new(),
            gone_first: None,
            awaited: false,
        });
    }
    let awaited: std::collections::HashSet<String> = tasks
        .iter()
        .flat_map(|task| task.planned.after.iter().cloned())
        .collect();
    let stages = shared(stages);
    let going = shared(going);
    for task in &mut tasks {
        task.awaited = awaited.contains(&task.planned.group);
        let before = task
            .planned
            .after
            .iter()
            .filter_map(|group| stages.get(group));
        task.before = before.cloned().collect();
        let wave = waves.get(&task.planned.step.id);
        let earlier = wave.and_then(|wave| wave.checked_sub(1));
        task.gone_first = earlier.and_then(|wave| going.get(&wave)).cloned();
    }
    tasks
}

fn shared<K: std::hash::Hash + Eq>(groups: HashMap<K, Group>) -> HashMap<K, Arc<Group>> {
    let shared = |(key, group)| (key, Arc::new(group));
    groups.into_iter().map(shared).collect()
}

/// Waits until it is this one's turn, as far as the order goes.
pub(super) async fn wait_for_those_before(task: &Task) -> Result<()> {
    for (_, stage) in task.gone_first.iter().flat_map(|group| group.iter()) {
        // One that could not be made to go keeps the others from going in vain no more than from going.
        let _ = stage
            .clone()
            .wait_for(|stage| *stage != Stage::Coming)
            .await;
    }
    for (name, stage) in task.before.iter().flat_map(|group| group.iter()) {
        let mut stage = stage.clone();
        let reached = stage.wait_for(|stage| *stage != Stage::Coming).await;
        if !matches!(reached.as_deref(), Ok(Stage::Ready)) {
            return Err(Error::new(
                ErrorKind::Conflict,
                Operation::Spawn,
                format!("`{name}`, which it comes after, did not come up"),
            )
            .with_agent(&task.planned.step.id)
            .with_cure("see to that one first"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use alveary_core::AgentSpec;

    use super::*;
    use crate::manager::up::{UpAction, UpStep};
    use crate::state::Record;

    #[test]
    fn all_who_come_after_a_group_look_at_one_list_of_it() {
        let member = |name: &str, group: &str, after: &[&str]| {
            let record = Record::new(AgentId::random(), AgentSpec::new(name, ["true"]));
            Planned {
                step: UpStep {
                    name: name.to_owned(),
                    id: record.id.clone(),
                    action: UpAction::Create,
                },
                group: group.to_owned(),
                record: Some(record),
                seen: None,
                was_to_run: false,
                spares_living: false,
                after: after.iter().map(|name| (*name).to_owned()).collect(),
            }
        };
        let tasks = tasks(
            vec![
                member("db-1", "db", &[]),
                member("db-2", "db", &[]),
                member("web-1", "web", &["db"]),
                member("web-2", "web", &["db"]),
            ],
            &HashMap::new(),
        );
        assert!(tasks[0].awaited && !tasks[2].awaited);
        assert_eq!(tasks[2].before[0].len(), 2);
        assert!(Arc::ptr_eq(&tasks[2].before[0], &tasks[3].before[0]));
    }
}
