//! What users of a backend find on it besides the contract.

use std::time::Duration;

use async_trait::async_trait;
use futures_util::StreamExt;
use tokio::time::{Instant, sleep_until};

use crate::backend::AgentBackend;
use crate::error::{Error, ErrorKind, Operation, Result};
use crate::event::AgentEvent;
use crate::exit::Exit;
use crate::id::{AgentId, Incarnation};
use crate::info::{AgentInfo, AgentState};
use crate::options::{EventOptions, RemoveOptions, StopOptions};
use crate::watch::{Watch, WatchOptions};

/// Events are hints, so whoever waits looks for itself now and then.
const LOOK_AGAIN: Duration = Duration::from_secs(5);

/// What every backend can do by means of the contract alone. Implemented for all of them, `dyn` too.
#[async_trait]
pub trait AgentBackendExt: AgentBackend {
    /// Waits until the agent's present incarnation has ended, and says how.
    ///
    /// One that could not start, or whose restarts are used up, ends as
    /// [`Unknown`](crate::ExitStatus::Unknown) with the reason. `NotFound`: an unknown id, or it was removed
    /// meanwhile. Waits as long as it takes; dropping the call harms nobody.
    async fn wait(&self, id: &AgentId) -> Result<Exit> {
        wait(self, id)
            .await
            .map_err(|error| error.with_operation(Operation::Wait))
    }

    /// Ends the agent, then forgets it. The exit is the last that is heard of it.
    async fn stop_and_remove(&self, id: &AgentId, options: StopOptions) -> Result<Exit> {
        let exit = self.stop(id, options).await?;
        self.remove(id, RemoveOptions::default()).await?;
        Ok(exit)
    }

    /// Whether there is such an agent, ended or not.
    async fn exists(&self, id: &AgentId) -> Result<bool> {
        match self.inspect(id).await {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// The swarm's state as one stream that converges on the truth: see [`Watch`].
    fn watch(&self, options: WatchOptions) -> Watch<'_> {
        Watch::new(self, options)
    }
}

impl<T: AgentBackend + ?Sized> AgentBackendExt for T {}

async fn wait<B: AgentBackend + ?Sized>(backend: &B, id: &AgentId) -> Result<Exit> {
    let mut waited_for: Option<Incarnation> = None;
    loop {
        // Subscribed first, looked at second: an end between the two is seen.
        let mut events = backend.events(EventOptions::default()).await?;
        let mut look_at = Instant::now();
        loop {
            tokio::select! {
                () = sleep_until(look_at) => {
                    let info = backend.inspect(id).await?;
                    if let Some(exit) = end_of(*waited_for.get_or_insert(info.incarnation), &info) {
                        return Ok(exit);
                    }
                    look_at = Instant::now() + LOOK_AGAIN;
                }
                event = events.next() => match event {
                    Some(Ok(AgentEvent::Changed(info))) if info.id == *id => {
                        if let Some(exit) = waited_for.and_then(|waited_for| end_of(waited_for, &info)) {
                            return Ok(exit);
                        }
                    }
                    Some(Ok(AgentEvent::Removed { id: removed, .. })) if removed == *id => {
                        return Err(Error::agent_not_found(Operation::Wait, id));
                    }
                    Some(Ok(AgentEvent::Lagged)) => look_at = Instant::now(),
                    Some(Ok(_)) => {}
                    Some(Err(_)) | None => break,
                }
            }
        }
        // The stream broke: not sooner than this, so that an engine that is gone is not besieged.
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// How the incarnation that was waited for ended, as far as `info` tells.
fn end_of(waited_for: Incarnation, info: &AgentInfo) -> Option<Exit> {
    if info.incarnation != waited_for {
        return Some(Exit::unknown(
            "it was started again before its end was read",
        ));
    }
    match &info.state {
        AgentState::Exited(exit) => Some(exit.clone()),
        AgentState::Failed { reason } => Some(Exit::unknown(reason.clone())),
        _ => None,
    }
}
