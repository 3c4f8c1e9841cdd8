//! Asking again when the coordinator is not there.

use std::future::Future;
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use tracing::{info, warn};

use crate::error::Result;

/// How long to wait before the next of several attempts: longer each time, up to some seconds, and never as long
/// as others wait, so that a fleet does not come back all at once.
#[derive(Debug)]
pub(crate) struct Patience {
    delays: ExponentialBackoff,
}

impl Patience {
    const FIRST: Duration = Duration::from_millis(50);
    const LONGEST: Duration = Duration::from_secs(3);

    pub(crate) fn new() -> Self {
        Self::at_most(2 * Self::LONGEST)
    }

    /// One that is never longer between two attempts than this, or as long as any other if that is shorter.
    pub(crate) fn at_most(longest: Duration) -> Self {
        // What is added by chance may be as much again.
        let longest = (longest / 2).clamp(Self::FIRST, Self::LONGEST);
        let delays = ExponentialBuilder::new()
            .with_min_delay(Self::FIRST)
            .with_max_delay(longest)
            .with_jitter()
            .without_max_times();
        Self {
            delays: delays.build(),
        }
    }

    /// Waits one more time, and at least as long as was asked for.
    pub(crate) async fn wait(&mut self, asked: Option<Duration>) {
        let delay = self.delays.next().unwrap_or(Self::LONGEST);
        tokio::time::sleep(delay.max(asked.unwrap_or_default())).await;
    }
}

/// Calls until there is an answer that would not be another one later. `what` fits "failed to …".
pub(crate) async fn persist<T, F>(what: &str, mut call: impl FnMut() -> F) -> Result<T>
where
    F: Future<Output = Result<T>>,
{
    let mut patience = Patience::new();
    let mut failures = 0_u32;
    loop {
        match call().await {
            Err(error) if error.kind().passes() => {
                if failures == 0 {
                    warn!("failed to {what}, trying again: {error}");
                }
                failures += 1;
                patience.wait(error.after()).await;
            }
            answer => {
                if failures > 0 && answer.is_ok() {
                    info!("managed to {what} after {failures} failures");
                }
                return answer;
            }
        }
    }
}
