//! Forgetting an agent: its container, its secrets, what is recorded of it.

use std::time::Duration;

use alveary_core::{AgentId, Error, ErrorKind, Operation, RemoveOptions, Result};
use tokio::time::{Instant, sleep};

use super::agent::Agent;
use super::coming::CalledOff;
use super::{Containers, detached, named};
use crate::classify::{Class, Trouble};
use crate::engine::{Engine, Ref};

impl<E: Engine> Containers<E> {
    pub(super) async fn remove_agent(&self, id: &AgentId, options: RemoveOptions) -> Result<()> {
        let coming = self.0.comings.get(id);
        if coming
            .as_ref()
            .is_some_and(|info| !(options.force || info.state.has_ended()))
        {
            return Err(Trouble::new(Class::StillRunning, "").error(Operation::Remove));
        }
        let was_coming = match self.0.comings.call_off(id) {
            None | Some(CalledOff::TooLate) => false,
            Some(CalledOff::Yes | CalledOff::Failed(_)) => {
                self.0.comings.forget(id);
                true
            }
        };
        let (this, id) = (self.clone(), id.clone());
        detached(Operation::Remove, async move {
            let seat = this.seat(&id);
            let _seated = seat.lock().await;
            let agent = match this.find(&id, Operation::Remove).await {
                Err(error) if was_coming && error.kind() == ErrorKind::NotFound => return Ok(()),
                found => found?,
            };
            this.take_away(&agent, options.force)
                .await
                .map_err(|trouble| match trouble.class {
                    Class::NoContainer => Error::agent_not_found(Operation::Remove, &id),
                    _ => trouble.error(Operation::Remove),
                })?;
            this.0.asks.forget(&agent.container.id);
            this.0.hints.forget(&agent.container.id);
            this.0.secrets.forget(&id);
            Ok(())
        })
        .await
    }

    async fn take_away(&self, agent: &Agent, force: bool) -> Result<(), Trouble> {
        let container = &agent.container.id;
        let turn = self.0.removals.next().await;
        match self.engine().remove(container, force).await {
            Ok(()) => turn.answered(),
            Err(trouble) if trouble.class == Class::BeingRemoved => {
                self.until_gone(container).await?;
            }
            Err(trouble) if trouble.class == Class::Lost => {
                turn.unanswered();
                // It may be done, or be about to be.
                if self.engine().inspect(container).await?.is_some() {
                    return Err(trouble);
                }
            }
            Err(trouble) => return Err(trouble),
        }
        // What was made to take its place and never did.
        let next = named(&self.0.names.of_next(&agent.marks.id))?;
        if agent.container.name != next.as_str()
            && let Some(next) = self.engine().inspect(&next).await?
            && let Some(next) = self.ours(next)
        {
            self.sweep(&next).await?;
        }
        Ok(())
    }

    /// Somebody else removes it: seen to its end.
    pub(super) async fn until_gone(&self, container: &Ref) -> Result<(), Trouble> {
        let limit = Instant::now() + self.0.settings.timeout.remove;
        let mut pause = Duration::from_millis(5);
        while self.engine().inspect(container).await?.is_some() {
            if Instant::now() >= limit {
                return Err(Trouble::new(
                    Class::Lost,
                    "its removal by somebody else does not end",
                ));
            }
            sleep(pause).await;
            pause = (pause * 2).min(Duration::from_millis(200));
        }
        Ok(())
    }
}
