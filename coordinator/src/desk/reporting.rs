//! Reports: a task is done, or will not be.

use alveary_agent::protocol::{
    AttemptToken, Happening, MAX_TEXT, ProblemKind, TaskId, TaskStatus, TaskView,
};
use alveary_core::AgentId;

use super::Turn;
use crate::error::{Error, Result};
use crate::store::attempts::{self, State};
use crate::store::tasks;

/// What an agent says came of a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    Done,
    NotDone,
}

impl Outcome {
    fn status(self) -> TaskStatus {
        match self {
            Self::Done => TaskStatus::Completed,
            Self::NotDone => TaskStatus::Failed,
        }
    }

    fn state(self) -> State {
        match self {
            Self::Done => State::Completed,
            Self::NotDone => State::Failed,
        }
    }
}

/// What a refused report leaves behind is kept, so a turn that refuses one succeeds.
pub(crate) type Reported = Result<TaskView>;

impl Turn<'_> {
    /// A report by who holds the attempt. The same report again has no effect; another one, or one of an attempt
    /// that is over, is refused and recorded.
    pub(crate) fn report(
        &mut self,
        task: TaskId,
        token: AttemptToken,
        by: Option<&AgentId>,
        outcome: Outcome,
        text: &str,
    ) -> Result<Reported> {
        check(text)?;
        let view = self.view(task)?;
        let attempt = attempts::get(self.db, token)?.filter(|attempt| attempt.task == task);
        let Some(attempt) = attempt else {
            return Err(Error::new(
                ProblemKind::Superseded,
                format!("task {task} has had no such attempt"),
            )
            .with_cure("report with the token that the claim gave"));
        };
        if by.is_some_and(|by| *by != attempt.agent) {
            return Err(not_yours(task));
        }
        self.heard(&attempt.agent)?;
        if self.book.attempt_at.get(&task) == Some(&token) {
            return self.finish(task, token, outcome, text).map(Ok);
        }
        if attempt.state == outcome.state() && is_same(&view, outcome, text) {
            return Ok(Ok(view));
        }
        self.late(task, &attempt.agent, attempt.number)?;
        Ok(Err(Error::new(
            ProblemKind::Superseded,
            format!("attempt {} at task {task} is over", attempt.number),
        )
        .with_cure("drop the work: nobody waits for it any more")))
    }

    /// A report that carries no token. Only the open task of whom it is assigned to can be reported so.
    ///
    /// Which of an agent's attempts it is about cannot be told: an agent that lost a task and was given the same one
    /// again is taken at its word.
    pub(crate) fn report_assigned(
        &mut self,
        task: TaskId,
        by: Option<&AgentId>,
        outcome: Outcome,
        text: &str,
    ) -> Result<Reported> {
        check(text)?;
        let view = self.view(task)?;
        if let Some(by) = by {
            self.heard(by)?;
        }
        let is_its_own = by.is_none() || view.assigned_agent.as_ref() == by;
        if let Some(token) = self.book.attempt_at.get(&task).copied() {
            if !is_its_own {
                // A sign of life all the same: the turn succeeds.
                return Ok(Err(not_yours(task)));
            }
            return self.finish(task, token, outcome, text).map(Ok);
        }
        if is_its_own && is_same(&view, outcome, text) {
            return Ok(Ok(view));
        }
        if let Some(agent) = by.or(view.assigned_agent.as_ref()) {
            self.late(task, agent, view.attempts)?;
        }
        Ok(Err(Error::new(
            ProblemKind::Conflict,
            format!("task {task} is {} and nobody's to report", view.status),
        )
        .with_cure("drop the work: nobody waits for it any more")))
    }

    /// The task is not wanted any more.
    pub(crate) fn cancel(&mut self, task: TaskId) -> Result<TaskView> {
        const CANCELLED: &str = "Cancelled.";
        let view = self.view(task)?;
        if view.status.is_over() {
            return Err(Error::new(
                ProblemKind::Conflict,
                format!("task {task} is {} already", view.status),
            )
            .with_cure("leave it: what is over cannot be called off"));
        }
        self.drop_auction(task);
        let mut agent = None;
        if let Some(token) = self.book.attempt_at.get(&task).copied() {
            agent = self
                .leave_attempt(token, State::Superseded)?
                .map(|attempt| attempt.agent);
        }
        let to = TaskStatus::Failed;
        self.end_task(task, view.status, to, CANCELLED, agent.as_ref())?;
        self.view(task)
    }

    fn finish(
        &mut self,
        task: TaskId,
        token: AttemptToken,
        outcome: Outcome,
        text: &str,
    ) -> Result<TaskView> {
        if let Some(attempt) = self.leave_attempt(token, outcome.state())? {
            self.moved(&attempt.agent);
            let (from, to) = (attempt.status(), outcome.status());
            self.end_task(task, from, to, text, Some(&attempt.agent))?;
        }
        self.view(task)
    }

    fn late(&mut self, task: TaskId, agent: &AgentId, attempt: u32) -> Result<()> {
        self.book.tally.late_reports += 1;
        self.record(Happening::LateReport {
            task,
            agent: agent.clone(),
            attempt,
        })?;
        Ok(())
    }

    /// Nothing more will become of the task.
    pub(super) fn end_task(
        &mut self,
        task: TaskId,
        from: TaskStatus,
        to: TaskStatus,
        result: &str,
        agent: Option<&AgentId>,
    ) -> Result<()> {
        self.changed = true;
        tasks::end(self.db, task, to, result, self.at.shown)?;
        self.book.tally.moved(from, to);
        let what = match (to, agent) {
            (TaskStatus::Completed, Some(agent)) => Happening::Completed {
                task,
                agent: agent.clone(),
            },
            (_, agent) => Happening::Failed {
                task,
                agent: agent.cloned(),
                reason: result.to_owned(),
            },
        };
        self.record(what)?;
        Ok(())
    }

    /// Takes an auction from among those that are open.
    pub(super) fn drop_auction(&mut self, task: TaskId) {
        if let Some(open) = self.book.auctions.remove(&task) {
            self.changed = true;
            self.book.opened.remove(&open.opened);
        }
    }

    pub(super) fn view(&self, task: TaskId) -> Result<TaskView> {
        tasks::get(self.db, task)?.ok_or_else(|| Error::no_task(task))
    }
}

fn is_same(view: &TaskView, outcome: Outcome, text: &str) -> bool {
    view.status == outcome.status() && view.result.as_deref() == Some(text)
}

fn not_yours(task: TaskId) -> Error {
    Error::new(
        ProblemKind::Forbidden,
        format!("task {task} is another agent's"),
    )
    .with_cure("report only what you have claimed")
}

fn check(text: &str) -> Result<()> {
    if text.len() <= MAX_TEXT {
        return Ok(());
    }
    Err(Error::new(
        ProblemKind::TooLarge,
        format!(
            "the report has {} bytes, and {MAX_TEXT} is the most",
            text.len()
        ),
    )
    .with_cure("put the matter in a file and report its name"))
}
