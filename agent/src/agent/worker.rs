//! The work on one task, from its claim to its report.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::session::{Ended, Session};
use crate::error::{Error, ErrorKind, Result};
use crate::handler::{Task, Unable};
use crate::patience::persist;
use crate::protocol::{AttemptToken, Claim, MAX_TEXT, TaskId};

/// How long a handler has, once its work is called off, before it is dropped. A program has two seconds of it
/// between SIGTERM and SIGKILL.
const PARTING: Duration = Duration::from_secs(3);

/// Does the task and reports, unless it is called off.
pub(super) async fn work(session: Arc<Session>, claim: Claim, cancelled: CancellationToken) {
    let (task, attempt) = (claim.task_id, claim.attempt);
    tracing::info!("took up task {task}, attempt {}", claim.number);
    let ended = match perform(&session, claim, &cancelled).await {
        // No pulse calls a report off: once the coordinator has taken it, the attempt is none of the open ones, and
        // the answer to a pulse may come before the answer to the report. Whether it is taken the report itself hears.
        Some(outcome) => tokio::select! {
            ended = report(&session, task, attempt, outcome) => ended,
            () = session.abandon.cancelled() => Ended::GivenBack,
        },
        None => called_off(&session),
    };
    match ended {
        Ended::Completed => tracing::info!("task {task} is done"),
        Ended::Failed => {}
        Ended::Superseded => tracing::warn!("task {task} is not this agent's any more"),
        Ended::GivenBack => tracing::info!("task {task} is given back"),
    }
    session.let_go(attempt, ended);
}

fn called_off(session: &Session) -> Ended {
    if session.abandon.is_cancelled() {
        Ended::GivenBack
    } else {
        Ended::Superseded
    }
}

/// What the handler says; `None` if it was called off.
async fn perform(
    session: &Session,
    claim: Claim,
    cancelled: &CancellationToken,
) -> Option<Result<String, Unable>> {
    let handler = session.handlers.pick(&claim.capabilities);
    // No child of `cancelled`: what a handler says when it is stopped is not taken for its outcome.
    let stop = CancellationToken::new();
    let task = Task::new(claim, session.registration.agent_id.clone(), stop.clone());
    let mut work = std::pin::pin!(AssertUnwindSafe(handler.handle(task)).catch_unwind());
    let late = tokio::select! {
        biased;
        outcome = &mut work => {
            let panicked = |_| Err(Unable::new("the agent's handler panicked"));
            return Some(outcome.unwrap_or_else(panicked));
        }
        () = cancelled.cancelled() => None,
        limit = over(session.time_limit) => Some(limit),
    };
    stop.cancel();
    if timeout(PARTING, work).await.is_err() {
        tracing::warn!("a handler did not stop when it was called off, and is dropped");
    }
    late.map(|limit| {
        let limit = humantime::format_duration(limit);
        Err(Unable::new(format!("it took longer than {limit}")))
    })
}

async fn over(limit: Option<Duration>) -> Duration {
    match limit {
        Some(limit) => {
            sleep(limit).await;
            limit
        }
        None => std::future::pending().await,
    }
}

/// Tells the coordinator, until it has heard.
async fn report(
    session: &Session,
    task: TaskId,
    attempt: AttemptToken,
    outcome: Result<String, Unable>,
) -> Ended {
    let transport = &session.transport;
    let reason = match outcome {
        Ok(result) if result.len() > MAX_TEXT => {
            format!(
                "the result has {} bytes, and {MAX_TEXT} is the most",
                result.len()
            )
        }
        Ok(result) => {
            match persist("deliver a result", || {
                transport.complete(task, attempt, &result)
            })
            .await
            {
                Ok(()) => return Ended::Completed,
                Err(error) if error.kind() == ErrorKind::Invalid => {
                    format!("the coordinator does not take the result: {error}")
                }
                Err(error) => return refused(task, &error),
            }
        }
        Err(unable) => cut(unable.reason()),
    };
    tracing::warn!("task {task} failed: {}", alveary_core::Escaped(&reason));
    match persist("report a failure", || {
        transport.fail(task, attempt, &reason)
    })
    .await
    {
        Ok(()) => Ended::Failed,
        Err(error) => refused(task, &error),
    }
}

fn refused(task: TaskId, error: &Error) -> Ended {
    tracing::warn!("the report on task {task} was refused: {error}");
    Ended::Superseded
}

/// As much of a reason as is taken.
fn cut(reason: &str) -> String {
    reason[..reason.floor_char_boundary(MAX_TEXT)].to_owned()
}
