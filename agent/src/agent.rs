//! An agent: hears of tasks, bids, takes up what it won, works, reports.

mod bidder;
mod builder;
mod claimer;
mod heart;
mod session;
mod worker;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

pub use builder::{AgentBuilder, Incomplete};
pub use session::Summary;

use crate::error::{Error, ErrorKind, Result};
use session::Session;

/// How long the coordinator may take to hear that the agent goes.
const FAREWELL: Duration = Duration::from_secs(3);

/// An agent that is ready to [run](Self::run).
///
/// ```
/// use alveary_agent::{Agent, CancellationToken, Task, Transport};
///
/// # async fn example(transport: impl Transport) -> Result<(), Box<dyn std::error::Error>> {
/// let agent = Agent::builder("echo")
///     .capability("shout", |task: Task| async move {
///         Ok::<_, std::convert::Infallible>(task.description.as_str().to_uppercase())
///     })
///     .transport(transport)
///     .build()?;
/// agent.run(CancellationToken::new()).await?;
/// # Ok(())
/// # }
/// ```
pub struct Agent {
    session: Arc<Session>,
    concurrency: usize,
    grace: Duration,
}

impl Agent {
    /// Begins to describe an agent that people call `name`.
    pub fn builder(name: impl Into<String>) -> AgentBuilder {
        AgentBuilder::new(name.into())
    }

    /// Presents the agent and works until `cancel`; then takes nothing more up, finishes what it has within the
    /// grace, gives back the rest, and goes.
    ///
    /// A coordinator that is not there is waited for, at the begin too. An error means that to go on would be in
    /// vain: the token is refused, or what answers is no coordinator. It comes after the same orderly end.
    ///
    /// Dropping the future calls off the work under way without telling the coordinator, which finds out when
    /// the heartbeat stays away.
    pub async fn run(self, cancel: CancellationToken) -> Result<Summary> {
        let session = &self.session;
        // Whatever way this ends, nothing goes on working.
        let _abandon = session.abandon.clone().drop_guard();
        tokio::select! {
            () = cancel.cancelled() => return Ok(session.summary()),
            welcome = session.register() => welcome?,
        };

        let mut duties = JoinSet::new();
        duties.spawn(bidder::bid_for_all(session.clone()));
        duties.spawn(claimer::take_up_all(session.clone(), self.concurrency));
        let mut heart = JoinSet::new();
        heart.spawn(heart::beat(session.clone()));

        let end = tokio::select! {
            () = cancel.cancelled() => Ok(()),
            end = duties.join_next() => Err(fatal(end)),
            end = heart.join_next() => Err(fatal(end)),
        };
        duties.shutdown().await;
        self.finish().await;
        heart.shutdown().await;
        self.go().await;
        end.map(|()| session.summary())
    }

    /// Waits for the work under way, and calls it off when the grace is over.
    async fn finish(&self) {
        let works = &self.session.works;
        works.close();
        if timeout(self.grace, works.wait()).await.is_err() {
            self.session.abandon.cancel();
            works.wait().await;
        }
    }

    async fn go(&self) {
        match timeout(FAREWELL, self.session.leave()).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!("failed to take leave of the coordinator: {error}"),
            Err(_) => tracing::warn!("failed to take leave of the coordinator: it does not answer"),
        }
    }
}

/// Why a duty ended, none of which ends by itself.
fn fatal(end: Option<Result<Error, tokio::task::JoinError>>) -> Error {
    match end {
        Some(Ok(error)) => error,
        Some(Err(error)) => Error::new(ErrorKind::Protocol, "a part of the agent broke")
            .with_cure("report this")
            .with_source(error),
        None => Error::new(ErrorKind::Protocol, "a part of the agent is missing")
            .with_cure("report this"),
    }
}

impl fmt::Debug for Agent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Agent")
            .field("registration", &self.session.registration)
            .field("transport", &self.session.transport)
            .field("concurrency", &self.concurrency)
            .field("grace", &self.grace)
            .finish_non_exhaustive()
    }
}
