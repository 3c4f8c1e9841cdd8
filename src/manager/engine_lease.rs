//! The lease that is held in an engine which several hosts reach, for as long as a swarm has members there.

use std::sync::Arc;
use std::time::Duration;

use alveary_core::{AgentBackend, Error, ErrorKind, Leases, Operation, Result};

use super::core::Core;
use crate::state::{Candidate, EngineLease, Holder, RENEWED, whose};

/// How often who wants the lease looks who has it.
const LOOK: Duration = Duration::from_secs(1);

impl<B: AgentBackend + ?Sized> Core<B> {
    /// Waits until the swarm has members, and nobody else restarts them.
    pub(super) async fn wait_for_the_engines(
        self: &Arc<Self>,
        leases: &dyn Leases,
    ) -> Result<EngineLease> {
        let folder = self.store.folder().ok_or_else(|| {
            let what = "a swarm without a state folder has no lease";
            Error::new(ErrorKind::Unsupported, Operation::State, what)
                .with_cure("give the swarm a state folder")
        })?;
        let mut candidate = Candidate::new(Holder::here(folder)?);
        let mut told = None;
        loop {
            let turn = self.terms.lock().await;
            if self.is_lived() {
                match candidate.try_take(leases).await? {
                    Ok(lease) => return Ok(lease),
                    Err(taken) => {
                        let who = whose(&taken.0);
                        if told.as_ref() != Some(&who) {
                            tracing::warn!(%who, "somebody elsewhere restarts the agents of this swarm; this process waits until that one has ended");
                            told = Some(who);
                        }
                    }
                }
            }
            drop(turn);
            tokio::time::sleep(LOOK).await;
            self.sync();
        }
    }

    /// Begins another term when it is time. Whether it is still held.
    pub(super) async fn keep_the_engines(&self, kept: &mut Option<EngineLease>) -> bool {
        let (Some(lease), Some(leases)) = (kept, self.backend.leases()) else {
            return true;
        };
        let _turn = self.terms.lock().await;
        if !self.is_lived() {
            return false;
        }
        if lease.age() < RENEWED {
            return true;
        }
        match lease.renew(leases).await {
            Ok(Ok(())) => true,
            Ok(Err(taken)) => {
                tracing::warn!(who = %whose(&taken.0), "somebody elsewhere has taken over");
                false
            }
            Err(error) => {
                // It is held for a while yet.
                tracing::debug!(kind = %error.kind(), why = error.message(), "the engine's lease could not be renewed");
                true
            }
        }
    }

    /// Whether there is anything to restart, and nobody takes it down.
    fn is_lived(&self) -> bool {
        let life = *self.store.life().borrow();
        life.id.is_some() && !life.going_down
    }

    /// The swarm is down: nobody needs its lease any more.
    pub(super) async fn forget_the_engines(&self) -> Result<()> {
        let _turn = self.terms.lock().await;
        match self.backend.leases() {
            Some(leases) => leases.forget_before(u64::MAX).await,
            None => Ok(()),
        }
    }
}
