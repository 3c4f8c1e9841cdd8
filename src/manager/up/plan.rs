//! From what is wanted and what is there to what is to be done: a comparison, without an engine.

use std::collections::HashMap;
use std::sync::Arc;

use alveary_core::{AgentId, AgentInfo, AgentSpec, AgentState, Incarnation, Result, SpecHash};
use serde_json::Value;

use super::{UpAction, UpStep};
use crate::manager::start::name_taken;
use crate::state::{Desired, Record};

/// An agent as it is to be.
#[derive(Debug, Clone)]
pub(super) struct Wanted {
    pub(super) record: Record,
    /// Whether it is started anew though nothing about it has changed.
    pub(super) anew: bool,
    pub(super) spares: Spares,
}

/// Who is not ended where he lives by the name of one that is wanted: the name is his.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Spares {
    Nobody,
    OtherGroups,
    Everybody,
}

impl Wanted {
    pub(super) fn id(&self) -> &AgentId {
        &self.record.id
    }
}

/// An agent that is there: in the engine, in the records, or in both.
#[derive(Debug, Clone)]
pub(super) struct Known {
    pub(super) id: AgentId,
    pub(super) name: String,
    pub(super) group: String,
    /// Whether it lives, or is about to: it will be started again, or somebody is there to start it.
    pub(super) lives: bool,
    pub(super) info: Option<AgentInfo>,
    pub(super) record: Option<Arc<Record>>,
}

/// A step, with all that is needed to take it.
#[derive(Debug, Clone)]
pub(super) struct Planned {
    pub(super) step: UpStep,
    pub(super) group: String,
    /// What is to be recorded; `None` for those that are not in the file.
    pub(super) record: Option<Record>,
    /// The start that was seen, if any.
    pub(super) seen: Option<Incarnation>,
    /// Whether it was recorded as one that is to run: if it is no more when the plan is recorded, somebody has
    /// stopped it since.
    pub(super) was_to_run: bool,
    /// Whether whoever lives by now, and was not seen, is left alone.
    pub(super) spares_living: bool,
    pub(super) after: Vec<String>,
}

/// What is to be done, in the order of `wanted`, and then about everybody else.
///
/// `AlreadyExists`: one that is to be spared lives.
pub(super) fn plan(wanted: Vec<Wanted>, known: Vec<Known>, prune: bool) -> Result<Vec<Planned>> {
    let mut by_id: HashMap<AgentId, Known> = known.into_iter().map(|k| (k.id.clone(), k)).collect();
    let mut steps: Vec<Planned> = Vec::with_capacity(wanted.len());
    for Wanted {
        mut record,
        anew,
        spares,
    } in wanted
    {
        let known = by_id.remove(&record.id);
        let spared = known.as_ref().filter(|known| match spares {
            Spares::Nobody => false,
            Spares::OtherGroups => known.group != record.group,
            Spares::Everybody => true,
        });
        if spared.is_some_and(|spared| spared.lives) {
            return Err(name_taken(record.name(), &record.id));
        }
        let spares_living = spared.is_some();
        let action = known
            .as_ref()
            .map_or(UpAction::Create, |k| compare(&record, anew, k));
        let old = known.as_ref().and_then(|known| known.record.as_deref());
        if let Some(old) = old {
            record.since = old.since;
            record.incarnation = old.incarnation;
        }
        let was_to_run = old.is_some_and(|old| old.desired == Desired::Running);
        steps.push(Planned {
            step: UpStep {
                name: record.name().to_owned(),
                id: record.id.clone(),
                action,
            },
            group: record.group.clone(),
            seen: known
                .and_then(|known| known.info)
                .map(|info| info.incarnation),
            was_to_run,
            spares_living,
            after: record.after.clone(),
            record: Some(record),
        });
    }
    let mut others: Vec<_> = by_id.into_values().collect();
    others.sort_by(|a, b| a.name.cmp(&b.name));
    let others = others.into_iter().map(|known| Planned {
        step: UpStep {
            name: known.name,
            id: known.id,
            action: if prune {
                UpAction::Prune
            } else {
                UpAction::Foreign
            },
        },
        group: known.group,
        record: None,
        seen: known.info.map(|info| info.incarnation),
        was_to_run: false,
        spares_living: false,
        after: Vec::new(),
    });
    steps.extend(others);
    Ok(steps)
}

fn compare(wanted: &Record, anew: bool, known: &Known) -> UpAction {
    let asked = || anew.then(|| "it was asked for".to_owned());
    let changed = change(wanted, known).or_else(asked);
    let Some(info) = &known.info else {
        return UpAction::Start {
            why: "it was never started".to_owned(),
        };
    };
    match (&info.state, changed) {
        (AgentState::Exited(exit), _) => UpAction::Start {
            why: format!("it {exit}"),
        },
        (AgentState::Failed { reason }, _) => UpAction::Start {
            why: format!("it failed: {reason}"),
        },
        (AgentState::Stopping, _) => UpAction::Start {
            why: "it is being stopped".to_owned(),
        },
        (AgentState::Unknown { .. }, None) => UpAction::Start {
            why: "it is not known whether it runs".to_owned(),
        },
        (_, Some(why)) => UpAction::Recreate { why },
        (_, None) => UpAction::Keep,
    }
}

