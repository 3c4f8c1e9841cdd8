//! Starting again what has ended, where its policy and its users want that: by one process per swarm.

use std::sync::Arc;
use std::time::Duration;

use alveary_core::{
    AgentBackend, AgentId, Error, ErrorKind, Exit, Incarnation, Restart, Result, StopOptions,
};
use tokio::time::Instant;

use super::core::{Core, Right};
use super::restart::{self, Decision};
use super::row::Row;
use super::start::passes;
use crate::state::{Change, Desired, GaveUp, Lease, Records};

/// What became of an attempt to start an agent again.
enum Attempt {
    Started,
    /// It is not wanted any more, or somebody else has started it.
    Abandoned,
    Failed(Error),
}

/// A restart that has been decided.
struct Plan {
    id: AgentId,
    /// The start that has ended.
    ended: Incarnation,
    policy: Restart,
    decision: Decision,
    /// How the last start went, as the end of a sentence.
    last: String,
    /// Whether it has yet to be recorded as a restart that counts.
    counts: bool,
    /// The start by which this restarter has tried it before: nobody else has begun that one.
    tried: Option<Incarnation>,
}

/// Between two attempts that something else than the agent has hindered.
const HINDERED_AT_LEAST: Duration = Duration::from_millis(500);
const HINDERED_AT_MOST: Duration = Duration::from_secs(2);

/// How often the restarter looks whether it still is.
const LOOK: Duration = Duration::from_secs(1);

impl<B: AgentBackend + ?Sized> Core<B> {
    /// Waits until nobody else restarts the swarm's agents, and does it from then on, or until the lease is lost;
    /// and so on.
    pub(super) async fn supervise(self: &Arc<Self>) {
        if !self.supervise {
            return;
        }
        loop {
            self.sync();
            if !self.store.is_ours() {
                break;
            }
            let lease = match self.store.folder() {
                None => None,
                Some(folder) => match Lease::take(folder).await {
                    Ok(lease) => Some(lease),
                    Err(error) => {
                        tracing::warn!(kind = %error.kind(), why = error.message(), "the lease of the swarm cannot be had");
                        tokio::time::sleep(LOOK).await;
                        continue;
                    }
                },
            };
            if !self.store.is_ours() {
                break;
            }
            self.sync();
            let in_engine = match self.backend.leases().filter(|_| lease.is_some()) {
                Some(leases) => match self.wait_for_the_engines(leases).await {
                    Ok(lease) => Some(lease),
                    Err(error) => {
                        tracing::warn!(kind = %error.kind(), why = error.message(), "the engine's lease of the swarm cannot be had");
                        tokio::time::sleep(LOOK).await;
                        continue;
                    }
                },
                None => None,
            };
            let mut kept = in_engine.clone();
            self.lead(Right { lease, in_engine });
            // What happened while nobody led.
            for id in self.table.ids(|_| true) {
                self.table.note(&id, |row| row.decided = None);
                self.follow(&id);
            }
            if self.table.is_heard() {
                self.see_to_intents();
            }
            if self.store.folder().is_none() {
                return std::future::pending().await;
            }
            while self.may_restart() && self.keep_the_engines(&mut kept).await {
                tokio::time::sleep(LOOK).await;
            }
            tracing::warn!("the lease of the swarm is lost, or not needed any more");
            self.step_down();
        }
        tracing::warn!(
            "the state folder of the swarm was thrown away: nothing is restarted any more"
        );
    }

    /// Decides whether and when an agent that has ended is started again: once for each end.
    pub(super) fn consider(self: &Arc<Self>, id: &AgentId) {
        let now = Instant::now();
        let plan = self.table.note(id, |row| {
            let ended = row.incarnation()?;
            if !row.wants_restart() || row.starting.is_some() || row.decided == Some(ended) {
                return None;
            }
            row.decided = Some(ended);
            let exit = row.exit()?.to_string();
            let last = match row.unanswering() {
                Some(why) => why.reason.clone(),
                None => exit,
            };
            plan_restart(id, row, ended, last, now)
        });
        if let Some(plan) = plan.flatten() {
            let core = Arc::clone(self);
            tokio::spawn(async move {
                let closing = core.closing.clone();
                closing.run_until_cancelled(core.carry_out(plan)).await;
            });
        }
    }

    async fn carry_out(self: &Arc<Self>, mut plan: Plan) {
        loop {
            match plan.decision {
                Decision::After(pause) => {
                    tracing::info!(agent = %plan.id, last = %plan.last, ?pause, "it will be started again");
                    tokio::time::sleep(pause).await;
                }
                Decision::UsedUp => {
                    self.give_up(plan).await;
                    return;
                }
            }
            let error = match self.start_again(&mut plan).await {
                Ok(Attempt::Started | Attempt::Abandoned) => return,
                Ok(Attempt::Failed(error)) | Err(error) => error,
            };
            tracing::warn!(kind = %error.kind(), why = error.message(), "an agent could not be started again");
            if passes(&error) {
                // It is not the agent's fault: this counts for nothing.
                let pause = plan.policy.max_delay;
                plan.decision = Decision::After(pause.clamp(HINDERED_AT_LEAST, HINDERED_AT_MOST));
                continue;
            }
            let last = format!("could not be started: {}", error.message());
            let now = Instant::now();
            let next = self.table.note(&plan.id, |row| {
                plan_restart(&plan.id, row, plan.ended, last, now)
            });
            match next.flatten() {
                Some(next) => {
                    plan = Plan {
                        tried: plan.tried,
                        ..next
                    }
                }
                None => return,
            }
        }
    }

