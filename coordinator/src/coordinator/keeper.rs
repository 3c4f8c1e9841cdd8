//! Does what is due when it is due.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};

use crate::clerk::WeakClerk;

/// How long to wait before what failed is tried again.
const PAUSE: Duration = Duration::from_secs(1);

/// Runs until the desk is closed.
pub(super) async fn keep(mut due: watch::Receiver<Option<Instant>>, clerk: WeakClerk) {
    loop {
        let next = *due.borrow_and_update();
        let is_due = async {
            match next {
                Some(next) => sleep_until(next).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            changed = due.changed() => match changed {
                Ok(()) => continue,
                Err(_) => return,
            },
            () = is_due => {}
        }
        let Some(clerk) = clerk.upgrade() else { return };
        let done = clerk
            .call(|desk, at| desk.turn(at, |turn| turn.do_what_is_due()))
            .await;
        if let Err(error) = done {
            if clerk.has_ended() {
                return;
            }
            tracing::warn!("what is due cannot be done, and is tried again: {error}");
            sleep(PAUSE).await;
        }
    }
}
