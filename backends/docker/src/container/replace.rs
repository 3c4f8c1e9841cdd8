//! The next start of an agent takes the place of the last one, which stays until the next is made.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use alveary_core::{AgentId, Operation, Result};

use super::agent::Agent;
use super::namesakes::of_a_namesake;
use super::spawn::{Holder, Made, already_exists, busy};
use super::{Containers, named};
use crate::classify::{Class, Trouble};
use crate::engine::{Engine, Ref};
use crate::plan::Plan;

const ATTEMPTS: usize = 8;

/// Agents of which a container was seen, or may be, that waits for the name of the last one and never got it.
#[derive(Debug, Default)]
pub(super) struct Halfway(Mutex<HashSet<AgentId>>);

impl Halfway {
    pub(super) fn add(&self, id: &AgentId) {
        let mut agents = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        agents.insert(id.clone());
    }

    fn take(&self, id: &AgentId) -> bool {
        let mut agents = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        agents.remove(id)
    }
}

impl<E: Engine> Containers<E> {
    /// Made first under another name, so that what makes the making impossible leaves the last end readable.
    /// Nothing is started on the way: whoever dies here leaves nothing that runs.
    pub(super) async fn replace(&self, last: &Agent, plan: &Plan) -> Result<Made> {
        let next = match self.make_next(plan).await? {
            Ok(next) => next,
            Err(no_image) => {
                return Ok(Made::NoImage(no_image, Some(last.container.id.clone())));
            }
        };
        let replaced = self.take_place(last, &next, plan).await;
        match replaced {
            Ok(()) => {
                self.0.secrets.forget_others(plan);
                Ok(Made::New(next))
            }
            // Another manager was faster.
            Err(trouble) if trouble.class == Class::NameTaken => {
                let swept = self.engine().remove(&next, false).await;
                if let Err(error) = swept {
                    tracing::debug!(words = %error.words, "an intent is left to be swept");
                }
                Err(already_exists())
            }
            Err(trouble) => {
                self.0.halfway.add(&plan.marks.id);
                Err(trouble.error(Operation::Spawn))
            }
        }
    }

    /// Goes on where an earlier call, or an earlier manager, came no further than between the last start and its name.
    pub(super) async fn go_on_replacing(&self, plan: &Plan) -> Result<Option<Ref>> {
        if !self.0.halfway.take(&plan.marks.id) {
            return Ok(None);
        }
        let gone_on = self.name_what_waits(plan).await;
        match &gone_on {
            Ok(Some(_)) => self.0.secrets.forget_others(plan),
            Ok(None) => {}
            Err(_) => self.0.halfway.add(&plan.marks.id),
        }
        gone_on
    }

    async fn name_what_waits(&self, plan: &Plan) -> Result<Option<Ref>> {
        let spawning = |trouble: Trouble| trouble.error(Operation::Spawn);
        let holder = self.holder(plan, &plan.next_name).await;
        match holder.map_err(spawning)? {
            Holder::This(next) if is_of(&next, plan) => {
                let heeded = self.heed_again(&next.container, &plan.limits).await;
                heeded.map_err(spawning)?;
                match self.rename(&next.container.id, plan).await {
                    Ok(()) => Ok(Some(next.container.id)),
                    // The last start is still there, and is replaced as ever.
                    Err(trouble) if trouble.class == Class::NameTaken => Ok(None),
                    Err(trouble) => Err(spawning(trouble)),
                }
            }
            Holder::This(_) | Holder::Living => Err(already_exists()),
            Holder::Intent(other) | Holder::Ended(other) => {
                self.sweep(&other).await.map_err(spawning)?;
                Ok(None)
            }
            Holder::Nobody | Holder::Stranger | Holder::Namesake(_) => Ok(None),
        }
    }

    /// Whatever an engine says to it, who has the name is looked up: what it says may be about another try, or wrong, and
    /// then the next call would make a second container.
    async fn rename(&self, next: &Ref, plan: &Plan) -> Result<(), Trouble> {
        let name = named(&plan.name)?;
        let renamed = self.engine().rename(next, &name).await;
        match self.engine().inspect(&name).await? {
            Some(found) if &found.id == next => Ok(()),
            _ => renamed.and(Err(Trouble::new(
                Class::Lost,
                "the engine says that the container has its name, and it has not",
            ))),
        }
    }

    async fn make_next(&self, plan: &Plan) -> Result<Result<Ref, Trouble>> {
        for _ in 0..ATTEMPTS {
            let trouble = match self.create(&plan.next_name, plan).await {
                Ok(next) => return Ok(Ok(next)),
                Err(trouble) => trouble,
            };
            if trouble.class == Class::NoImage {
                return Ok(Err(trouble));
            }
            if trouble.class != Class::NameTaken {
                return Err(trouble.error(Operation::Spawn));
            }
            match self
                .holder(plan, &plan.next_name)
                .await
                .map_err(|trouble| trouble.error(Operation::Spawn))?
            {
                Holder::This(agent) if is_of(&agent, plan) => {
                    let heeded = self.heed_again(&agent.container, &plan.limits).await;
                    heeded.map_err(|trouble| trouble.error(Operation::Spawn))?;
                    return Ok(Ok(agent.container.id));
                }
                Holder::This(_) | Holder::Living => return Err(already_exists()),
                Holder::Namesake(uid) => {
                    return Err(of_a_namesake("a container of its name", &[uid]));
                }
                Holder::Stranger => return Err(trouble.error(Operation::Spawn)),
                Holder::Intent(agent) | Holder::Ended(agent) => self
                    .sweep(&agent)
                    .await
                    .map_err(|trouble| trouble.error(Operation::Spawn))?,
                Holder::Nobody => {}
            }
        }
        Err(busy())
    }

    async fn take_place(&self, last: &Agent, next: &Ref, plan: &Plan) -> Result<(), Trouble> {
        match self.engine().remove(&last.container.id, false).await {
            Err(trouble) if trouble.class == Class::BeingRemoved => {
                self.until_gone(&last.container.id).await?;
            }
            Err(trouble) if trouble.class != Class::NoContainer => return Err(trouble),
            _ => {}
        }
        self.0.asks.forget(&last.container.id);
        self.rename(next, plan).await
    }
}

/// Whether it was made for this very start.
fn is_of(agent: &Agent, plan: &Plan) -> bool {
    agent.marks.spec_hash == plan.marks.spec_hash
}
