//! Having a keeper run a program beside an agent.

use std::future::Future;
use std::io;
use std::sync::Arc;

use alveary_core::{AgentId, Error, ErrorKind, ExitStatus, Operation, Result, Retry};
use tokio::time::timeout_at;

use super::failure::{lost, other_version, silent, unexpected};
use super::link::Greeted;
use super::{ANSWER_TAKES_AT_MOST, Client};
use crate::keep::Errand;
use crate::os::streams::Theirs;
use crate::wire::{Answer, Request};

/// A program that a keeper runs for us. It ends when this is dropped, or we die: then the connection closes.
#[derive(Debug)]
pub(crate) struct Remote(Arc<Greeted>);

impl Client {
    /// Has the keeper run a program that reads and writes these streams.
    pub(crate) async fn run_beside(
        &self,
        id: &AgentId,
        errand: Errand,
        streams: Theirs,
    ) -> Result<Remote> {
        let until = Self::time_limit();
        let begun = timeout_at(until, self.begin_beside(id, errand, streams)).await;
        begun
            .unwrap_or_else(|_| Err(silent(Operation::Exec, ANSWER_TAKES_AT_MOST)))
            // Two calls are two programs.
            .map_err(|error| match error.retry() {
                Retry::SameId => error.with_retry(Retry::Never),
                _ => error,
            })
            .map_err(|error| error.with_operation(Operation::Exec).with_agent(id))
    }

    async fn begin_beside(&self, id: &AgentId, errand: Errand, streams: Theirs) -> Result<Remote> {
        let keeper = self.0.open_another().await?;
        let request = Request::Exec(Box::new(errand));
        if !keeper.understands(&request) {
            return Err(other_version(Operation::Exec, &keeper.facts));
        }
        done(keeper.connection.ask(request), id).await?;
        let sent = keeper.connection.send_descriptors(&streams.to_pass()).await;
        sent.map_err(|error| lost(Operation::Exec).with_source(error))?;
        // From here on the other side's copies are the only ones: their end is the program's.
        drop(streams);
        done(keeper.connection.ask(Request::ExecStart), id).await?;
        Ok(Remote(keeper))
    }
}

async fn done(asked: impl Future<Output = io::Result<Answer>>, id: &AgentId) -> Result<()> {
    match asked.await {
        Ok(Answer::Done) => Ok(()),
        Ok(Answer::Error(problem)) => Err(problem.into_error(Operation::Exec, Some(id))),
        Ok(_) => Err(unexpected(Operation::Exec)),
        Err(error) => Err(Error::new(
            ErrorKind::Indeterminate,
            Operation::Exec,
            "the keeper went away before it said whether the program runs",
        )
        .with_cure("run it again only if a second one does no harm; what runs ends with the keeper")
        .with_source(error)),
    }
}

impl Remote {
    /// Waits for its end.
    pub(crate) async fn ended(&mut self) -> ExitStatus {
        match self.0.connection.ask(Request::ExecEnd).await {
            Ok(Answer::Ended(status)) => status,
            _ => ExitStatus::Unknown {
                why: "the keeper that ran it went away, and it with that".to_owned(),
            },
        }
    }
}
