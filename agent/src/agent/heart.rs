//! Tells the coordinator that the agent lives, and hears what is not the agent's any more.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};

use super::session::Session;
use crate::error::{Error, ErrorKind, Result};
use crate::patience::Patience;
use crate::protocol::{Pulse, PulseAnswer};

/// Beats, for ever. Gives back why it cannot go on.
pub(super) async fn beat(session: Arc<Session>) -> Error {
    loop {
        // Two may be lost before an attempt is taken for lost, and a fleet does not beat in step.
        let third = (session.heartbeat() / 3).max(Duration::from_millis(10));
        sleep(third.mul_f64(0.8 + 0.2 * fastrand::f64())).await;
        if let Err(error) = beat_once(&session, third).await {
            return error;
        }
    }
}

/// One beat, tried again until it is heard.
async fn beat_once(session: &Session, limit: Duration) -> Result<()> {
    // A coordinator that comes back counts anew from there: the agent must be heard before it counts to the end.
    let mut patience = Patience::at_most(limit);
    let began = Instant::now();
    let mut told = false;
    loop {
        let pulse = Pulse {
            agent_id: session.registration.agent_id.clone(),
            attempts: session.holding(),
        };
        let error = match timeout(
            limit.max(Duration::from_secs(1)),
            session.transport.pulse(&pulse),
        )
        .await
        {
            Ok(Ok(PulseAnswer { superseded })) => {
                for attempt in superseded {
                    session.call_off(attempt);
                }
                return Ok(());
            }
            Ok(Err(error)) if error.kind() == ErrorKind::NotFound => {
                tracing::warn!(
                    "the coordinator does not know this agent any more: registering again"
                );
                return session.register().await;
            }
            Ok(Err(error)) if !error.kind().passes() => return Err(error),
            Ok(Err(error)) => error,
            Err(_) => Error::new(ErrorKind::Unavailable, "it does not answer in time")
                .with_cure("see whether it runs, and can be reached from here"),
        };
        if !told && began.elapsed() >= limit {
            told = true;
            tracing::warn!("failed to tell the coordinator that this agent lives: {error}");
        }
        patience.wait(error.after()).await;
    }
}
