//! Holding an agent's processes still, and letting them go on.

use std::time::Duration;

use alveary_core::{AgentEvent, AgentId, Error, ErrorKind, Incarnation, Operation, Result};
use tokio::time::{Instant, sleep};

use super::agent::{Agent, Phase};
use super::{Keep, living, refused};
use crate::os::cgroup::Cgroup;

/// How long the kernel may take to hold a tree still.
const FREEZING_TAKES_AT_MOST: Duration = Duration::from_secs(5);

/// The first and the longest pause between two looks.
const FIRST_LOOK: Duration = Duration::from_micros(100);
const LATER_LOOKS: Duration = Duration::from_millis(20);

impl Keep {
    /// Holds all processes of an agent still, and returns when they are.
    pub(crate) async fn freeze(
        &self,
        id: &AgentId,
        incarnation: Option<Incarnation>,
    ) -> Result<()> {
        let (cgroup, incarnation) = self.set_paused(id, incarnation, true)?;
        let give_up_at = Instant::now() + FREEZING_TAKES_AT_MOST;
        let mut pause = FIRST_LOOK;
        while !cgroup.is_frozen() {
            if !self.is_still_to_pause(id, incarnation)? {
                // Somebody has it go on already.
                return Ok(());
            }
            if Instant::now() >= give_up_at {
                self.set_paused(id, Some(incarnation), false)?;
                let what =
                    "the kernel has not held all of its processes still, and lets them go on";
                return Err(Error::new(ErrorKind::Timeout, Operation::Pause, what)
                    .with_agent(id)
                    .with_cure("look for a process of it that hangs on a dead disk or network"));
            }
            sleep(pause).await;
            pause = (pause * 2).min(LATER_LOOKS);
        }
        Ok(())
    }

    /// Lets them go on.
    pub(crate) fn thaw(&self, id: &AgentId, incarnation: Option<Incarnation>) -> Result<()> {
        self.set_paused(id, incarnation, false).map(drop)
    }

    fn set_paused(
        &self,
        id: &AgentId,
        incarnation: Option<Incarnation>,
        paused: bool,
    ) -> Result<(Cgroup, Incarnation)> {
        let operation = if paused {
            Operation::Pause
        } else {
            Operation::Resume
        };
        let mut table = self.table();
        let agent = living(&table, id, incarnation, operation)?;
        agent.running(operation)?;
        if paused && agent.phase == Phase::Stopping {
            let what = "it is being stopped";
            return Err(Error::new(ErrorKind::Conflict, operation, what)
                .with_agent(id)
                .with_cure("start it again first"));
        }
        let Some(cgroup) = agent.intent.cgroup.clone() else {
            let what = "without a control group no tree of processes can be held still";
            let cure = "run as root, or in a systemd unit with `Delegate=yes`";
            return Err(Error::unsupported(operation, what, cure).with_agent(id));
        };
        let incarnation = agent.intent.incarnation;
        cgroup
            .set_frozen(paused)
            .map_err(|error| refused(operation, id, error))?;
        if let Some(agent) = table.agents.get_mut(id)
            && agent.paused != paused
        {
            agent.paused = paused;
            let info = agent.report().info;
            self.tell(AgentEvent::Changed(info));
        }
        Ok((cgroup, incarnation))
    }

    fn is_still_to_pause(&self, id: &AgentId, incarnation: Incarnation) -> Result<bool> {
        let table = self.table();
        let agent = living(&table, id, Some(incarnation), Operation::Pause)?;
        agent.running(Operation::Pause)?;
        Ok(agent.paused)
    }
}

/// What has been sent a signal goes on, to handle it.
pub(super) fn let_go_on(agent: &mut Agent) {
    if !std::mem::take(&mut agent.paused) {
        return;
    }
    if let Some(cgroup) = &agent.intent.cgroup
        && let Err(error) = cgroup.set_frozen(false)
    {
        tracing::error!(agent = %agent.intent.id, %error, "it cannot go on, and will be ended by force");
    }
}
