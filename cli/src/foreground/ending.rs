//! How agents are ended at a first, a second and a third Ctrl-C, and when nobody waits for that any more.

use std::future::pending;
use std::time::Duration;

use alveary::{Error, Escaped, SwarmManager};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};

use crate::failure::without_numbers;
use crate::outcome::Outcome;
use crate::show::Show;

/// How long an engine that is well may take to say so.
const MOMENT: Duration = Duration::from_secs(3);

/// How far one has come in ending agents.
#[derive(Debug, Default)]
pub(super) struct Ending {
    /// How often it was begun or asked for.
    times: u32,
    pulse: Pulse,
}

/// Whether the engine answers, since it was last asked.
#[derive(Debug, Default)]
enum Pulse {
    #[default]
    Unasked,
    Asked(JoinHandle<Option<Error>>, Instant),
    Felt,
}

/// What a Ctrl-C comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Press {
    /// Agents are asked to end, each with its grace.
    Gently,
    ByForce,
    /// Nobody waits for them any more.
    Leave,
}

impl Ending {
    pub(super) fn has_begun(&self) -> bool {
        self.times > 0
    }

    /// Agents are ended though nobody has asked for it.
    pub(super) fn begin(&mut self) {
        self.times = self.times.max(1);
    }

    /// Somebody asks for it, once more; there may be something that is `waiting` to be done.
    pub(super) fn press(&mut self, swarm: &SwarmManager, show: &mut Show, waiting: bool) -> Press {
        self.times += 1;
        let press = match self.times {
            1 => Press::Gently,
            2 => Press::ByForce,
            _ => {
                if waiting {
                    leave(show, "left before all had ended");
                }
                return Press::Leave;
            }
        };
        // Anew each time: it may have come or gone since.
        let backend = swarm.backend().clone();
        let answer = tokio::spawn(async move { backend.check().await.err() });
        self.pulse = Pulse::Asked(answer, Instant::now() + MOMENT);
        show.say(match press {
            Press::ByForce => "ending them by force",
            _ => "stopping; Ctrl-C once more ends them by force",
        });
        press
    }

    /// Waits until force is to be used and the engine cannot be had, and gives why; for ever where it can. Dropping the
    /// call loses nothing.
    pub(super) async fn is_in_vain(&mut self) -> String {
        if self.times < 2 {
            return pending().await;
        }
        if let Pulse::Asked(answer, until) = &mut self.pulse {
            match timeout_at(*until, answer).await {
                Ok(Ok(None)) => self.pulse = Pulse::Felt,
                Ok(Ok(Some(error))) => {
                    let why = without_numbers(error.message());
                    return Escaped(&why).to_string();
                }
                _ => return "the engine does not answer".to_owned(),
            }
        }
        pending().await
    }
}

/// Says why nobody waits any more for agents to end, and how one sees which live. Gives what the shell is told.
pub(super) fn leave(show: &mut Show, why: &str) -> Outcome {
    show.say(format_args!(
        "{why}: agents may go on; `alveary ps` shows which, and `alveary down` ends them"
    ));
    Outcome::Interrupted
}
