//! What is seen to ahead of a start: that nothing of it would be refused, and that its image is there.

use std::path::Path;

use alveary_core::{AgentId, AgentSpec, Incarnation, Operation, Pull, Result};

use super::Containers;
use super::secrets::{Secrets, Values};
use super::spawn::no_image;
use crate::belongings::Belonging;
use crate::classify::{Class, Trouble};
use crate::engine::Engine;
use crate::plan::{Plan, SECRETS, Source};

/// A start that nothing on this side of the engine refuses.
pub(super) struct Judged {
    pub(super) plan: Plan,
    /// What of the swarm's own has to be there before.
    pub(super) needed: Vec<Belonging>,
    /// Its secrets.
    pub(super) values: Values,
}

impl<E: Engine> Containers<E> {
    /// Refuses what can be before anything is made.
    pub(super) async fn judged(
        &self,
        id: &AgentId,
        spec: &AgentSpec,
        incarnation: Incarnation,
    ) -> Result<Judged> {
        use alveary_core::AgentBackend;
        spec.validate()?;
        // What can be admitted is known only when the engine is.
        let learnt = self.learn().await;
        let podman = learnt
            .map_err(|trouble| trouble.error(Operation::Spawn))?
            .podman;
        self.settle().await?;
        self.capabilities().admit(spec)?;
        let (plan, needed) = self.planned(id, spec, incarnation)?;
        let values = Secrets::read(spec)?;
        if podman && self.engine().is_local() {
            sources_are_there(&plan).map_err(|trouble| trouble.error(Operation::Spawn))?;
        }
        Ok(Judged {
            plan,
            needed,
            values,
        })
    }

    /// Sees to it that a start of this spec finds its image and its volumes, and would not be refused for what it says. Makes nothing.
    pub(super) async fn prepare_start(&self, id: &AgentId, spec: &AgentSpec) -> Result<()> {
        let Judged { plan, needed, .. } = self.judged(id, spec, Incarnation::random()).await?;
        self.finds_volumes(&plan, &needed).await?;
        if plan.pull == Pull::Always {
            return self.pull(&plan.image).await;
        }
        match self.engine().has_image(&plan.image).await {
            Ok(()) => Ok(()),
            Err(trouble) if trouble.class != Class::NoImage => Err(trouble.error(Operation::Spawn)),
            Err(trouble) if plan.pull == Pull::Never => Err(no_image(&plan, trouble)),
            Err(_) => self.pull(&plan.image).await,
        }
    }
}

/// Podman makes a folder of the host that is not there, as root, where Docker refuses to mount it.
///
/// The folder of its secrets is ours, and is made when they are placed.
fn sources_are_there(plan: &Plan) -> Result<(), Trouble> {
    for mount in plan.mounts.iter().filter(|mount| mount.target != SECRETS) {
        if let Source::Host(path) = &mount.source
            && !Path::new(path).exists()
        {
            return Err(Trouble::new(Class::NoMountSource, path.clone()));
        }
    }
    Ok(())
}
