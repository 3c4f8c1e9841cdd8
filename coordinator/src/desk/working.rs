//! Attempts: they are taken up, kept alive, and superseded.

use alveary_agent::protocol::{AttemptToken, Claim, ClaimRequest, Happening, TaskId, TaskStatus};

use super::Turn;
use crate::book::{Due, OpenAttempt};
use crate::error::{Error, Result};
use crate::settings::Bidders;
use crate::store::{attempts, bids, tasks};

impl Turn<'_> {
    /// Looks whether an attempt still lives.
    pub(super) fn check_attempt(&mut self, token: AttemptToken) -> Result<()> {
        let Some(attempt) = self.book.attempts.get(&token) else {
            return Ok(());
        };
        let until = self.book.attempt_until(attempt, self.settings);
        if until > self.at.now {
            self.book.due.at(until, Due::Attempt(token));
            return Ok(());
        }
        let why = if attempt.running {
            "no heartbeat came for it"
        } else {
            "its agent did not take it up"
        };
        self.supersede(token, why)
    }

    /// Gives the agent the next task that it has won, or one whose answer it did not get.
    pub(crate) fn claim(&mut self, request: &ClaimRequest) -> Result<Option<Claim>> {
        let agent = &request.agent_id;
        self.heard_known(agent)?;
        let next = self.book.members.get(agent).and_then(|member| {
            let lost = |token: &&AttemptToken| {
                let running = self.book.attempts.get(token).map(|open| open.running);
                running == Some(true) && !request.holding.contains(token)
            };
            let waiting = |token: &&AttemptToken| {
                self.book
                    .attempts
                    .get(token)
                    .is_some_and(|open| !open.running)
            };
            let mut queue = member.queue.iter();
            queue
                .clone()
                .find(lost)
                .or_else(|| queue.find(waiting))
                .copied()
        });
        let Some((token, attempt)) =
            next.and_then(|token| Some((token, self.book.attempts.get_mut(&token)?)))
        else {
            return Ok(None);
        };
        attempt.since = self.at.now;
        let (task, number) = (attempt.task, attempt.number);
        if !std::mem::replace(&mut attempt.running, true) {
            self.changed = true;
            self.book
                .due
                .at(self.at.now + self.settings.heartbeat, Due::Attempt(token));
            attempts::set_running(self.db, token, true)?;
            self.stands(task, TaskStatus::Assigned, TaskStatus::Running)?;
            self.record(Happening::Started {
                task,
                agent: agent.clone(),
                attempt: number,
            })?;
        }
        self.moved(agent);
        let view = tasks::get(self.db, task)?.ok_or_else(|| Error::no_task(task))?;
        Ok(Some(
            Claim::new(task, view.description, token, number).with_capabilities(view.capabilities),
        ))
    }

    /// Takes back what a claim gave, when its answer is known not to have arrived.
    pub(crate) fn unclaim(&mut self, token: AttemptToken) -> Result<()> {
        let Some(attempt) = self.book.attempts.get_mut(&token) else {
            return Ok(());
        };
        let task = attempt.task;
        if std::mem::replace(&mut attempt.running, false) {
            self.changed = true;
            attempts::set_running(self.db, token, false)?;
            self.stands(task, TaskStatus::Running, TaskStatus::Assigned)?;
        }
        Ok(())
    }

    fn stands(&mut self, task: TaskId, from: TaskStatus, to: TaskStatus) -> Result<()> {
        tasks::set_status(self.db, task, to)?;
        self.book.tally.moved(from, to);
        Ok(())
    }

    /// An attempt is over without a report: the task is auctioned again, or has been tried often enough.
    pub(super) fn supersede(&mut self, token: AttemptToken, why: &str) -> Result<()> {
        let Some(attempt) = self.leave_attempt(token, attempts::State::Superseded)? else {
            return Ok(());
        };
        self.book.tally.superseded += 1;
        let task = attempt.task;
        let number = attempt.number;
        self.record(Happening::Superseded {
            task,
            agent: attempt.agent.clone(),
            attempt: number,
            why: why.to_owned(),
        })?;
        let from = attempt.status();
        if number >= self.settings.attempts.get() {
            let reason = format!("Given up after {number} attempts: {why}.");
            return self.end_task(
                task,
                from,
                TaskStatus::Failed,
                &reason,
                Some(&attempt.agent),
            );
        }
        let view = tasks::get(self.db, task)?.ok_or_else(|| Error::no_task(task))?;
        let next = view.auctions + 1;
        if self.settings.bidders == Bidders::Anybody {
            // Agents of the original bid once for a task and never again: their bids still stand.
            for (agent, sats) in bids::of_auction(self.db, task, view.auctions)? {
                self.recall(&agent)?;
                let member = self.book.members.get(&agent);
                if agent != attempt.agent && member.is_some_and(|member| !member.registered) {
                    bids::insert(self.db, task, next, &agent, sats, self.at.shown)?;
                }
            }
        }
        self.open_auction(
            task,
            &view.description,
            &view.capabilities,
            next,
            number,
            from,
        )
    }

    /// Takes an attempt from among those that are open.
    pub(super) fn leave_attempt(
        &mut self,
        token: AttemptToken,
        state: attempts::State,
    ) -> Result<Option<OpenAttempt>> {
        let Some(attempt) = self.book.attempts.remove(&token) else {
            return Ok(None);
        };
        self.changed = true;
        attempts::end(self.db, token, state, self.at.shown)?;
        self.book.attempt_at.remove(&attempt.task);
        let left = self.book.members.change(&attempt.agent, |member| {
            member.queue.retain(|held| *held != token);
            member.online
        });
        if let Some(online) = left {
            self.freed = true;
            self.tell_status(&attempt.agent, |queue| online && queue == 0)?;
        }
        Ok(Some(attempt))
    }

    /// Does what is due. What was due at once is done in one turn.
    pub(crate) fn do_what_is_due(&mut self) -> Result<()> {
        while let Some(due) = self.book.due.take(self.at.now) {
            match due {
                Due::Auction(task, number) => {
                    let open = self.book.auctions.get(&task);
                    if open.is_some_and(|open| open.number == number) {
                        self.close_auction(task)?;
                    }
                }
                Due::Attempt(token) => self.check_attempt(token)?,
                Due::Agent(id) => self.check_agent(&id)?,
                Due::Silence(id) => self.check_silence(&id)?,
            }
        }
        Ok(())
    }
}

impl OpenAttempt {
    /// How the task stands while this attempt is open.
    pub(super) fn status(&self) -> TaskStatus {
        if self.running {
            TaskStatus::Running
        } else {
            TaskStatus::Assigned
        }
    }
}
