//! What engines remark on a container that they have made. One that takes a limit away which somebody asked for is a
//! refusal; whatever else there is to say is told once.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use super::Containers;
use crate::classify::{Class, Trouble};
use crate::engine::{Container, Created, Engine, Ref};
use crate::plan::PlannedLimits;

/// More different remarks than any engine has.
const MOST: usize = 64;

/// The remarks that were told already.
#[derive(Debug, Default)]
pub(super) struct Told(Mutex<BTreeSet<String>>);

impl Told {
    /// Whether nobody was told of this yet.
    fn is_new(&self, remark: &str) -> bool {
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        told.len() < MOST && told.insert(remark.to_owned())
    }
}

/// Whether it says that a limit is not kept which is among these; `usual` are the processes that every agent may
/// have.
fn takes_away(remark: &str, limits: &PlannedLimits, usual: u64) -> bool {
    let text = remark.to_lowercase();
    let memory = limits.memory.is_some();
    let cpus = limits.nano_cpus.is_some();
    let pids = limits.pids != usual;
    let lost = |limit: &str| text.contains(limit) && text.contains("discarded");
    (memory && lost("memory limit capabilities"))
        || (cpus && lost("cpu"))
        || (pids && lost("pids limit"))
        // Podman's, without root under the first version of cgroups.
        || ((memory || cpus || pids) && text.contains("resource limits are not supported and ignored"))
}

impl<E: Engine> Containers<E> {
    /// The container, where it is what was asked for. What is not is taken away: it was never started.
    pub(super) async fn heed(
        &self,
        created: Created,
        limits: &PlannedLimits,
    ) -> Result<Ref, Trouble> {
        let Created { id, remarks } = created;
        let usual = self.0.settings.pids;
        for remark in remarks {
            if takes_away(&remark, limits, usual) {
                self.never_weakened(&id).await;
                return Err(Trouble::new(Class::Weakened, remark));
            }
            if self.0.told.is_new(&remark) {
                tracing::warn!(engine = %self.engine(), remark, "the engine remarks on what it has made");
            }
        }
        Ok(id)
    }

    /// The same of one that was made before, by a call whose answer nobody has: what the engine shows to be left out of
    /// it. A part of the processors is not looked for: engines refuse one that they cannot give.
    pub(super) async fn heed_again(
        &self,
        made: &Container,
        limits: &PlannedLimits,
    ) -> Result<(), Trouble> {
        let words = if limits.memory.is_some() && made.memory.is_none() {
            "the container that was made has no limit of memory"
        } else if limits.pids != self.0.settings.pids && made.pids.is_none() {
            "the container that was made has no limit of processes"
        } else {
            return Ok(());
        };
        self.never_weakened(&made.id).await;
        Err(Trouble::new(Class::Weakened, words))
    }

    /// It is not to be started: without a limit or not at all is no choice of ours.
    async fn never_weakened(&self, id: &Ref) {
        if let Err(left) = self.engine().remove(id, false).await {
            tracing::warn!(container = id.as_str(), words = %left.words, "a container that lacks a limit is left, and not started");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: PlannedLimits = PlannedLimits {
        memory: None,
        nano_cpus: None,
        pids: 4096,
        nofile: None,
        cpu_seconds: None,
        shm: None,
    };

    #[test]
    fn a_limit_is_taken_away_from_who_asked_for_it_alone() {
        let memory = PlannedLimits {
            memory: Some(1 << 20),
            ..NONE
        };
        let pids = PlannedLimits { pids: 20, ..NONE };
        let cpus = PlannedLimits {
            nano_cpus: Some(1),
            ..NONE
        };
        let no_memory = "Your kernel does not support memory limit capabilities or the cgroup is not mounted. Limitation discarded.";
        let no_swap = "Your kernel does not support swap limit capabilities or the cgroup is not mounted. Memory limited without swap.";
        let no_pids = "Your kernel does not support PIDs limit capabilities or the cgroup is not mounted. PIDs limit discarded.";
        let no_quota = "Your kernel does not support CPU CFS quota or the cgroup is not mounted. Quota discarded.";
        let none = "Resource limits are not supported and ignored on cgroups V1 rootless systems";
        for (remark, by) in [
            (no_memory, &[&memory][..]),
            (no_swap, &[]),
            (no_pids, &[&pids]),
            (no_quota, &[&cpus]),
            (none, &[&memory, &pids, &cpus]),
            (
                "Published ports are discarded when using host network mode",
                &[],
            ),
            (
                "IPv4 forwarding is disabled. Networking will not work.",
                &[],
            ),
        ] {
            for limits in [&NONE, &memory, &pids, &cpus] {
                let expected = by.contains(&limits);
                assert_eq!(takes_away(remark, limits, 4096), expected, "{remark}");
            }
        }
    }

    #[test]
    fn what_was_said_is_not_said_again() {
        let told = Told::default();
        assert!(told.is_new("a"));
        assert!(!told.is_new("a"));
        assert!(told.is_new("b"));
        for number in 0..1000 {
            told.is_new(&number.to_string());
        }
        assert_eq!(told.0.lock().unwrap().len(), MOST);
    }
}
