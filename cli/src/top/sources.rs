//! Where what is shown comes from. Each source waits for itself: none keeps another waiting, nor the screen.

mod pulse;
mod swarm;
#[cfg(feature = "coordinator")]
mod tasks;
mod usage;

use std::collections::HashMap;

use alveary::{AgentId, Fleet, Opened};
use futures_util::StreamExt;
use futures_util::stream::{LocalBoxStream, SelectAll};

use super::row::{Row, Used};
use super::tasks::Tasks;
use crate::failure::Failure;

/// What is heard.
#[derive(Debug)]
pub(crate) enum News {
    /// The swarm was looked for, and is not there.
    Absent,
    /// It is there.
    Opened(Box<Opened>),
    /// It cannot be looked at.
    Failed(Failure),
    /// The engine is asked, and owes an answer from now on.
    Asked,
    /// It has given one.
    Answered,
    /// It gave none, for this reason, and owes it still.
    Silent(String),
    /// Who there is, and whether somebody restarts them.
    Agents(Vec<Row>, bool),
    /// Why that could not be said.
    Unheard(String),
    Usage(HashMap<AgentId, Used>),
    #[cfg_attr(
        not(feature = "coordinator"),
        expect(dead_code, reason = "without coordinators there are none")
    )]
    Tasks(Tasks),
}

/// All sources as one.
#[derive(Default)]
pub(crate) struct Sources(SelectAll<LocalBoxStream<'static, News>>);

impl Sources {
    /// Looks for the swarm until it is there.
    pub(crate) fn looking_for(fleet: Fleet) -> Self {
        let mut sources = Self::default();
        sources.0.push(swarm::find(fleet).boxed_local());
        sources
    }

    /// Goes on with what there is to hear of it.
    pub(crate) fn of(opened: &Opened) -> Self {
        let mut sources = Self::default();
        sources.0.push(swarm::agents(opened).boxed_local());
        sources.0.push(pulse::pulse(&opened.swarm).boxed_local());
        if opened.swarm.backend().stats().is_some() {
            sources.0.push(usage::usage(&opened.swarm).boxed_local());
        }
        #[cfg(feature = "coordinator")]
        sources.0.push(tasks::tasks(opened).boxed_local());
        sources
    }

    /// Waits for what is heard next. Where there is nothing to be heard it waits for ever.
    pub(crate) async fn next(&mut self) -> News {
        match self.0.next().await {
            Some(news) => news,
            None => std::future::pending().await,
        }
    }
}
