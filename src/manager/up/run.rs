//! Taking the steps: in order where it was asked for, at once where it is not.

use std::collections::HashMap;
use std::sync::Arc;

use alveary_core::{
    AgentBackend, AgentId, AgentInfo, ErrorKind, Incarnation, RemoveOptions, Result, StopOptions,
};
use tokio::sync::Semaphore;

use super::order::{Stage, Task, tasks, wait_for_those_before};
use super::plan::Planned;
use super::{UpAction, UpEvent, UpOptions, UpOutcome, UpReport, UpStep};
use crate::manager::SwarmManager;
use crate::manager::bulk::each;
use crate::manager::start::Next;
use crate::state::{Change, Desired, Record};

pub(in super::super) async fn run<B: AgentBackend + ?Sized>(
    swarm: &SwarmManager<B>,
    planned: Vec<Planned>,
    options: &UpOptions,
) -> Result<UpReport> {
    let steps: Vec<_> = planned.iter().map(|planned| planned.step.clone()).collect();
    options.tell(UpEvent::Planned(&steps));
    let turns = Semaphore::new(swarm.core().options.concurrency.max(1));
    let tasks = tasks(planned, &going(swarm, &steps));
    let mut outcomes = each(tasks, usize::MAX, |task| {
        let turns = &turns;
        async move {
            let result = take(swarm, &task, options, turns).await;
            task.stage.send_replace(match &result {
                Ok(_) => Stage::Ready,
                Err(_) => Stage::Failed,
            });
            let result = stays(swarm, &task.planned.step, options, result).await;
            if let Err(error) = &result {
                options.tell(UpEvent::Failed(&task.planned.step, error));
            }
            UpOutcome {
                step: task.planned.step,
                result,
            }
        }
    })
    .await;
    if options.wait_ready {
        // While the others became ready, one that was may have ended.
        for outcome in outcomes.iter_mut().filter(|o| o.started().is_some()) {
            if let Err(error) = swarm.core().has_not_failed(&outcome.step.id) {
                options.tell(UpEvent::Failed(&outcome.step, &error));
                outcome.result = Err(error);
            }
        }
    }
    swarm.core().record_begun().await;
    Ok(UpReport { outcomes })
}

/// In which order those go that are to go: whoever comes after another goes before it.
fn going<B: AgentBackend + ?Sized>(
    swarm: &SwarmManager<B>,
    steps: &[UpStep],
) -> HashMap<AgentId, usize> {
    let core = swarm.core();
    let going = steps.iter().filter(|step| step.action == UpAction::Prune);
    let going = going
        .filter_map(|step| core.table.agent(&step.id))
        .collect();
    let waves = core.last_first(going).into_iter().enumerate();
    waves
        .flat_map(|(wave, agents)| agents.into_iter().map(move |agent| (agent.info.id, wave)))
        .collect()
}

/// Writes down, all at once, who is new, what else is recorded of those that stay as they are, and who of the
/// stopped is due to be started. With what they are started again is recorded in their turn.
///
/// `false`, and nothing is written: since the plan was made somebody else has recorded one of the new names,
/// under an id that is to be kept.
pub(in super::super) async fn record_all<B: AgentBackend + ?Sized>(
    swarm: &SwarmManager<B>,
    planned: &[Planned],
) -> Result<bool> {
    let core = swarm.core();
    let mut overtaken = false;
    let intender = if planned.iter().any(|planned| planned.step.action.starts()) {
        core.store.intender()?
    } else {
        None
    };
    core.store
        .commit(&core.table, |records| {
            overtaken = planned.iter().any(|planned| {
                planned.step.action == UpAction::Create && records.named(&planned.step.name).is_some()
            });
            let mut changes = Vec::new();
            if overtaken {
                return Ok(changes);
            }
            for planned in planned {
                let Some(record) = &planned.record else {
                    continue;
                };
                let old = records.get(&record.id);
                let put = match (&planned.step.action, old) {
                    (UpAction::Keep, Some(old)) => {
                        let kept = kept(old, record, planned.was_to_run);
                        (**old != kept).then_some(kept)
                    }
                    // What next_start puts in place needs something to be there.
                    (UpAction::Create, _)
                    | (
                        UpAction::Keep | UpAction::Start { .. } | UpAction::Recreate { .. },
                        None,
                    ) => Some(Record {
                        intended_by: intender,
                        ..record.clone()
                    }),
                    (UpAction::Start { .. } | UpAction::Recreate { .. }, Some(old)) => {
                        let due = due(old, planned.was_to_run, intender);
                        (**old != due).then_some(due)
                    }
                    _ => None,
                };
                changes.extend(put.map(|record| Change::Put(Arc::new(record))));
            }
            Ok(changes)
        })
        .await?;
    Ok(!overtaken)
}

