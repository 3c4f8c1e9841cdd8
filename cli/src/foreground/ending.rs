//! How agents are ended at a first, a second and a third Ctrl-C, and when nobody waits for that any more.

use std::future::pending;
use std::time::Duration;

use alveary::SwarmManager;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};

use crate::outcome::Outcome;
use crate::show::Show;

/// How long an engine that is well may take to say so.
const MOMENT: Duration = Duration::from_secs(2);

/// How far one has come in ending agents.
#[derive(Debug, Default)]
pub(super) struct Ending {
    /// How often it was begun or asked for.
    times: u32,
    pulse: Pulse,
}

/// Whether the engine answers, from the first Ctrl-C on.
#[derive(Debug, Default)]
enum Pulse {
    #[default]
    Unasked,
    Asked(JoinHandle<bool>, Instant),
    Felt,
}

impl Ending {
    pub(super) fn has_begun(&self) -> bool {
        self.times > 0
    }

    /// Agents are ended though nobody has asked for it.
    pub(super) fn begin(&mut self) {
        self.times = self.times.max(1);
    }

    /// Somebody asks for it, once more. Gives whether it is done by force; none: it is not waited for any more, where
    /// something `waits`.
    pub(super) fn once_more(
        &mut self,
        swarm: &SwarmManager,
        show: &mut Show,
        waits: bool,
    ) -> Option<bool> {
        self.times += 1;
        if self.times > 2 {
            if waits {
                leave(show, "not waited for");
            }
            return None;
        }
        if matches!(self.pulse, Pulse::Unasked) {
            let backend = swarm.backend().clone();
            let answer = tokio::spawn(async move { backend.check().await.is_ok() });
            self.pulse = Pulse::Asked(answer, Instant::now() + MOMENT);
        }
        let by_force = self.times > 1;
        show.say(if by_force {
            "ending them by force"
        } else {
            "stopping; Ctrl-C once more ends them by force"
        });
        Some(by_force)
    }

    /// Waits until force is to be used and the engine should have answered and has not; for ever where it has. Dropping
    /// the call loses nothing.
    pub(super) async fn is_in_vain(&mut self) {
        if self.times < 2 {
            return pending().await;
        }
        if let Pulse::Asked(answer, until) = &mut self.pulse {
            match timeout_at(*until, answer).await {
                Ok(Ok(true)) => self.pulse = Pulse::Felt,
                _ => return,
            }
        }
        pending::<()>().await;
    }
}

/// Says why nobody waits any more for agents to end, and how one sees which live. Gives what the shell is told.
pub(super) fn leave(show: &mut Show, why: &str) -> Outcome {
    show.say(format_args!(
        "{why}: agents may go on; `alveary ps` shows which, and `alveary down` ends them"
    ));
    Outcome::Interrupted
}
