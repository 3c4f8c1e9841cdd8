//! Bringing agents up, as it is shown.

use alveary::{AgentId, AgentState, Incarnation, UpAction, UpEvent, UpOptions, UpReport};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use crate::failure::outcome_of;
use crate::outcome::Outcome;
use crate::together::Unstarted;

/// A step of bringing agents up, told by the manager.
#[derive(Debug)]
pub(crate) enum Step {
    /// These are meant, by id and name.
    Planned(Vec<(AgentId, String)>),
    /// It was started, or runs already.
    Started {
        id: AgentId,
        name: String,
        /// Which start of it that is.
        start: Incarnation,
        /// Whether it ran before.
        kept: bool,
        /// Whether its start is accepted, and something is waited for before it is made.
        coming: bool,
        pid: Option<u32>,
    },
    Ready(String),
    Removed(String),
    /// It did not come up.
    Failed(Unstarted),
}

/// What is said of one that was started.
pub(crate) fn how_it_stands(kept: bool, coming: bool) -> &'static str {
    match (kept, coming) {
        (true, _) => "runs already",
        (false, true) => "is on its way",
        (false, false) => "started",
    }
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
            Step::Planned(
                meant
                    .map(|step| (step.id.clone(), step.name.clone()))
                    .collect(),
            )
        }
        UpEvent::Started(step, info) => Step::Started {
            id: step.id.clone(),
            name: step.name.clone(),
            start: info.incarnation,
            kept: step.action == UpAction::Keep,
            coming: matches!(info.state, AgentState::Starting { .. }),
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
