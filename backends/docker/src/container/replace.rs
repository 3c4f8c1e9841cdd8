//! The next start of an agent takes the place of the last one, which stays until the next is made.

use alveary_core::{Operation, Result};

use super::agent::Agent;
use super::namesakes::of_a_namesake;
use super::spawn::{Holder, Made, already_exists, busy};
use super::{Containers, named};
use crate::classify::{Class, Trouble};
use crate::engine::{Engine, Ref};
use crate::plan::Plan;

const ATTEMPTS: usize = 8;

impl<E: Engine> Containers<E> {
    /// Made first under another name, so that what makes the making impossible leaves the last end readable.
    /// Nothing is started on the way: whoever dies here leaves nothing that runs.
    pub(super) async fn replace(&self, last: &Agent, plan: &Plan) -> Result<Made> {
        let next = match self.make_next(plan).await? {
            Ok(next) => next,
            Err(no_image) => return Ok(Made::NoImage(no_image)),
        };
        let replaced = self.take_place(last, &next, plan).await;
        match replaced {
            Ok(()) => {
                self.0.asks.forget(&last.container.id);
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
            Err(trouble) => Err(trouble.error(Operation::Spawn)),
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
                Holder::This(agent) => return Ok(Ok(agent.container.id)),
                Holder::Living => return Err(already_exists()),
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
        self.engine().rename(next, &named(&plan.name)?).await
    }
}
