//! Bringing agents up, as it is shown.

use alveary::{AgentId, AgentState, Incarnation, UpAction, UpEvent, UpOptions, UpReport, UpStep};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use crate::failure::outcome_of;
use crate::outcome::Outcome;
use crate::together::Unstarted;

/// A step of bringing agents up, told by the manager.
#[derive(Debug)]
pub(crate) enum Step {
    Planned {
        /// These are meant, by id and name.
        meant: Vec<(AgentId, String)>,
        /// What is to be said of those that are not in the file, and are left as they are.
        left: Option<String>,
    },
    /// It was started, or runs already.
    Started {
        id: AgentId,
        name: String,
        /// Which start of it that is.
        start: Incarnation,
        /// Whether it ran before.
        kept: bool,
        /// What is to be said of that it came up.
        how: String,
        pid: Option<u32>,
    },
    Ready(String),
    Removed(String),
    /// It did not come up.
    Failed(Unstarted),
}

fn how(action: &UpAction, state: &AgentState) -> String {
    match (action, state) {
        (UpAction::Keep, _) => "runs already".to_owned(),
        (_, AgentState::Starting { .. }) => "is on its way".to_owned(),
        (UpAction::Recreate { why }, _) => format!("started anew: {why}"),
        _ => "started".to_owned(),
    }
}

/// So many are called by their names.
const NAMED: usize = 5;

fn left(steps: &[UpStep]) -> Option<String> {
    let foreign = steps.iter().filter(|step| step.action == UpAction::Foreign);
    let names: Vec<&str> = foreign.map(|step| &*step.name).collect();
    let called = names.iter().take(NAMED).copied().collect::<Vec<_>>();
    let called = called.join(", ");
    Some(match names.len() {
        0 => return None,
        1 => format!(
            "{called} is not in the file, and is left as it is: `alveary up --prune` removes it"
        ),
        all => {
            let more = match all.saturating_sub(NAMED) {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            format!(
                "{called}{more} are not in the file, and are left as they are: `alveary up --prune` removes them"
            )
        }
    })
}

/// Has the steps told to a channel, which nobody has to wait for.
pub(crate) fn told(options: UpOptions) -> (UpOptions, UnboundedReceiver<Step>) {
    let (tell, told) = unbounded_channel();
    let options = options.with_progress(move |event| {
        if let Some(step) = step(event) {
            // Nobody listens any more when the program is about to end.
            let _ = tell.send(step);
        }
    });
    (options, told)
}

fn step(event: UpEvent<'_>) -> Option<Step> {
    Some(match event {
        UpEvent::Planned(steps) => {
            let meant = steps.iter().filter(|step| step.action != UpAction::Foreign);
            Step::Planned {
                meant: meant
                    .map(|step| (step.id.clone(), step.name.clone()))
                    .collect(),
                left: left(steps),
            }
        }
        UpEvent::Started(step, info) => Step::Started {
            id: step.id.clone(),
            name: step.name.clone(),
            start: info.incarnation,
            kept: step.action == UpAction::Keep,
            how: how(&step.action, &info.state),
            pid: info.pid,
        },
        UpEvent::Ready(step, _) => Step::Ready(step.name.clone()),
        UpEvent::Removed(step) => Step::Removed(step.name.clone()),
        UpEvent::Failed(step, error) => Step::Failed(Unstarted::of(&step.name, error)),
        _ => return None,
    })
}

/// What the shell is told of a bring-up.
pub(crate) fn outcome(report: &UpReport) -> Outcome {
    report
        .failures()
        .map(|(_, error)| outcome_of(error))
        .fold(Outcome::Done, Outcome::or)
}
