//! Volumes that are not the swarm's own: of a name that it does not know, an engine makes one, empty, that nobody
//! takes away again.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use alveary_core::{Error, ErrorKind, Operation, Result};
use tokio::time::Instant;

use super::start::BELIEVED;
use super::{Containers, named};
use crate::belongings::{Belonging, Kind};
use crate::classify::Trouble;
use crate::engine::{Engine, Ref};
use crate::plan::{Plan, Source};

/// Those that were seen to be there, and when.
#[derive(Debug, Default)]
pub(super) struct SeenVolumes(Mutex<HashMap<Ref, Instant>>);

impl SeenVolumes {
    fn has(&self, name: &Ref) -> bool {
        let seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        seen.get(name).is_some_and(|at| at.elapsed() < BELIEVED)
    }

    fn add(&self, name: Ref) {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        seen.retain(|_, at| at.elapsed() < BELIEVED);
        seen.insert(name, Instant::now());
    }
}

impl<E: Engine> Containers<E> {
    /// Sees to it that each volume of somebody else's is there.
    ///
    /// `InvalidSpec`: one is not.
    pub(super) async fn finds_volumes(&self, plan: &Plan, own: &[Belonging]) -> Result<()> {
        let is_own = |name: &str| {
            (own.iter()).any(|own| own.kind == Kind::Volume && own.name.as_str() == name)
        };
        for mount in &plan.mounts {
            let Source::Volume(name) = &mount.source else {
                continue;
            };
            if is_own(name) {
                continue;
            }
            let asked = |trouble: Trouble| trouble.error(Operation::Spawn);
            let volume = named(name).map_err(asked)?;
            if self.0.seen_volumes.has(&volume) {
                continue;
            }
            match self.engine().labels_of(Kind::Volume, &volume).await {
                Ok(Some(_)) => self.0.seen_volumes.add(volume),
                Ok(None) => return Err(no_volume(name)),
                Err(trouble) if trouble.class.is_of_the_way() => return Err(asked(trouble)),
                // Whoever may not ask for volumes may use them all the same.
                Err(trouble) => {
                    tracing::debug!(volume = name, words = %trouble.words, "whether a volume is there is not said");
                }
            }
        }
        Ok(())
    }
}

fn no_volume(name: &str) -> Error {
    Error::new(
        ErrorKind::InvalidSpec,
        Operation::Spawn,
        format!("the volume `{name}` is not there"),
    )
    .with_cure(format!(
        "make it by `docker volume create {name}`, have the swarm make it by a table `[volumes.NAME]` without `external`, or name another in `container.mounts`"
    ))
}