/// In what an agent differs from what it is to be, if it does.
fn change(wanted: &Record, known: &Known) -> Option<String> {
    let recorded = known.record.as_deref().map(|record| &*record.spec);
    // What it was started from counts; what was recorded later may never have come to be.
    let started_from = known
        .info
        .as_ref()
        .map(|info| info.spec_hash)
        .filter(|hash| *hash != SpecHash::default())
        .or_else(|| recorded.map(AgentSpec::hash))?;
    if started_from == wanted.spec.hash() {
        return None;
    }
    let keys = recorded.map(|old| differing(old, &wanted.spec));
    Some(match keys.as_deref() {
        Some([]) | None => "it was started from something else".to_owned(),
        Some(keys) => format!("{} changed", keys.join(", ")),
    })
}

/// The keys in which two specs differ. No values: they may be nobody's business.
fn differing(old: &AgentSpec, new: &AgentSpec) -> Vec<String> {
    let keys = |spec: &AgentSpec| match serde_json::to_value(spec) {
        Ok(Value::Object(keys)) => keys,
        _ => serde_json::Map::new(),
    };
    let (old, new) = (keys(old), keys(new));
    let mut differing: Vec<String> = old
        .keys()
        .chain(new.keys())
        .filter(|key| old.get(*key) != new.get(*key))
        .cloned()
        .collect();
    differing.sort_unstable();
    differing.dedup();
    differing
}

#[cfg(test)]
mod tests {
    use super::*;
    use alveary_core::{EndedBy, Exit, ExitStatus};

    fn record(name: &str, command: &str) -> Record {
        Record::new(
            AgentId::new(format!("id-of-{name}")).unwrap(),
            AgentSpec::new(name, [command]),
        )
    }

    fn known(record: &Record, state: Option<AgentState>) -> Known {
        let info = state.map(|state| {
            let mut info =
                AgentInfo::new(record.id.clone(), record.incarnation, record.name(), state);
            info.spec_hash = record.spec.hash();
            info
        });
        Known {
            id: record.id.clone(),
            name: record.name().to_owned(),
            group: record.group.clone(),
            lives: info.as_ref().is_some_and(|info| !info.state.has_ended()),
            info,
            record: Some(Arc::new(record.clone())),
        }
    }

    fn exited() -> AgentState {
        AgentState::Exited(Exit::new(ExitStatus::Code(7), EndedBy::Itself))
    }

    fn lines(wanteds: &[Record], known: Vec<Known>, prune: bool) -> Vec<String> {
        let wanted = |record: &Record| Wanted {
            record: record.clone(),
            anew: false,
            spares: Spares::Nobody,
        };
        let wanted = wanteds.iter().map(wanted).collect();
        let planned = plan(wanted, known, prune).unwrap();
        planned
            .iter()
            .map(|planned| planned.step.to_string())
            .collect()
    }

    #[test]
    fn each_agent_gets_the_step_that_it_needs() {
        let fresh = record("fresh", "true");
        let running = record("running", "true");
        let ended = record("ended", "true");
        let never = record("never", "true");
        let ending = record("ending", "true");
        let old = record("changed", "true");
        let mut changed = record("changed", "false");
        Arc::make_mut(&mut changed.spec)
            .env
            .insert("A".into(), "hidden".into());
        let gone = record("gone", "true");
        let known = vec![
            known(&running, Some(AgentState::Running)),
            known(&ended, Some(exited())),
            known(&never, None),
            known(&ending, Some(AgentState::Stopping)),
            known(&old, Some(AgentState::Running)),
            known(&gone, Some(AgentState::Running)),
        ];
        let wanted = [fresh, running, ended, never, ending, changed];
        assert_eq!(
            lines(&wanted, known.clone(), false),
            [
                "create fresh",
                "keep running",
                "start ended: it exited with code 7",
                "start never: it was never started",
                "start ending: it is being stopped",
                "recreate changed: command, env changed",
                "leave gone: it is not in the file (`--prune` removes it)",
            ]
        );
        assert_eq!(
            lines(&wanted, known, true).last().unwrap(),
            "remove gone: it is not in the file"
        );
    }

    #[test]
    fn what_an_agent_was_started_from_counts_and_not_what_was_recorded_since() {
        let new = record("echo", "new");
        let mut there = known(&new, Some(AgentState::Running));
        if let Some(info) = &mut there.info {
            info.spec_hash = record("echo", "old").spec.hash();
        }
        assert_eq!(
            lines(&[new], vec![there], false),
            ["recreate echo: it was started from something else"]
        );
    }
}
