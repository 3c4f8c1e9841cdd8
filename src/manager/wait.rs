//! Waiting for an agent: until it has ended, has ended for good, or is ready.

use std::sync::Arc;
use std::time::Duration;

use alveary_core::{
    AgentBackend, AgentId, AgentInfo, AgentState, Error, ErrorKind, Exit, Incarnation, Operation,
    Result,
};

use super::SwarmManager;
use super::core::Core;
use super::ready;
use super::row::Row;

/// Those without a check are waited for as long as those with one.
const UNTIL_IT_RUNS: Duration = Duration::from_mins(1);

/// How long one without a check has to run before it is said that it goes on.
const MOMENT: Duration = Duration::from_millis(500);

impl<B: AgentBackend + ?Sized> SwarmManager<B> {
    /// Waits until the agent's present start has ended, and says how.
    ///
    /// One that could not start ends as [`Unknown`](alveary_core::ExitStatus::Unknown) with the reason.
    /// `NotFound`: an unknown id, or it was removed meanwhile. Waits as long as it takes, also while an
    /// engine that was heard before cannot be heard; dropping the call harms nobody.
    pub async fn wait(&self, id: &AgentId) -> Result<Exit> {
        let core = self.core();
        core.attach_if_ever_heard(Operation::Wait).await?;
        let mut waited_for: Option<Incarnation> = None;
        core.when(id, |row| {
            let now = row.incarnation()?;
            let waited_for = *waited_for.get_or_insert(now);
            if now == waited_for {
                return row.exit();
            }
            Some(match &row.last_end {
                Some((last, exit)) if *last == waited_for => exit.clone(),
                _ => Exit::unknown("it was started again before its end was read"),
            })
        })
        .await
        .ok_or_else(|| Error::agent_not_found(Operation::Wait, id))
    }

    /// Waits until the agent has ended for good, and says how it ended the last time: by its policy and its
    /// users' wish it is not started again.
    ///
    /// `NotFound` as for [`wait`](Self::wait). One that is recorded and was never started is waited for.
    pub async fn wait_settled(&self, id: &AgentId) -> Result<Exit> {
        let core = self.core();
        core.attach_if_ever_heard(Operation::Wait).await?;
        core.when(id, |row| {
            if row.wants_restart() || row.starting.is_some() {
                return None;
            }
            row.exit()
        })
        .await
        .ok_or_else(|| Error::agent_not_found(Operation::Wait, id))
    }

    /// Waits until the agent is ready: by its check, or by running where it has none. An agent that is
    /// being restarted is waited for.
    ///
    /// `Timeout` names the check and what was not seen; the agent goes on. `Conflict`: it has ended, and is
    /// not to be started again. `NotFound`: an unknown id, or it was removed meanwhile.
    pub async fn wait_ready(&self, id: &AgentId) -> Result<AgentInfo> {
        let core = self.core();
        core.attach_if_ever_heard(Operation::Wait).await?;
        core.wait_ready(id).await
    }
}

/// How the waiting went.
enum Waited {
    Ready(Box<AgentInfo>),
    Over(Exit),
}

impl<B: AgentBackend + ?Sized> Core<B> {
    pub(super) async fn wait_ready(self: &Arc<Self>, id: &AgentId) -> Result<AgentInfo> {
        self.wait_for(id, waited).await
    }

    /// Waits until those may start that come after this start of an agent: until it is ready, or, where it has no check, has
    /// run. However it ended then, so that it does not matter whether that has been heard of by now.
    pub(super) async fn wait_up(self: &Arc<Self>, start: &AgentInfo) -> Result<AgentInfo> {
        self.wait_for(&start.id, |row| {
            let has_run = row.info.as_ref().filter(|info| {
                info.incarnation == start.incarnation
                    && matches!(info.state, AgentState::Exited(_))
                    && !row.has_check()
            });
            match has_run {
                Some(info) => Some(Waited::Ready(Box::new(info.clone()))),
                None => waited(row),
            }
        })
        .await
    }

    /// Waits until this start of an agent has a check behind it, or has run for a moment: what cannot run ends at once.
    pub(super) async fn wait_a_moment(&self, start: &AgentInfo) {
        if self.table.look(&start.id, Row::has_check) != Some(false) {
            return;
        }
        let ran = start.started_at.and_then(|at| at.elapsed().ok());
        let rest = MOMENT.saturating_sub(ran.unwrap_or_default());
        let over = self.until_it_is_over(&start.id, start.incarnation);
        let _ = tokio::time::timeout(rest, over).await;
    }

    /// Refuses one that has ended badly, and is not to be started again.
    pub(super) fn has_not_failed(&self, id: &AgentId) -> Result<()> {
        let over = |row: &Row| row.exit().filter(|_| !row.wants_restart());
        match self.table.look(id, over).flatten() {
            Some(exit) if !exit.is_clean() => Err(Error::new(
                ErrorKind::Conflict,
                Operation::Wait,
                format!("it has ended already: it {exit}"),
            )
            .with_agent(id)
            .with_cure("read its logs")),
            _ => Ok(()),
        }
    }

    async fn wait_for(
        self: &Arc<Self>,
        id: &AgentId,
        waited: impl Fn(&Row) -> Option<Waited>,
    ) -> Result<AgentInfo> {
        let not_found = || Error::agent_not_found(Operation::Wait, id);
        let check = self
            .table
            .look(id, |row| {
                row.record.as_ref().and_then(|r| r.spec.ready.clone())
            })
            .ok_or_else(not_found)?;
        let limit = check.as_ref().map_or(UNTIL_IT_RUNS, |check| check.timeout);
        let waiting = async {
            loop {
                self.probe(id);
                let found = self
                    .when(id, |row| match waited(row) {
                        Some(waited) => Some(Some(waited)),
                        // Another start is another thing to look at.
                        None => row.probe_due().map(|_| None),
                    })
                    .await?;
                if let Some(waited) = found {
                    return Some(waited);
                }
            }
        };
        match tokio::time::timeout(limit, waiting).await {
            Ok(None) => Err(not_found()),
            Ok(Some(Waited::Ready(info))) => Ok(*info),
            Ok(Some(Waited::Over(exit))) => Err(Error::new(
                ErrorKind::Conflict,
                Operation::Wait,
                format!("it was never ready: it {exit}"),
            )
            .with_agent(id)
            .with_cure("read its logs")),
            Err(_) => {
                let seen = check.as_ref().map_or_else(
                    || "its process does not run".to_owned(),
                    |check| {
                        let last = |row: &Row| row.not_ready.clone();
                        ready::in_words(&check.check, self.table.look(id, last).flatten())
                    },
                );
                Err(Error::new(
                    ErrorKind::Timeout,
                    Operation::Wait,
                    format!(
                        "it is not ready after {}: {seen}",
                        humantime::format_duration(limit)
                    ),
                )
                .with_agent(id)
                .with_cure("read its logs, or allow more time by `ready.timeout`"))
            }
        }
    }
}

fn waited(row: &Row) -> Option<Waited> {
    let ready = || row.info.clone().map(|info| Waited::Ready(Box::new(info)));
    if row.is_ready() {
        return ready();
    }
    if row.wants_restart() || row.starting.is_some() {
        return None;
    }
    let exit = row.exit()?;
    if exit.is_success() && !row.has_check() {
        // It has run, and is through with what it had to do.
        return ready();
    }
    Some(Waited::Over(exit))
}
