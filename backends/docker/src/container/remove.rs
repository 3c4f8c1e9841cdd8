//! Forgetting an agent: its container, its secrets, what is recorded of it.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use alveary_core::{AgentId, Error, ErrorKind, Operation, RemoveOptions, Result};
use tokio::time::{Instant, sleep};

use super::coming::CalledOff;
use super::{Containers, detached, named};
use crate::classify::{Class, Trouble};
use crate::engine::{Container, Engine, Ref};

/// A container that was seen to be an agent's.
#[derive(Debug)]
pub(super) struct Seen {
    container: Ref,
    name: String,
}

impl Seen {
    fn of(container: &Container) -> Self {
        Self {
            container: container.id.clone(),
            name: container.name.clone(),
        }
    }
}

/// Those whose end was seen, so that one that is stopped and then removed is not looked for twice.
#[derive(Debug, Default)]
pub(super) struct Ended(Mutex<HashMap<AgentId, Seen>>);

impl Ended {
    fn locked(&self) -> MutexGuard<'_, HashMap<AgentId, Seen>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn see(&self, id: &AgentId, container: &Container) {
        self.locked().insert(id.clone(), Seen::of(container));
    }

    fn take(&self, id: &AgentId) -> Option<Seen> {
        self.locked().remove(id)
    }
}

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
            Some(CalledOff::Yes | CalledOff::Failed) => {
                self.0.comings.forget(id);
                true
            }
        };
        let (this, id) = (self.clone(), id.clone());
        detached(Operation::Remove, async move {
            let seat = this.seat(&id);
            let _seated = seat.lock().await;
            if let Some(ended) = this.0.ended.take(&id) {
                // By what the engine calls it, so that no other start of it is meant.
                match this.take_away(&id, &ended, false).await {
                    Err(Trouble {
                        class: Class::StillRunning,
                        ..
                    }) => {}
                    Err(Trouble {
                        class: Class::NoContainer,
                        ..
                    }) => {
                        this.0.asks.forget(&ended.container);
                        this.0.hints.forget(&ended.container);
                    }
                    removed => return this.forget(&id, &ended, removed),
                }
            }
            let agent = match this.find(&id, Operation::Remove).await {
                Err(error) if error.kind() == ErrorKind::NotFound => {
                    // Whoever has taken its container away may know nothing of its secrets.
                    this.0.secrets.forget(&id);
                    return if was_coming { Ok(()) } else { Err(error) };
                }
                found => found?,
            };
            let seen = Seen::of(&agent.container);
            let removed = this.take_away(&id, &seen, options.force).await;
            this.forget(&id, &seen, removed)
        })
        .await
    }

    fn forget(&self, id: &AgentId, seen: &Seen, removed: Result<(), Trouble>) -> Result<()> {
        let removed = match removed {
            Ok(()) => Ok(()),
            Err(trouble) if trouble.class == Class::NoContainer => {
                Err(Error::agent_not_found(Operation::Remove, id))
            }
            Err(trouble) => return Err(trouble.error(Operation::Remove)),
        };
        self.0.asks.forget(&seen.container);
        self.0.hints.forget(&seen.container);
        self.0.secrets.forget(id);
        removed
    }

    async fn take_away(&self, id: &AgentId, seen: &Seen, force: bool) -> Result<(), Trouble> {
        let container = &seen.container;
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
        let next = named(&self.0.names.of_next(id))?;
        if seen.name != next.as_str()
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
