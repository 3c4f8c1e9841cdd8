//! Does what is due when it is due.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};

use crate::clerk::WeakClerk;
use crate::error::{Error, Result};

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
        // What failed is not due any more as far as is known, and may be due all the same.
        while let Err(error) = do_what_is_due(&clerk).await {
            if clerk.upgrade().is_none_or(|clerk| clerk.has_ended()) {
                return;
            }
            tracing::warn!("what is due cannot be done, and is tried again: {error}");
            sleep(PAUSE).await;
        }
    }
}

async fn do_what_is_due(clerk: &WeakClerk) -> Result<()> {
    let clerk = clerk.upgrade().ok_or_else(Error::ended)?;
    clerk.turn(|turn| turn.do_what_is_due()).await
}