    /// Starts it again, if at this very moment everybody still wants that.
    async fn start_again(self: &Arc<Self>, plan: &mut Plan) -> Result<Attempt> {
        let id = &plan.id;
        let turn = self.turn(id, false).await?;
        if !self.may_restart_now().await? {
            return Ok(Attempt::Abandoned);
        }
        self.store.sync(&self.table)?;
        // What was begun is finished, by us before or by somebody who restarts it at this moment.
        let begun = self.table.look(id, |row| {
            (row.wants_restart() && row.incarnation() == Some(plan.ended)).then(|| row.begun())
        });
        let Some(begun) = begun.flatten() else {
            return Ok(Attempt::Abandoned);
        };
        // Begun by somebody else it was counted then, or is what its users have asked for.
        plan.counts &= begun.is_none() || begun == plan.tried;
        let next = begun.unwrap_or_else(Incarnation::random);
        plan.tried = Some(next);
        let answer = self.restart_now(id, plan.ended, next, plan.counts).await?;
        plan.counts = false;
        drop(turn);
        Ok(match answer {
            None => Attempt::Abandoned,
            Some(Ok(_)) => {
                if let Some(metrics) = &self.options.metrics {
                    metrics.restarted();
                }
                Attempt::Started
            }
            // Somebody else was faster: how it stands now is theirs.
            Some(Err(error)) if error.kind() == ErrorKind::AlreadyExists => {
                self.ask(id).await;
                Attempt::Abandoned
            }
            Some(Err(error)) => Attempt::Failed(error),
        })
    }

    /// Says that it is not started again, at once in this process, and to the others as soon as that can be
    /// recorded.
    async fn give_up(self: &Arc<Self>, plan: Plan) {
        let why = GaveUp {
            incarnation: plan.ended,
            reason: restart::used_up(&plan.policy, &plan.last),
        };
        tracing::warn!(agent = %plan.id, reason = %why.reason, "it is not started again");
        let intended = |records: &Records| {
            let record = records.get(&plan.id)?;
            (record.desired == Desired::Running).then_some(record.incarnation)
        };
        // Whoever stops or starts it from now on begins anew.
        let Some(last) = self.store.look(intended) else {
            return;
        };
        self.table.gave_up(&plan.id, Some(why.clone()));
        if let Some(metrics) = &self.options.metrics {
            metrics.gave_up();
        }
        loop {
            let recorded = self
                .store
                .commit(&self.table, |records| {
                    let fresh = intended(records) == Some(last);
                    let change = || Change::GaveUp {
                        id: plan.id.clone(),
                        why: why.clone(),
                    };
                    Ok(fresh.then(change).into_iter().collect())
                })
                .await;
            let Err(error) = recorded else {
                self.table.gave_up(&plan.id, None);
                return;
            };
            tracing::warn!(kind = %error.kind(), why = error.message(), agent = %plan.id, "it could not be recorded that an agent is given up");
            tokio::time::sleep(HINDERED_AT_MOST).await;
            if self.table.look(&plan.id, |row| row.gave_up() == Some(&why)) != Some(true) {
                return;
            }
        }
    }

    /// Ends an agent, though somebody may be starting it at this moment, and says how it ended. One that is
    /// recorded and that the engine does not know has come to its end already.
    pub(super) async fn halt(&self, id: &AgentId, options: StopOptions) -> Result<Exit> {
        let mut ended = self.table.look(id, Row::incarnation).flatten();
        let unknown = self.table.look(id, Row::end_of_unknown).flatten();
        let nobody_starts = self.nobody_starts(id);
        let mut answer = self.backend.stop(id, options.clone()).await;
        if !nobody_starts && options.incarnation.is_none() {
            // The start that was under way had not read that the agent is to be stopped. It has ended once
            // it is our turn; later ones read it.
            let turn = self.turn(id, false).await;
            // One that was not even recorded when it was asked to be stopped is recorded as running by now.
            let recorded = self.want_stopped(std::slice::from_ref(id)).await;
            drop(turn);
            if let Err(error) = recorded {
                tracing::warn!(kind = %error.kind(), why = error.message(), agent = %id, "it could not be recorded that an agent is to stay stopped");
            }
            ended = self.table.look(id, Row::incarnation).flatten();
            let again = self.backend.stop(id, options).await;
            if again.is_ok() || answer.is_err() {
                answer = again;
            }
        }
        match answer {
            Ok(exit) => {
                self.table.stopped(id, ended, &exit);
                Ok(exit)
            }
            Err(error) if error.kind() == ErrorKind::NotFound => unknown.ok_or(error),
            Err(error) => Err(error),
        }
    }
}

fn plan_restart(
    id: &AgentId,
    row: &mut Row,
    ended: Incarnation,
    last: String,
    now: Instant,
) -> Option<Plan> {
    let policy = row.record.as_ref()?.spec.restart.clone();
    let decision = row.history(now).next(&policy, now, fastrand::f64());
    Some(Plan {
        id: id.clone(),
        ended,
        policy,
        decision,
        last,
        counts: true,
        tried: None,
    })
}
