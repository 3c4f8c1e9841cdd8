//! Agents that are started and stopped by way of the coordinator, as the original's dashboard does it.

use std::fmt;

use alveary::{AgentId, Error, ErrorKind, StopOptions, SwarmManager, UpOptions};
use alveary_coordinator::http::{Fleet, Spawned};
use async_trait::async_trait;

/// The swarm around a coordinator: what its file names can be started, and nothing else.
pub(super) struct Around {
    pub(super) swarm: SwarmManager,
    pub(super) fleet: alveary::Fleet,
}

#[async_trait]
impl Fleet for Around {
    async fn spawn(&self, name: &str) -> Result<Spawned, String> {
        let options = UpOptions::default().with_names([name.to_owned()]);
        let report = self.swarm.up(&self.fleet, options).await.map_err(told)?;
        // Those that it comes after may have been started, too.
        let its_own = report
            .outcomes
            .into_iter()
            .find(|outcome| outcome.step.name == name);
        let its_own = its_own.ok_or_else(|| {
            format!(
                "`{}` is a group: name one of it, such as `{}-1`",
                alveary::Escaped(name),
                alveary::Escaped(name)
            )
        })?;
        let id = its_own.step.id.clone();
        let info = its_own.result.map_err(told)?;
        let status = info
            .as_ref()
            .map_or_else(String::new, |info| info.state.to_string());
        let mut spawned = Spawned::new(id, name, status);
        spawned.pid = info.and_then(|info| info.pid);
        Ok(spawned)
    }

    async fn stop(&self, id: &AgentId) -> Result<bool, String> {
        match self.swarm.stop(id, StopOptions::default()).await {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            Err(error) => Err(told(error)),
        }
    }
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "it is what `map_err` hands over"
)]
fn told(error: Error) -> String {
    error.to_string()
}

impl fmt::Debug for Around {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Around")
            .field("swarm", &self.fleet.swarm)
            .finish_non_exhaustive()
    }
}