/// What is recorded of one that stays as it is: what the file says of it, and of its life what is recorded by
/// now. Whoever stopped it since the plan was made is obeyed.
fn kept(now: &Record, wanted: &Record, was_to_run: bool) -> Record {
    Record {
        group: wanted.group.clone(),
        index: wanted.index,
        after: wanted.after.clone(),
        spec: Arc::clone(&wanted.spec),
        desired: if was_to_run {
            now.desired
        } else {
            Desired::Running
        },
        ..now.clone()
    }
}

/// What is recorded of one that is to be started once its turn comes: whoever stops it from now on is obeyed, and
/// one whose first start nobody has made is now ours to start.
fn due(now: &Record, was_to_run: bool, intender: Option<Incarnation>) -> Record {
    Record {
        due: now.due || !was_to_run && now.desired == Desired::Stopped,
        intended_by: now.intended_by.and(intender),
        ..now.clone()
    }
}

async fn take<B: AgentBackend + ?Sized>(
    swarm: &SwarmManager<B>,
    task: &Task,
    options: &UpOptions,
    turns: &Semaphore,
) -> Result<Option<AgentInfo>> {
    let step = &task.planned.step;
    if step.action == UpAction::Foreign {
        return Ok(None);
    }
    if step.action != UpAction::Keep {
        wait_for_those_before(task).await?;
    }
    let info = {
        // A turn is held while the engine works, not while somebody else is waited for.
        let _turn = turns.acquire().await;
        if step.action != UpAction::Keep {
            options.tell(UpEvent::Begun(step));
        }
        act(swarm, &task.planned).await?
    };
    let Some(info) = info else {
        options.tell(UpEvent::Removed(step));
        return Ok(None);
    };
    options.tell(UpEvent::Started(step, &info));
    if !(options.wait_ready || task.awaited) {
        return Ok(Some(info));
    }
    let info = swarm.core().wait_up(&info).await?;
    if !options.wait_ready {
        options.tell(UpEvent::Ready(step, &info));
    }
    Ok(Some(info))
}

/// Where each is waited for: one that is up is ready if it has not ended badly a moment later. Those that come after it do not
/// wait for that.
async fn stays<B: AgentBackend + ?Sized>(
    swarm: &SwarmManager<B>,
    step: &UpStep,
    options: &UpOptions,
    result: Result<Option<AgentInfo>>,
) -> Result<Option<AgentInfo>> {
    if let Ok(Some(info)) = &result
        && options.wait_ready
    {
        swarm.core().wait_a_moment(info).await;
        swarm.core().has_not_failed(&info.id)?;
        options.tell(UpEvent::Ready(step, info));
    }
    result
}

async fn act<B: AgentBackend + ?Sized>(
    swarm: &SwarmManager<B>,
    planned: &Planned,
) -> Result<Option<AgentInfo>> {
    let core = swarm.core();
    let id = &planned.step.id;
    match (&planned.step.action, &planned.record) {
        (UpAction::Create, Some(record)) => core.first_start_of_recorded(record).await.map(Some),
        (UpAction::Start { .. } | UpAction::Recreate { .. }, Some(record)) => {
            let record = if matches!(planned.step.action, UpAction::Recreate { .. }) {
                Some(record.clone())
            } else {
                changed(core.store.look(|records| records.get(id).cloned()), record)
            };
            let next = Next {
                seen: planned.seen,
                record,
                unless_stopped: true,
                spares_living: planned.spares_living,
                ..Next::default()
            };
            core.next_start(id, next).await.map(Some)
        }
        (UpAction::Keep, _) => Ok(core.table.agent(id).map(|agent| agent.info)),
        (UpAction::Prune, _) => {
            let stopped = swarm.stop(id, StopOptions::default()).await;
            match stopped {
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
                _ => {}
            }
            core.forget(id, RemoveOptions::default()).await?;
            Ok(None)
        }
        _ => Ok(None),
    }
}

/// What is to be recorded anew before a start; `None` where the record is right as it is, so that a start
/// that was begun can be finished.
fn changed(old: Option<Arc<Record>>, new: &Record) -> Option<Record> {
    let same = old.is_some_and(|old| {
        old.spec == new.spec
            && old.group == new.group
            && old.index == new.index
            && old.after == new.after
    });
    (!same).then(|| new.clone())
}

#[cfg(test)]
mod tests {
    use alveary_core::AgentSpec;

    use super::*;

    #[test]
    fn what_happened_to_an_agent_since_the_plan_is_kept() {
        let planned = Record::new(AgentId::random(), AgentSpec::new("echo", ["true"]));
        let mut wanted = planned.clone();
        wanted.group = "echoes".into();
        // Restarted, ready and stopped while the plan was made.
        let mut now = planned;
        now.incarnation = Incarnation::random();
        now.ready = Some(now.incarnation);
        now.restarts = vec![1];
        now.desired = Desired::Stopped;
        let kept = kept(&now, &wanted, true);
        assert_eq!(kept.group, "echoes");
        assert_eq!(
            (kept.incarnation, kept.ready, kept.restarts, kept.desired),
            (now.incarnation, now.ready, now.restarts, Desired::Stopped)
        );
    }
}
