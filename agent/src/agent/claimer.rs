//! Takes up what the agent has won, as many at a time as it does at once.

use std::sync::Arc;

use tokio::sync::Semaphore;

use super::bidder::WAIT;
use super::session::Session;
use super::worker;
use crate::error::{Error, ErrorKind};
use crate::patience::{Patience, persist};
use crate::protocol::ClaimRequest;

/// Takes up tasks, for ever. Gives back why it cannot go on.
///
/// One claim at a time: the next says what the last brought, so that one whose answer was lost is handed out again
/// and none is handed out twice.
pub(super) async fn take_up_all(session: Arc<Session>, concurrency: usize) -> Error {
    let slots = Arc::new(Semaphore::new(concurrency));
    let mut patience = Patience::new();
    loop {
        let Ok(slot) = slots.clone().acquire_owned().await else {
            return Error::new(ErrorKind::Protocol, "the agent's slots are closed")
                .with_cure("report this");
        };
        let request = ClaimRequest {
            agent_id: session.registration.agent_id.clone(),
            holding: session.holding(),
            wait: WAIT,
        };
        let call = || session.transport.claim(&request);
        match persist("ask for work", call).await {
            Ok(Some(claim)) => {
                patience = Patience::new();
                let cancelled = session.hold(claim.attempt);
                let work = worker::work(session.clone(), claim, cancelled);
                session.works.spawn(async move {
                    work.await;
                    drop(slot);
                });
            }
            Ok(None) => patience = Patience::new(),
            // The heart registers again.
            Err(error) if error.kind() == ErrorKind::NotFound => patience.wait(None).await,
            Err(error) => return error,
        }
    }
}
